// The rows of a day: records, what is missing between them, and the ends.

import { answeredId, line } from "./records.js";
import { clock, element, timeElement } from "./base.js";
import { duration, many } from "./format.js";
import { get } from "./asking.js";
import { dayName, dayOf, dayPage, permalink, personPage, placeOf, query, roomApi } from "./places.js";
import { BETWEEN, NO_LONGER } from "./statements.js";
import { cut } from "./text.js";

// Of a stretch, so many at a time; and so many of it at most, should a second hold more than anybody reads.
const PAGE = 1000;
const MOST = 5000;

export const timeOf = (record) => Date.parse(record.timestamp);
const iso = (milliseconds) => new Date(milliseconds).toISOString();

// The rows of a stretch of a room, by what the filter asks for. Gap records are told by bars of their own.
export async function fetchRows(room, stretch, filter, signal) {
  const rows = [];
  let cursor = "";
  do {
    const asked = query({ ...filter, from: iso(stretch.from), to: iso(stretch.to), order: "oldest", limit: PAGE, marks: 1, cursor });
    const found = await get(`${roomApi(room, "messages")}?${asked}`, signal);
    found.records.forEach((record, at) => {
      if (record.type !== "gap" || filter.type) rows.push({ at: timeOf(record), id: cut(record.id, 100), record, done: cut(found.marks?.[at] ?? "", 100) });
    });
    cursor = found.records.length === PAGE ? found.newer : "";
  } while (cursor && rows.length < MOST);
  return rows;
}

// With a bar for each gap that begins in the stretch.
export function withGaps(rows, stretch, gaps, first) {
  const within = gaps.filter(({ from }) => {
    const at = Date.parse(from);
    return at < stretch.to && (at >= stretch.from || first);
  });
  if (!within.length) return rows;
  const bars = within.map((gap) => ({ at: Date.parse(gap.from), gap }));
  // What came back of a gap stands behind its bar.
  return [...rows, ...bars].sort((one, other) => one.at - other.at || Boolean(other.gap) - Boolean(one.gap));
}

function gapBar({ gap }) {
  const item = element("li", "hole gapbar");
  const [from, to] = [new Date(gap.from), new Date(gap.to)];
  const back = gap.backfilled ? `; ${many(gap.backfilled, "message")} of it came back` : "";
  const words = element("bdi");
  if (gap.reason === NO_LONGER) {
    words.append(element("b", "", "Nobody recorded this room any more"), " after ", timeElement(from, gap.from), ` on ${dayName(dayOf(from))}`);
  } else {
    const nobody = gap.reason === BETWEEN;
    const lasted = element("b", "", `${nobody ? "Nobody recorded this room" : "Not recorded"} for ${duration(gap.seconds)}`);
    words.append(lasted, ", from ", timeElement(from, gap.from), " to ", timeElement(to, gap.to), nobody ? "" : `: ${cut(gap.reason, 200)}${back}`);
  }
  item.append(words);
  return item;
}

function edge({ day, room, words }) {
  const item = element("li", "edge");
  if (day) {
    const link = element("a", "", `${words} ${dayName(day)}`);
    link.href = dayPage(room, day);
    item.append(link);
  } else item.append(words);
  return item;
}

export class Rows {
  // `isCurrent(row)`, `isFound(row)`: how a row stands out.
  constructor(room, { isCurrent, isFound }) {
    this.room = room;
    this.platform = room.split("/")[0];
    this.isCurrent = isCurrent;
    this.isFound = isFound;
  }

  draw(row) {
    let item;
    try {
      item = row.gap ? gapBar(row) : row.record ? this.record(row) : edge(row);
    } catch {
      // Something in it is of a kind that nobody has thought of; the archive has it as it came.
      item = element("li", "hole", "A record that cannot be shown here");
    }
    item.classList.toggle("current", this.isCurrent(row));
    item.classList.toggle("found", this.isFound(row));
    return item;
  }

  record({ record, done }) {
    const parent = answeredId(record);
    const made = line(record, this.platform, {
      permalink: permalink(this.room, record),
      profile: personPage(this.platform, record, this.room),
      parent: parent && `#${query({ at: record.timestamp, parent })}`,
      done,
    });
    made.querySelector(".when")?.setAttribute("aria-label", `Link to the message of ${clock(new Date(record.timestamp))}`);
    return made;
  }
}

// Where the record is that has this id: before `at`, within a day. Null if it is not in the archive.
export async function placeOfRecord(room, id, at, signal) {
  const asked = query({ id, from: iso(at - 86400000), to: iso(at + 60000), order: "newest", limit: 1 });
  const found = await get(`${roomApi(room, "messages")}?${asked}`, signal);
  const record = found.records[0];
  return record ? { at: timeOf(record), id: record.id, day: record.timestamp.slice(0, 10), hash: placeOf(record) } : null;
}
