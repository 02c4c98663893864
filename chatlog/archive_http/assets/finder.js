// A search: it says how far it has come, can be stopped, and each hit leads to its place in the chat.

import { $, element, mark, moment, namedMoment, say, whenClockTurns } from "./base.js";
import { rows } from "./asking.js";
import { count, duration, many, size } from "./format.js";
import { API, permalink, personPage, query } from "./places.js";
import { line } from "./records.js";
import { cut } from "./text.js";
import { isNeeded, offer } from "./token_needed.js";

const LIMIT = 100;

export class Finder {
  constructor() {
    this.found = 0;
    this.stop = new AbortController();
    $("stop").addEventListener("click", () => this.stop.abort());
    $("on").addEventListener("click", () => this.go(this.next));
    whenClockTurns(() => this.tellTimes());
  }

  // Look for something new. `offers`: ask for the token where it is needed; else somebody else does.
  begin(wanted, offers = true) {
    this.wanted = wanted;
    this.offers = offers;
    this.found = 0;
    $("hits").replaceChildren();
    return this.go({});
  }

  async go(place) {
    this.stop.abort();
    const stop = (this.stop = new AbortController());
    $("stop").hidden = false;
    $("on").hidden = true;
    this.told("Looking");
    let end = null;
    try {
      for await (const row of rows(`${API}/search?${query({ ...this.wanted, ...place, limit: LIMIT })}`, stop.signal)) {
        if (stop !== this.stop) return;
        if (row.record) this.hit(row.record);
        else if (row.progress) this.progress(row.progress);
        else if (row.end) end = row.end;
      }
      this.ended(end);
    } catch (error) {
      if (stop !== this.stop) return;
      if (isNeeded(error)) {
        this.told("");
        if (this.offers) offer($("progress"), error, () => this.begin(this.wanted));
      } else this.told(error.name === "AbortError" ? `Stopped. ${this.words()}` : `${error.message}.`, error.name === "AbortError" ? "" : "bad");
    }
    $("stop").hidden = true;
  }

  words() {
    return this.found ? `${many(this.found, "hit")} so far.` : "Nothing was found so far.";
  }

  told(text, level = "") {
    say($("progress"), text);
    mark($("progress"), "level", level);
  }

  progress({ at, bytes }) {
    this.told(`Looking at what was before ${namedMoment(new Date(at))}: ${size(bytes)} read, ${count(this.found)} found`);
  }

  ended(end) {
    if (!end) return this.told(`The search was cut off. ${this.words()}`, "bad");
    this.next = end.next;
    $("on").hidden = !end.next;
    if (end.opted_out) return this.told("This person opted out. They are not recorded any more, and nothing of them is shown.");
    const missing = end.gaps.reduce((sum, gap) => sum + gap.seconds, 0);
    const parts = [this.found ? `${many(this.found, "hit")}${end.next ? ", and there may be more" : ""}` : "Nothing was found"];
    if (end.gaps.length) parts.push(`${many(end.gaps.length, "gap")} on the way, ${duration(missing)} not recorded`);
    if (end.unread) parts.push(`${many(end.unread, "file")} could not be read: ${(end.files ?? []).slice(0, 3).map(({ text }) => text).join("; ")}`);
    return this.told(`${parts.join("; ")}.`, end.unread ? "bad" : end.gaps.length ? "warn" : "");
  }

  hit(record) {
    this.found += 1;
    const platform = record.platform === "kick" ? "kick" : "twitch";
    const room = `${platform}/${cut(record.channel, 64)}`;
    let item;
    try {
      item = line(record, platform, { permalink: permalink(room, record), profile: personPage(platform, record, room) });
      const where = element("span", "where", room);
      item.querySelector(".when").after(where);
    } catch {
      item = element("li", "hole", "A record that cannot be shown here");
    }
    $("hits").append(item);
    this.tellTimes(item);
  }

  // With the day, for hits are of many.
  tellTimes(within = $("hits")) {
    for (const time of within.querySelectorAll(".when > time")) say(time, moment(new Date(time.dateTime)));
  }
}
