// A day as a strip: how much was said when, what is missing, and where one is. A click, a drag or the arrow keys
// lead to a time.

import { $, clock, element } from "./base.js";
import { duration } from "./format.js";
import { DAY } from "./places.js";

const SVG = "http://www.w3.org/2000/svg";
const [WIDE, HIGH] = [720, 46];
const HOURS = 3;

const shape = (name, kind, more) => {
  const made = document.createElementNS(SVG, name);
  made.setAttribute("class", kind);
  for (const [key, value] of Object.entries(more)) made.setAttribute(key, value);
  return made;
};

// The counts of every so many minutes.
function summed(counts, per) {
  const found = [];
  for (let at = 0; at < counts.length; at += per) found.push(counts.slice(at, at + per).reduce((sum, each) => sum + each, 0));
  return found;
}

function area(counts, most) {
  const step = WIDE / counts.length;
  const y = (value) => (HIGH - (value / most) * (HIGH - 4)).toFixed(1);
  const points = counts.map((value, at) => `${(at * step).toFixed(1)} ${y(value)}L${((at + 1) * step).toFixed(1)} ${y(value)}`);
  return `M0 ${HIGH}L${points.join("L")}L${WIDE} ${HIGH}Z`;
}

export class Strip {
  // `go(milliseconds)` is called for a time.
  constructor(box, go) {
    this.box = box;
    this.go = go;
    this.from = 0;
    this.at = 0;
    this.svg = document.createElementNS(SVG, "svg");
    this.svg.setAttribute("viewBox", `0 0 ${WIDE} ${HIGH}`);
    this.svg.setAttribute("preserveAspectRatio", "none");
    this.svg.setAttribute("aria-hidden", "true");
    this.here = element("span", "here");
    box.replaceChildren(this.svg, this.here);
    const timeOf = (event) => {
      const { left, width } = box.getBoundingClientRect();
      return this.from + DAY * Math.min(0.99999, Math.max(0, (event.clientX - left) / width));
    };
    box.addEventListener("pointerdown", (event) => {
      box.setPointerCapture(event.pointerId);
      this.go(timeOf(event));
    });
    box.addEventListener("pointermove", (event) => event.buttons && this.go(timeOf(event)));
    box.addEventListener("keydown", (event) => this.key(event));
  }

  key(event) {
    const steps = { ArrowLeft: -1, ArrowRight: 1, ArrowDown: -1, ArrowUp: 1, PageDown: -6, PageUp: 6 };
    const to = event.key === "Home" ? this.from : event.key === "End" ? this.from + DAY - 1 : steps[event.key] && this.at + steps[event.key] * 600000;
    if (to === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    event.stopPropagation();
    this.go(Math.min(this.from + DAY - 1, Math.max(this.from, to)));
  }

  show(timeline, hits = null) {
    this.from = Date.parse(timeline.from);
    const counts = summed(timeline.counts, 2);
    const x = (time) => (WIDE * (time - this.from)) / DAY;
    const nodes = [shape("path", "area", { d: area(counts, Math.max(10, ...counts)) })];
    const later = Math.max(this.from, Math.min(Date.now(), this.from + DAY));
    if (later < this.from + DAY) nodes.push(shape("rect", "later", { x: x(later), y: 0, width: WIDE - x(later), height: HIGH }));
    for (const gap of timeline.gaps) {
      const [left, right] = [x(Date.parse(gap.from)), x(Date.parse(gap.to))];
      const made = shape("rect", "gap", { x: left.toFixed(1), y: 0, width: Math.max(1.5, right - left).toFixed(1), height: HIGH });
      const words = document.createElementNS(SVG, "title");
      words.textContent = `not recorded for ${duration(gap.seconds)}: ${gap.reason}`;
      made.append(words);
      nodes.push(made);
    }
    if (hits) {
      const found = summed(hits.counts, 4);
      const step = WIDE / found.length;
      found.forEach((count, at) => count && nodes.push(shape("rect", "hits", { x: (at * step).toFixed(1), y: HIGH - 8, width: Math.max(2, step - 0.5).toFixed(1), height: 8 })));
    }
    this.svg.replaceChildren(...nodes);
    this.hours();
  }

  hours() {
    for (const old of this.box.querySelectorAll(".hour")) old.remove();
    for (let hour = 0; hour < 24; hour += HOURS) {
      const made = element("span", hour ? `hour ${hour % 6 ? "odd" : ""}` : "hour first", clock(new Date(this.from + hour * 3600000)).slice(0, -3));
      made.setAttribute("aria-hidden", "true");
      made.style.left = `${(hour / 24) * 100}%`;
      this.box.append(made);
    }
  }

  // Where one is.
  mark(at) {
    if (at === null) return;
    this.at = at;
    this.here.style.left = `${(Math.min(1, Math.max(0, (at - this.from) / DAY)) * 100).toFixed(2)}%`;
    this.box.setAttribute("aria-valuenow", String(Math.floor((at - this.from) / 60000)));
    this.box.setAttribute("aria-valuetext", clock(new Date(at)));
  }
}

export const strip = (go) => new Strip($("strip"), go);
