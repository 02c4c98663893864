// The table of rooms: filter, order, pages. Rows are made once and changed where something changed.

import { $, age, count, element, many, mark, rate, say, share, sparkline } from "./format.js";

const ON_A_PAGE = 200;
const SVG = "http://www.w3.org/2000/svg";
const WORST_FIRST = ["refused", "silent", "wanted", "requested", "recorded"];
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

// Not recorded now, or missing for more than three minutes of the last hour.
export const troubled = (room) => room.state !== "recorded" || room.coverage_hour < 0.95;

class Row {
  constructor(room) {
    this.node = element("tr");
    this.state = element("td", "state");
    this.dot = element("span", "dot");
    this.dot.setAttribute("aria-hidden", "true");
    this.word = element("span", "word");
    this.state.append(this.dot, this.word);
    const name = element("th", "name");
    name.scope = "row";
    const link = element("a");
    link.href = `/rooms/${encodeURIComponent(room.platform)}/${encodeURIComponent(room.name)}`;
    link.append(element("span", "platform", `${room.platform}/`), element("bdi", "", room.name));
    this.reason = element("span", "reason");
    name.append(link, this.reason);
    this.rate = element("td", "number");
    const trend = element("td", "trend");
    this.spark = document.createElementNS(SVG, "svg");
    this.spark.setAttribute("class", "spark");
    this.spark.setAttribute("viewBox", "0 0 120 20");
    this.spark.setAttribute("preserveAspectRatio", "none");
    this.spark.setAttribute("aria-hidden", "true");
    trend.append(this.spark);
    this.last = element("td", "number");
    this.today = element("td", "number roomy");
    this.gaps = element("td", "number roomy");
    this.coverage = element("td", "number");
    this.node.append(this.state, name, this.rate, trend, this.last, this.today, this.gaps, this.coverage);
  }

  show(room, now, known) {
    mark(this.node, "state", room.state);
    say(this.word, room.state);
    say(this.reason, room.reason);
    say(this.rate, rate(room.rate));
    sparkline(this.spark, [...room.sparkline, room.rate], known);
    say(this.last, room.last === null ? "–" : age(now - room.last));
    say(this.today, count(room.records_today));
    say(this.gaps, room.gaps_today ? count(room.gaps_today) : "–");
    mark(this.gaps, "level", room.gaps_today ? "warn" : "");
    say(this.coverage, share(room.coverage_today));
    mark(this.coverage, "level", room.coverage_today < 0.95 ? "bad" : room.coverage_today < 1 ? "warn" : "");
  }
}

export class Rooms {
  constructor() {
    this.rooms = [];
    this.rows = new Map();
    this.now = 0;
    this.known = 0;
    this.page = 0;
    this.sort = "state";
    this.down = false;
    this.read();
    $("filter").addEventListener("input", () => this.changed());
    $("only-problems").addEventListener("change", () => this.changed());
    $("before").addEventListener("click", () => this.turn(-1));
    $("after").addEventListener("click", () => this.turn(1));
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
    this.sort = wanted.get("sort") in VALUES ? wanted.get("sort") : "state";
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
  }

  set(rooms, now, known) {
    this.rooms = rooms;
    this.known = known;
    const keys = new Set(rooms.map((room) => `${room.platform}/${room.name}`));
    for (const key of this.rows.keys()) if (!keys.has(key)) this.rows.delete(key);
    this.tick(now);
  }

  tick(now) {
    this.now = now;
    this.draw();
  }

  matching() {
    const text = $("filter").value.trim().toLowerCase();
    const only = $("only-problems").checked;
    return this.rooms.filter(
      (room) => (!only || troubled(room)) && (!text || `${room.platform}/${room.name}`.includes(text)),
    );
  }

  sorted(rooms) {
    const value = VALUES[this.sort];
    const sign = this.down ? -1 : 1;
    const byName = (a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : a.platform < b.platform ? -1 : 1);
    return rooms
      .map((room) => [value(room), room])
      .sort(([a, one], [b, other]) => {
        if (a === b) return byName(one, other) * (this.sort === "name" ? sign : 1);
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
    const shown = this.sorted(found).slice(from, from + ON_A_PAGE);
    const nodes = shown.map((room) => {
      const key = `${room.platform}/${room.name}`;
      let row = this.rows.get(key);
      if (!row) this.rows.set(key, (row = new Row(room)));
      row.show(room, this.now, this.known);
      return row.node;
    });
    const body = $("table");
    if (nodes.length !== body.children.length || nodes.some((node, at) => node !== body.children[at])) {
      body.replaceChildren(...nodes);
    }
    this.label(found.length, from, shown.length, pages);
  }

  label(found, from, shown, pages) {
    const problems = this.rooms.filter(troubled).length;
    say($("problem-count"), count(problems));
    mark($("problem-count"), "level", problems ? "bad" : "");
    const total = this.rooms.length;
    say($("shown"), found === total ? many(total, "room") : `${count(found)} of ${many(total, "room")}`);
    say($("page"), `${count(from + 1)} to ${count(from + shown)} of ${count(found)}`);
    $("pager").hidden = pages === 1;
    $("before").disabled = this.page === 0;
    $("after").disabled = this.page === pages - 1;
    $("nothing").hidden = shown > 0;
    say($("nothing"), total ? "No room is like that." : "There are no rooms. They are in chatlog.yaml, or are added with “chatlog rooms add”.");
    for (const head of document.querySelectorAll("th[data-sort]")) {
      if (head.dataset.sort !== this.sort) head.removeAttribute("aria-sort");
      else head.setAttribute("aria-sort", this.down ? "descending" : "ascending");
    }
  }
}
