// Times since a stream began: when that was is known from the archive, or written by whoever looks.

import { $, namedMoment, say, tellTimesBy } from "./base.js";
import { get } from "./asking.js";
import { query, roomApi } from "./places.js";
import { lengthOf, momentOf, sinceText } from "./times.js";

// How far back the beginning of a stream is looked for.
const BACK = 2 * 86400000;
const BEGINS = (record) => record.type === "stream" ? record.details?.state !== "offline" && record.details?.live !== false : /StreamerIsLive/.test(record.details?.event ?? "");

export class StreamTimes {
  // `turned()` is called when times are told in another way.
  constructor(room, day, turned) {
    this.room = room;
    this.day = day;
    this.turned = turned;
    this.start = null;
    this.offset = 0;
    $("by-stream").addEventListener("click", () => this.use());
    $("by-clock").addEventListener("click", () => this.set(null));
    $("stream").addEventListener("toggle", () => $("stream").open && this.look());
    for (const id of ["start", "offset"]) $(id).addEventListener("keydown", ({ key }) => key === "Enter" && this.use());
  }

  get on() {
    return this.start !== null;
  }

  // The moment that is 0:00:00.
  get zero() {
    return this.start - this.offset;
  }

  // What the address keeps of it.
  kept() {
    return this.on ? { start: new Date(this.start).toISOString(), offset: this.offset / 1000 || "" } : {};
  }

  // As the address has it.
  begin({ start, offset }) {
    const at = Date.parse(start ?? "");
    if (Number.isNaN(at)) return;
    $("start").value = start;
    $("offset").value = offset ?? "";
    this.offset = lengthOf(offset ?? "") ?? 0;
    this.set(at, false);
  }

  use() {
    const start = momentOf($("start").value, this.day);
    const offset = $("offset").value.trim() ? lengthOf($("offset").value) : 0;
    if (start === null || offset === null) {
      say($("start-words"), start === null ? "Write when the stream began, as 18:02 or 18:02:10." : "The offset is a number of seconds, like 3 or -1.5.");
      return;
    }
    this.offset = offset;
    this.set(start);
    $("stream").open = false;
  }

  set(start, tell = true) {
    this.start = start;
    tellTimesBy(start === null ? null : (date) => sinceText(date - this.zero));
    say($("start-words"), start === null ? "" : `0:00:00 is ${new Date(this.zero).toISOString()}.`);
    if (tell) this.turned();
  }

  // The latest beginning of a stream that was recorded.
  async look() {
    if (this.looked) return;
    this.looked = true;
    const range = { from: new Date(this.day - BACK).toISOString(), to: new Date(this.day + 86400000).toISOString() };
    try {
      const found = await get(`${roomApi(this.room, "messages")}?${query({ ...range, type: "stream,event", order: "newest", limit: 1000 })}`);
      const record = found.records.findLast(BEGINS);
      if (!record || $("start").value) return;
      $("start").value = record.timestamp;
      say($("start-words"), `The archive has a stream that began ${namedMoment(new Date(record.timestamp))}.`);
    } catch {
      // Then it has to be written.
    }
  }
}
