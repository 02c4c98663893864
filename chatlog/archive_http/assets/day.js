// A day of a room: its chat from beginning to end, any place of it at hand.

import { $, clock, clockZone, element, mark, namedMoment, say, switches, whenClockTurns } from "./base.js";
import { get } from "./asking.js";
import { Exports } from "./exports.js";
import { fetchRows, placeOfRecord, Rows, timeOf, withGaps } from "./day_rows.js";
import { count, duration, many, share } from "./format.js";
import { Keys } from "./keys.js";
import { besides, DAY, dayName, dayOf, dayPage, path, query, roomApi, roomPage, startOf } from "./places.js";
import { damage } from "./statements.js";
import { sayWhyEmpty } from "./empty.js";
import { StreamTimes } from "./stream_times.js";
import { stretches } from "./stretches.js";
import { strip } from "./strip.js";
import { lengthOf, momentOf, whyNot } from "./times.js";
import { VirtualList } from "./virtual.js";
import { PersonPanel } from "./whom.js";

const FIRST = 60;
const TYPING = 180;
const AGAIN = 5000;

const [platform, name, day] = path();
const room = `${platform}/${name}`;
const [begin, end] = [startOf(day), startOf(day) + DAY];
const iso = (at) => new Date(at).toISOString();
const range = { from: iso(begin), to: iso(end) };

// -- what is asked for: the part of the address behind #

const hash = () => Object.fromEntries(new URLSearchParams(location.hash.slice(1)));
let asked = hash();
const isOver = Date.now() >= end;

function filter() {
  const text = $("filter").value.trim();
  const person = /^(?:@|from:)(\S+)$/.exec(text);
  return { q: person ? "" : text, user: person ? person[1] : "", type: $("kinds").value };
}
const isFiltered = () => Object.values(filter()).some(Boolean);

// Keep the address true without a new entry in the history.
function address(place) {
  const { q, user, type } = filter();
  const values = { at: place?.at && iso(place.at), id: place?.id, q, user, type, ...streamTimes.kept() };
  history.replaceState(null, "", `#${query(values)}`);
}

// -- the list

let timeline = null;
let current = null;
let found = null;
const rows = new Rows(room, { isCurrent: (row) => row === current, isFound: (row) => Boolean(found?.id && row.id === found.id) });
const list = new VirtualList($("log"), {
  draw: (row) => rows.draw(row),
  fetch: async (stretch, signal) => {
    const asked = await fetchRows(room, stretch, filter(), signal);
    const bars = isFiltered() ? asked : withGaps(asked, stretch, timeline?.gaps ?? [], stretch.from <= begin);
    return [...(stretch.ahead ?? []), ...bars, ...(stretch.behind ?? [])];
  },
  moved,
  failed: (error) => say($("facts"), `Something could not be fetched: ${error.message}. It is tried again.`),
});
const line = strip((at) => go({ at }));
let fading = 0;

function moved() {
  const at = list.timeAtTop();
  line.mark(at);
  if (at === null) return;
  // The first row may be about the day before.
  say($("now"), clock(new Date(Math.max(at, begin))));
  mark($("now"), "shown", list.box.scrollTop > 0 ? "1" : "");
  clearTimeout(fading);
  fading = setTimeout(() => mark($("now"), "shown", ""), 900);
}

// Where somebody has gone before it was known what there is.
let early = null;
async function go(place, part = 0) {
  if (!timeline) early = place;
  const row = await list.jump(place, part);
  return row;
}

// To a record, which then stands out.
async function goTo(place) {
  found = place;
  const row = await go(place, 0.3);
  current = row;
  list.redraw();
}

// The stretches of a timeline, with the ways to the days before and after at its ends.
function whole(of) {
  const made = stretches(of);
  if (!made.length || isFiltered()) return made;
  const { first, last } = of.days;
  made[0].ahead = [first && day > first ? { at: begin - 1, room, day: besides(day, -1), words: "The day before:" } : { at: begin - 1, words: "Nothing was recorded before this day" }];
  made.at(-1).behind = [isOver ? (last && day < last ? { at: end, room, day: besides(day, 1), words: "The day after:" } : { at: end, words: "The end of the day" }) : { at: end, words: "This day is not over yet" }];
  return made;
}

// -- asking

let turn = 0;
let stopping = new AbortController();

// The first rows at once, before it is known how many there are in all.
async function firstRows(signal) {
  const at = asked.at ? Date.parse(asked.at) : NaN;
  const place = Number.isNaN(at) ? {} : { from: iso(Math.max(begin, at - 30000)) };
  const order = isOver || place.from ? "oldest" : "newest";
  const found = await get(`${roomApi(room, "messages")}?${query({ ...range, ...place, ...filter(), order, limit: FIRST, marks: 1 })}`, signal);
  const rows = found.records.map((record, at) => ({ at: timeOf(record), id: record.id, record, done: found.marks?.[at] ?? "" }));
  if (!rows.length || timeline) return;
  const stretch = { from: rows[0].at, to: rows.at(-1).at + 1, count: rows.length, rows };
  await list.show([stretch], startPlace(rows.at(-1).at));
}

function startPlace(last = end) {
  const at = asked.at ? Date.parse(asked.at) : NaN;
  if (!Number.isNaN(at)) return { at, id: asked.id };
  return { at: isOver ? begin - 1 : last };
}

async function look() {
  const mine = (turn += 1);
  stopping.abort();
  stopping = new AbortController();
  const { signal } = stopping;
  const begun = firstRows(signal).catch(() => {});
  try {
    const whole_ = await get(`${roomApi(room, "timeline")}?${query(range)}`, signal);
    if (mine !== turn) return;
    timeline = whole_;
    await begun;
    facts();
    line.show(timeline);
    const of = isFiltered() ? await filtered(signal) : timeline;
    // Whoever has scrolled on in the meantime stays where they are.
    const place = list.box.scrollTop > 0 && !asked.at ? list.placeAtTop() : null;
    await show(of, early ?? place ?? startPlace());
    if (asked.id) await goTo(startPlace());
    else if (asked.parent) await toParent();
    else if (!isOver && !asked.at) list.box.scrollTop = list.box.scrollHeight;
  } catch (error) {
    if (error.name !== "AbortError") trouble(error);
  }
}

const filtered = async (signal) => {
  const hits = await get(`${roomApi(room, "timeline")}?${query({ ...range, ...filter() })}`, signal);
  line.show(timeline, hits);
  return hits;
};

async function show(of, place) {
  const empty = !of.total && (isFiltered() || ["gap", "before", "expired"].includes(of.state) || !of.gaps.length);
  $("statement").hidden = !empty;
  $("log").hidden = empty;
  $("strip").hidden = !timeline.total && !timeline.gaps.length;
  if (empty) mark($("now"), "shown", "");
  if (empty) sayWhyEmpty($("statement"), of, { day, room, isFiltered: isFiltered() });
  else await list.show(whole(of), place);
}

function trouble(error) {
  $("log").hidden = true;
  sayWhyEmpty($("statement"), null, { day, room, error });
}

function facts() {
  const missing = timeline.gaps.reduce((sum, gap) => sum + gap.seconds, 0);
  const passed = (Math.min(Date.now(), end) - begin) / 1000;
  const covered = passed > 0 ? 1 - missing / passed : 1;
  const parts = [
    [dayName(day)],
    [many(timeline.total, "record")],
    timeline.state === "before" || timeline.state === "expired" ? [""] : timeline.gaps.length ? [`${many(timeline.gaps.length, "gap")}, ${duration(missing)}: ${share(covered)} recorded`, covered < 0.9 ? "bad" : "warn"] : ["no gaps"],
    [isOver ? "" : "not over yet"],
    [clockZone() === "UTC" || new Date(begin).getTimezoneOffset() === 0 ? "" : `${namedMoment(new Date(begin))} to ${namedMoment(new Date(end))} by your clock`],
    timeline.partial ? ["only a part of it could be looked at", "warn"] : [""],
  ];
  $("facts").replaceChildren(...parts.filter(([text]) => text).map(([text, level = ""]) => {
    const made = element("span", "", text);
    made.dataset.level = level;
    return made;
  }));
  damage($("damage"), timeline.unread);
}

// -- the filter

let typing = 0;
function refilter() {
  clearTimeout(typing);
  typing = setTimeout(async () => {
    const place = list.placeAtTop() ?? startPlace();
    stopping.abort();
    stopping = new AbortController();
    exports_.show();
    $("to-search").href = `/search?${query({ room, q: filter().q, user: filter().user })}`;
    if (!timeline) return void look();
    try {
      let of = timeline;
      if (isFiltered()) of = await filtered(stopping.signal);
      else line.show(timeline);
      say($("h-chat"), isFiltered() ? `${count(of.total)} found` : "Chat");
      for (const stretch of list.stretches) stretch.rows = null;
      await show(of, place);
      if (found && !isFiltered()) await goTo(found);
      address(found ?? place);
    } catch (error) {
      if (error.name !== "AbortError") trouble(error);
    }
  }, TYPING);
}
$("filter").addEventListener("input", refilter);
$("kinds").addEventListener("change", refilter);

function clearFilter() {
  if (!isFiltered()) return false;
  $("filter").value = "";
  $("kinds").value = "";
  refilter();
  return true;
}

// -- what is clicked

async function toParent() {
  const at = Date.parse(asked.at);
  const place = await placeOfRecord(room, asked.parent, at).catch(() => null);
  if (!place) say($("now"), "What this answers is not in the archive");
  else if (place.day !== day) location.assign(dayPage(room, place.day, place.hash));
  else {
    if (clearFilter()) found = place;
    await goTo(place);
    address(place);
  }
  if (!place) mark($("now"), "shown", "1");
}

$("log").addEventListener("click", (event) => {
  const link = event.target.closest("a");
  if (!link || event.button || event.ctrlKey || event.metaKey || event.shiftKey) return;
  const item = link.closest("li");
  const row = [...list.nodes].find(([, node]) => node === item)?.[0];
  if (!row?.record) return;
  if (link.classList.contains("who")) {
    event.preventDefault();
    panel.open(row.record);
  } else if (link.classList.contains("when")) {
    event.preventDefault();
    found = { at: row.at, id: row.id };
    if (!clearFilter()) list.redraw();
    address(found);
  } else if (link.closest(".reply")) {
    event.preventDefault();
    asked = Object.fromEntries(new URLSearchParams(link.hash.slice(1)));
    toParent();
  }
});

function wrongTime(why) {
  say($("wrong"), why);
  $("wrong").hidden = !why;
  $("jump").setAttribute("aria-invalid", String(Boolean(why)));
  return why;
}

$("jump").addEventListener("input", () => wrongTime(""));
$("jump").addEventListener("keydown", (event) => {
  if (event.key !== "Enter") return;
  const text = $("jump").value;
  const at = streamTimes.on && lengthOf(text) !== null ? streamTimes.zero + lengthOf(text) : momentOf(text, begin);
  if (wrongTime(whyNot(text, at))) return;
  if (at < begin || at >= end) location.assign(dayPage(room, dayOf(new Date(at)), query({ at: iso(at) })));
  else {
    go({ at });
    address({ at });
    $("log").focus();
  }
});

$("day").addEventListener("change", () => {
  const chosen = $("day").value;
  if (/^\d{4}-\d\d-\d\d$/.test(chosen) && chosen !== day) location.assign(dayPage(room, chosen));
});
window.addEventListener("hashchange", () => {
  asked = hash();
  const at = Date.parse(asked.at ?? "");
  if (asked.parent) toParent();
  else if (!Number.isNaN(at)) goTo({ at, id: asked.id });
});

// -- the rest of the page

const panel = new PersonPanel(platform, room, day, (user) => {
  $("filter").value = `@${user}`;
  refilter();
});
const streamTimes = new StreamTimes(room, begin, () => {
  $("log").classList.toggle("relative", streamTimes.on);
  list.redraw();
  moved();
  exports_.show();
  address(list.placeAtTop());
});
const exports_ = new Exports(room, range, filter, streamTimes);
new Keys({
  list,
  current: () => current,
  choose: (row) => {
    current = row;
    list.redraw();
  },
  link: (row) => address({ at: row.at, id: row.id }),
  go,
  ends: [begin - 1, end],
  days: [dayPage(room, besides(day, -1)), dayPage(room, besides(day, 1))],
  escape: clearFilter,
});

// What is said now, while somebody looks at the end of a day that is not over.
async function goOn() {
  if (!isOver && timeline && !document.hidden && !isFiltered() && list.atEnd && !$("log").hidden) {
    try {
      const before = timeline.total;
      timeline = await get(`${roomApi(room, "timeline")}?${query(range)}`, stopping.signal);
      facts();
      line.show(timeline);
      if (list.atEnd && timeline.total !== before) {
        await list.show(whole(timeline), { at: end });
        list.box.scrollTop = list.box.scrollHeight;
      }
    } catch {
      // It is asked again.
    }
  }
  setTimeout(goOn, AGAIN);
}

switches();
document.title = `${name}, ${day} · Chatlog archive`;
say($("platform"), `${platform}/`);
say($("name"), name);
$("room").href = `${roomPage(room)}?month=${day.slice(0, 7)}`;
$("day").value = day;
$("before").href = dayPage(room, besides(day, -1));
$("after").href = dayPage(room, besides(day, 1));
$("to-search").href = `/search?${query({ room })}`;
$("filter").value = asked.user ? `@${asked.user}` : asked.q ?? "";
if ([...$("kinds").options].some(({ value }) => value === asked.type)) $("kinds").value = asked.type;
streamTimes.begin(asked);
whenClockTurns(() => {
  line.hours();
  moved();
  if (timeline) facts();
  list.redraw();
});
look().then(() => setTimeout(goOn, AGAIN));
