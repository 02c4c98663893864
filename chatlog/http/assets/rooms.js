// The table of rooms: filter, order, pages, and which are chosen. Rows are made once and changed where something
// changed.

import { $, element, mark, moment, say } from "./base.js";
import { age, count, duration, many, natural, rate, share, STATES } from "./format.js";
import { newSpark, sparkline } from "./spark.js";

const ON_A_PAGE = 200;
const WORST_FIRST = ["unwritten", "refused", "silent", "wanted", "requested", "recorded"];
// What a column is ordered by; a room that has nothing there comes last either way.
const VALUES = {
  state: (room) => WORST_FIRST.indexOf(room.state) + (troubled(room) ? 0 : 10),
  name: () => 0,
  rate: (room) => room.rate,
  last: (room) => (room.last === null ? null : -room.last),
  records_today: (room) => room.records_today,
  gaps_today: (room) => room.gaps_today,
  coverage_today: (room) => room.coverage_today,
};
const DESCENDING_FIRST = new Set(["rate", "records_today", "gaps_today"]);

// Not recorded now, or missing for more than three minutes of the last hour; but for what is known already.
export const troubled = (room) => !room.acknowledged && (room.state !== "recorded" || room.coverage_hour < 0.95);

export const keyOf = (room) => `${room.platform}/${room.name}`;

// Since when this room's messages are counted.
const countedSince = (room, started) => Math.max(started, room.first ?? 0);

export function showSpark(svg, room, now, started) {
  const lost = sparkline(svg, [...room.sparkline, room.rate], now, room.gaps_hour ?? [], countedSince(room, started));
  return lost >= 1 ? `not recorded for ${duration(lost)} of the last hour` : "";
}

function cell(kind, role = "cell") {
  const node = element(role === "rowheader" ? "th" : "td", kind);
  node.setAttribute("role", role);
  return node;
}

class Row {
  constructor(room, choose) {
    this.room = room;
    this.node = element("tr");
    this.node.setAttribute("role", "row");
    this.pick = cell("pick");
    this.box = element("input");
    this.box.type = "checkbox";
    this.box.setAttribute("aria-label", `Choose ${keyOf(room)}`);
    this.box.addEventListener("change", () => choose(keyOf(room), this.box.checked));
    this.pick.append(this.box);
    this.state = cell("state");
    const dot = element("span", "dot");
    dot.setAttribute("aria-hidden", "true");
    this.word = element("span", "word");
    this.state.append(dot, this.word);
    const name = cell("name", "rowheader");
    name.scope = "row";
    const link = element("a");
    link.href = `/rooms/${encodeURIComponent(room.platform)}/${encodeURIComponent(room.name)}`;
    link.append(element("span", "platform", `${room.platform}/`), element("wbr"), element("bdi", "", room.name));
    this.reason = element("span", "reason");
    name.append(link, this.reason);
    this.rate = cell("number rate");
    this.trend = cell("trend");
    this.spark = newSpark(120, 20);
    this.trendWords = element("span", "hidden");
    this.trend.append(this.spark, this.trendWords);
    this.last = cell("number last");
    this.today = cell("number roomy");
    this.gaps = cell("number roomy");
    this.coverage = cell("number coverage");
    this.node.append(this.pick, this.state, name, this.rate, this.trend, this.last, this.today, this.gaps, this.coverage);
  }

  show(room, { now, started }) {
    this.room = room;
    mark(this.node, "state", room.state);
    mark(this.node, "known", room.acknowledged ? "1" : "");
    say(this.word, STATES[room.state] ?? room.state);
    // Of a disk that takes nothing every room would say the same, and the headline says it.
    say(this.reason, room.reason && room.state !== "unwritten" ? `${room.reason}${room.acknowledged ? " (acknowledged)" : ""}` : "");
    this.reason.title = room.remedy ?? "";
    say(this.rate, rate(room.rate));
    const words = showSpark(this.spark, room, now, started);
    this.trend.title = words;
    say(this.trendWords, words);
    say(this.today, count(room.records_today));
    say(this.gaps, room.gaps_today ? count(room.gaps_today) : "–");
    mark(this.gaps, "level", room.gaps_today ? "warn" : "");
    say(this.coverage, share(room.coverage_today));
    mark(this.coverage, "level", room.coverage_today < 0.95 && !room.acknowledged ? "bad" : room.coverage_today < 1 ? "warn" : "");
    this.tick(now);
  }

  tick(now) {
    const { last } = this.room;
    say(this.last, last === null ? "–" : age(now - last));
    this.last.title = last === null ? "" : moment(new Date(last * 1000));
  }
}

export class Rooms {
  constructor() {
    this.rooms = [];
    this.rows = new Map();
    this.shown = [];
    this.picked = new Set();
    this.onChosen = () => {};
    this.facts = { now: 0, started: 0 };
    this.page = 0;
    this.sort = "state";
    this.down = false;
    this.read();
    $("filter").addEventListener("input", () => this.changed());
    $("only-problems").addEventListener("change", () => this.changed());
    $("before").addEventListener("click", () => this.turn(-1));
    $("after").addEventListener("click", () => this.turn(1));
    $("all").addEventListener("change", ({ target }) => this.choose(target.checked ? this.shown.map((row) => keyOf(row.room)) : []));
    for (const head of document.querySelectorAll("th[data-sort]")) {
      head.querySelector("button").addEventListener("click", () => this.order(head.dataset.sort));
    }
    addEventListener("hashchange", () => {
      this.read();
      this.draw();
    });
  }

  // The address keeps what is shown, so that it can be kept and passed on.
  read() {
    if (location.hash && !location.hash.includes("=")) return; // a place on the page
    const wanted = new URLSearchParams(location.hash.slice(1));
    this.sort = Object.hasOwn(VALUES, wanted.get("sort") ?? "") ? wanted.get("sort") : "state";
    this.down = wanted.get("down") === "1";
    $("filter").value = wanted.get("filter") ?? "";
    $("only-problems").checked = wanted.get("problems") === "1";
  }

  keep() {
    const kept = new URLSearchParams();
    if (this.sort !== "state" || this.down) kept.set("sort", this.sort);
    if (this.down) kept.set("down", "1");
    if ($("filter").value) kept.set("filter", $("filter").value);
    if ($("only-problems").checked) kept.set("problems", "1");
    history.replaceState(null, "", `${location.pathname}${kept.size ? `#${kept}` : ""}`);
  }

  changed() {
    this.page = 0;
    this.keep();
    this.draw();
  }

  order(key) {
    this.down = key === this.sort ? !this.down : DESCENDING_FIRST.has(key);
    this.sort = key;
    this.changed();
  }

  turn(pages) {
    this.page += pages;
    this.draw();
    $("rooms").focus();
    $("listing").scrollIntoView({ block: "start" });
  }

  // -- what is chosen

  choosing(on) {
    mark($("listing"), "choosing", on ? "1" : "");
    if (!on) this.choose([]);
  }

  pick(key, on) {
    if (on) this.picked.add(key);
    else this.picked.delete(key);
    this.showPicked();
  }

  choose(keys) {
    this.picked = new Set(keys);
    this.showPicked();
  }

  chosen() {
    return this.rooms.filter((room) => this.picked.has(keyOf(room)));
  }

  showPicked() {
    for (const row of this.shown) row.box.checked = this.picked.has(keyOf(row.room));
    const all = this.shown.length > 0 && this.shown.every((row) => row.box.checked);
    $("all").checked = all;
    $("all").indeterminate = !all && this.picked.size > 0;
    this.onChosen();
  }

  // -- what is shown

  // `facts`: now and started, in seconds.
  set(rooms, facts) {
    // Put in order of their names once, so that every other order is quick.
    this.rooms = [...rooms].sort((one, other) => natural(one.name, other.name) || natural(one.platform, other.platform));
    this.ranks = new Map(this.rooms.map((room, rank) => [room, rank]));
    this.facts = facts;
    const keys = new Set(rooms.map(keyOf));
    for (const key of this.rows.keys()) if (!keys.has(key)) this.rows.delete(key);
    const before = this.picked.size;
    for (const key of this.picked) if (!keys.has(key)) this.picked.delete(key);
    this.draw();
    if (this.picked.size !== before) this.showPicked();
  }

  // What is known of one room by now.
  update(room) {
    const at = this.rooms.findIndex((each) => keyOf(each) === keyOf(room));
    if (at < 0) return;
    this.ranks.set(room, this.ranks.get(this.rooms[at]));
    this.rooms[at] = room;
    this.draw();
  }

  tick(now) {
    this.facts.now = now;
    for (const row of this.shown) row.tick(now);
  }

  matching() {
    const text = $("filter").value.trim().toLowerCase();
    const only = $("only-problems").checked;
    return this.rooms.filter((room) => (!only || troubled(room)) && (!text || keyOf(room).includes(text)));
  }

  sorted(rooms) {
    const value = VALUES[this.sort];
    const sign = this.down ? -1 : 1;
    if (this.sort === "name") return this.down ? rooms.reverse() : rooms;
    return rooms
      .map((room) => [value(room), room])
      .sort(([a, one], [b, other]) => {
        if (a === b) return this.ranks.get(one) - this.ranks.get(other);
        if (a === null) return 1;
        if (b === null) return -1;
        return (a < b ? -1 : 1) * sign;
      })
      .map(([, room]) => room);
  }

  draw() {
    const found = this.matching();
    const pages = Math.max(1, Math.ceil(found.length / ON_A_PAGE));
    this.page = Math.min(Math.max(0, this.page), pages - 1);
    const from = this.page * ON_A_PAGE;
    this.shown = this.sorted(found).slice(from, from + ON_A_PAGE).map((room) => {
      const key = keyOf(room);
      let row = this.rows.get(key);
      if (!row) this.rows.set(key, (row = new Row(room, (...picked) => this.pick(...picked))));
      row.show(room, this.facts);
      row.box.checked = this.picked.has(key);
      return row;
    });
    const body = $("table");
    const nodes = this.shown.map((row) => row.node);
    if (nodes.length !== body.children.length || nodes.some((node, at) => node !== body.children[at])) {
      body.replaceChildren(...nodes);
    }
    this.label(found.length, from, pages);
  }

  label(found, from, pages) {
    const problems = this.rooms.filter(troubled).length;
    const shown = this.shown.length;
    say($("problem-count"), count(problems));
    mark($("problem-count"), "level", problems ? "warn" : "");
    const total = this.rooms.length;
    say($("shown"), found === total ? many(total, "room") : `${count(found)} of ${many(total, "room")}`);
    say($("page"), `${count(from + 1)} to ${count(from + shown)} of ${count(found)}`);
    $("pager").hidden = pages === 1;
    $("before").disabled = this.page === 0;
    $("after").disabled = this.page === pages - 1;
    $("nothing").hidden = shown > 0;
    say($("nothing"), total ? "No room is like that." : "There are no rooms. They are in chatlog.yaml, or are added with “Change rooms”.");
    for (const head of document.querySelectorAll("th[data-sort]")) {
      if (head.dataset.sort !== this.sort) head.removeAttribute("aria-sort");
      else head.setAttribute("aria-sort", this.down ? "descending" : "ascending");
    }
  }
}
