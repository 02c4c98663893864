// What was said earlier in a room, from the server of the archive.

import { get } from "./asking.js";
import { query, roomApi } from "./places.js";

const PAGE = 100;

export class Earlier {
  constructor(room) {
    this.room = room;
    this.origin = "";
    this.begin();
  }

  // Begin anew, before what is on the page.
  begin() {
    this.cursor = "";
    this.ended = false;
  }

  // The records before those that are shown: the latest said so far, the newest last. `until` is the time of the
  // first that is shown, as it is written. Null where there are no more. Throws where there is no answer.
  async more(until) {
    if (this.ended || !this.origin) return null;
    // Records arrive a little out of order: a second is looked at twice.
    const to = this.cursor || !until ? "" : new Date(Date.parse(until) + 1000).toISOString();
    const asked = query({ order: "newest", limit: PAGE, marks: 1, cursor: this.cursor, to });
    const found = await get(`${this.origin}${roomApi(this.room, "messages")}?${asked}`);
    this.cursor = found.older ?? "";
    this.ended = !found.older;
    return found.records.map((record, at) => ({ record, done: found.marks?.[at] ?? "" }));
  }
}
