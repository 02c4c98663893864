// A list of which only what can be seen is in the document, with any place at hand.
//
// It is made of stretches: { from, to, count } with `rows` once they were fetched. A row is { at, ... }, its time in
// milliseconds. Heights are guessed until a row was drawn once. What is at the top of the window stays where it is,
// whatever turns out to be higher above it.

import { element } from "./base.js";

// Pixels above and below the window that are drawn, and that are fetched.
const BEYOND = 700;
const AHEAD = 2500;
const KEPT = 40;
// No browser draws elements that are higher than this.
const HIGHEST = 8e6;

export class VirtualList {
  // `draw(row)` makes a row's element, `fetch(stretch, signal)` gives the rows of a stretch. `moved()` is called
  // when something else is at the top, `failed(error)` when rows cannot be fetched.
  constructor(box, { draw, fetch, moved, failed }) {
    this.box = box;
    this.draw = draw;
    this.fetch = fetch;
    this.moved = moved;
    this.failed = failed;
    this.stretches = [];
    this.before = 0;
    this.guess = 24;
    this.guessed = false;
    this.nodes = new Map();
    this.loading = new Map();
    this.list = element("ol");
    this.size = element("div");
    this.size.append(this.list);
    box.replaceChildren(this.size);
    box.classList.add("virtual");
    let asked = false;
    this.soon = () => {
      if (asked) return;
      asked = true;
      requestAnimationFrame(() => {
        asked = false;
        this.render();
      });
    };
    box.addEventListener("scroll", this.soon, { passive: true });
    new ResizeObserver(() => this.resized()).observe(box);
  }

  // -- what is in it

  // Show these stretches instead. What is on the page stays until the rows at `place` are there.
  async show(stretches, place) {
    const name = ({ from, to, count }) => `${from} ${to} ${count}`;
    const known = new Map(this.stretches.filter(({ rows }) => rows).map((stretch) => [name(stretch), stretch]));
    for (const stretch of stretches) {
      // What was fetched already and is still the same.
      const { rows, heights } = (!stretch.rows && known.get(name(stretch))) || stretch;
      Object.assign(stretch, { rows, heights });
      this.prepare(stretch);
    }
    const turn = (this.turn = { place });
    const [first] = this.find(stretches, place);
    if (first) await this.needed(first).catch(() => {});
    if (turn !== this.turn) return;
    if (turn.place !== place) await this.needed(this.find(stretches, turn.place)[0]).catch(() => {});
    if (turn !== this.turn) return;
    for (const [stretch, { stop }] of this.loading) if (!stretches.includes(stretch)) stop.abort();
    this.stretches = stretches;
    this.clear();
    this.measure();
    this.turn = null;
    // Whoever has asked for another place meanwhile is led there.
    await this.jump(turn.place);
  }

  prepare(stretch) {
    stretch.rows ??= null;
    stretch.heights ??= null;
    if (stretch.rows && !stretch.heights) stretch.heights = new Float64Array(stretch.rows.length).fill(this.guess);
    stretch.height = stretch.heights ? stretch.heights.reduce((sum, each) => sum + each, 0) : stretch.count * this.guess;
  }

  clear() {
    for (const node of this.nodes.values()) node.remove();
    this.nodes.clear();
  }

  // Draw everything anew: what rows look like has changed.
  redraw() {
    const anchor = this.anchor();
    this.clear();
    this.render(anchor);
  }

  resized() {
    const width = this.box.clientWidth;
    if (width === this.width) return this.soon();
    this.width = width;
    this.guessed = false;
    const anchor = this.anchor();
    for (const stretch of this.stretches) {
      if (stretch.heights) stretch.heights.fill(this.guess);
      this.prepare(stretch);
    }
    this.measure();
    return this.render(anchor);
  }

  measure() {
    let top = 0;
    for (const stretch of this.stretches) {
      stretch.top = top;
      top += stretch.height;
    }
    this.total = top;
    // Beyond what a browser can draw, a pixel of the scroll bar is several of the list.
    this.scale = Math.max(1, top / HIGHEST);
    this.size.style.height = `${Math.ceil(top / this.scale)}px`;
  }

  get top() {
    return this.box.scrollTop * this.scale;
  }

  // -- places

  // The stretch of a place, { at, id? }, and its number: [stretch, number].
  find(stretches, place) {
    let low = 0;
    let high = stretches.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (stretches[middle].from <= place.at) low = middle;
      else high = middle - 1;
    }
    return [stretches[low], low];
  }

  rowAt(stretch, place) {
    const rows = stretch.rows;
    const same = place.id ? rows.findIndex((row) => row.id === place.id) : -1;
    if (same >= 0) return same;
    const later = rows.findIndex((row) => row.at >= place.at);
    return later < 0 ? Math.max(0, rows.length - 1) : later;
  }

  // Go to a place and fetch what is there first; the row there, or null. `part` of the window lies above it.
  async jump(place, part = 0) {
    if (this.turn) this.turn.place = place;
    if (!this.stretches.length) return null;
    let [stretch, number] = this.find(this.stretches, place);
    const turn = (this.jumping = {});
    try {
      await this.needed(stretch);
      if (!stretch.rows.length && this.stretches[number + 1]) {
        stretch = this.stretches[number + 1];
        await this.needed(stretch);
      }
    } catch (error) {
      if (error.name !== "AbortError") this.failed(error);
      return null;
    }
    if (turn !== this.jumping || !stretch.rows || !this.stretches.includes(stretch)) return null;
    const row = this.rowAt(stretch, place);
    this.render({ stretch, row, offset: -Math.round(this.box.clientHeight * part) });
    return stretch.rows[row] ?? null;
  }

  // What is at the top of the window: { stretch, row, offset }, the pixels of the row that are above it.
  anchor() {
    const top = this.top;
    // A browser scrolls by whole pixels: what ends within the first of the window is not meant.
    const edge = top + 1;
    for (const stretch of this.stretches) {
      if (stretch.top + stretch.height <= edge || !stretch.height) continue;
      if (!stretch.rows) return { stretch, row: -1, offset: top - stretch.top };
      let at = stretch.top;
      for (let row = 0; row < stretch.rows.length; row += 1) {
        if (at + stretch.heights[row] > edge) return { stretch, row, offset: top - at };
        at += stretch.heights[row];
      }
    }
    return null;
  }

  // The time at the top of the window.
  timeAtTop() {
    const anchor = this.anchor();
    if (!anchor) return null;
    const { stretch, row, offset } = anchor;
    if (row >= 0) return stretch.rows[row].at;
    return stretch.from + (stretch.to - stretch.from) * Math.min(1, offset / stretch.height);
  }

  placeAtTop() {
    const anchor = this.anchor();
    if (!anchor) return null;
    const row = anchor.row >= 0 ? anchor.stretch.rows[anchor.row] : null;
    return row ? { at: row.at, id: row.id } : { at: this.timeAtTop() };
  }

  // Whether the end of the list can be seen.
  get atEnd() {
    return this.box.scrollHeight - this.box.scrollTop - this.box.clientHeight < 60;
  }

  // -- drawing

  topOf({ stretch, row, offset }) {
    let at = stretch.top;
    for (let each = 0; each < row; each += 1) at += stretch.heights[each];
    return at + offset;
  }

  render(anchor = this.anchor()) {
    if (!this.stretches.length) return;
    for (let tries = 0; tries < 4; tries += 1) {
      if (anchor) this.scrollTo(this.topOf(anchor));
      if (!this.place()) break;
      this.measure();
    }
    if (anchor) this.scrollTo(this.topOf(anchor));
    this.arrange();
    this.want();
    this.moved();
  }

  scrollTo(top) {
    const wanted = Math.max(0, Math.min(top / this.scale, this.total / this.scale - this.box.clientHeight));
    if (Math.abs(this.box.scrollTop - wanted) >= 1) this.box.scrollTop = wanted;
  }

  // The rows that can be seen, and some beyond: [row, its top] each.
  * visible() {
    const [from, to] = [this.top - BEYOND, this.top + this.box.clientHeight + BEYOND];
    for (const stretch of this.stretches) {
      if (stretch.top > to) return;
      if (stretch.top + stretch.height < from || !stretch.rows) continue;
      let at = stretch.top;
      for (let row = 0; row < stretch.rows.length && at <= to; row += 1) {
        if (at + stretch.heights[row] >= from) yield [stretch, row, at];
        at += stretch.heights[row];
      }
    }
  }

  // Put rows into the document; whether one of them is higher or lower than was thought.
  place() {
    const wanted = new Map();
    const fresh = [];
    for (const [stretch, number] of this.visible()) {
      const row = stretch.rows[number];
      let node = this.nodes.get(row);
      if (!node) {
        node = this.draw(row);
        fresh.push([stretch, number, node]);
      }
      wanted.set(row, node);
    }
    for (const [row, node] of this.nodes) {
      if (wanted.has(row)) continue;
      // Whoever was at it with the keyboard stays in the list.
      if (node.contains(document.activeElement)) this.box.focus({ preventScroll: true });
      node.remove();
    }
    this.nodes = wanted;
    let before = null;
    for (const node of wanted.values()) {
      const next = before ? before.nextSibling : this.list.firstChild;
      if (next !== node) this.list.insertBefore(node, next);
      before = node;
    }
    let changed = false;
    for (const [stretch, number, node] of fresh) {
      const height = node.offsetHeight;
      if (Math.abs(height - stretch.heights[number]) < 0.5) continue;
      stretch.height += height - stretch.heights[number];
      stretch.heights[number] = height;
      changed = true;
    }
    if (fresh.length > 20 && !this.guessed) this.learn(fresh);
    return changed;
  }

  // Guess better, once for each width of the window.
  learn(fresh) {
    this.guessed = true;
    this.guess = fresh.reduce((sum, [, , node]) => sum + node.offsetHeight, 0) / fresh.length;
    for (const stretch of this.stretches) if (!stretch.rows) this.prepare(stretch);
  }

  arrange() {
    const shift = this.top - this.box.scrollTop;
    for (const [stretch, number, top] of this.visible()) {
      const node = this.nodes.get(stretch.rows[number]);
      if (node) node.style.transform = `translateY(${Math.round(top - shift)}px)`;
    }
  }

  // -- fetching

  want() {
    const { top } = this;
    const [from, to] = [top - AHEAD, top + this.box.clientHeight + AHEAD];
    const near = (stretch) => stretch.top <= to && stretch.top + stretch.height >= from;
    for (const [stretch, { stop }] of this.loading) if (!near(stretch) && !stretch.needed) stop.abort();
    const go = () => {
      const missing = this.stretches.filter((stretch) => near(stretch) && !stretch.rows && !stretch.broken);
      const seen = missing.filter((stretch) => stretch.top < top + this.box.clientHeight && stretch.top + stretch.height > top);
      // What lies around is fetched when that is there: each time the next, the one behind first.
      const next = missing.find((stretch) => stretch.top > top) ?? missing.at(-1);
      const wanted = seen.length || !next || this.loading.size ? seen : [next];
      for (const stretch of wanted) this.load(stretch).catch((error) => this.trouble(stretch, error));
    };
    // Whoever drags the bar past a place does not want it.
    const fast = Math.abs(top - this.before) > 2 * this.box.clientHeight;
    this.before = top;
    clearTimeout(this.pause);
    if (fast) this.pause = setTimeout(go, 80);
    else go();
  }

  // The same for one that is on the way to be seen.
  async needed(stretch) {
    stretch.needed = true;
    try {
      await this.load(stretch);
    } finally {
      stretch.needed = false;
    }
  }

  trouble(stretch, error) {
    if (error.name === "AbortError") return;
    stretch.broken = true;
    setTimeout(() => {
      stretch.broken = false;
      this.soon();
    }, 5000);
    this.failed(error);
  }

  async load(stretch) {
    if (stretch.rows) return;
    const known = this.loading.get(stretch);
    if (known) return known.done;
    const stop = new AbortController();
    const done = this.fetch(stretch, stop.signal).then((rows) => this.loaded(stretch, rows)).finally(() => this.loading.delete(stretch));
    this.loading.set(stretch, { stop, done });
    return done;
  }

  loaded(stretch, rows) {
    const anchor = this.stretches.includes(stretch) ? this.anchor() : null;
    // A place within what was not fetched yet: as far into it as before.
    const share = anchor?.stretch === stretch && stretch.height ? anchor.offset / stretch.height : null;
    stretch.rows = rows;
    stretch.heights = null;
    this.prepare(stretch);
    if (!this.stretches.includes(stretch)) return;
    this.measure();
    if (share !== null && rows.length) {
      const row = Math.min(rows.length - 1, Math.floor(share * rows.length));
      this.render({ stretch, row, offset: 0 });
    } else this.render(anchor ?? undefined);
    this.forget();
  }

  // What is far away and can be fetched again.
  forget() {
    const there = this.stretches.filter((stretch) => stretch.rows && !stretch.kept);
    if (there.length <= KEPT) return;
    const top = this.top;
    there.sort((one, other) => Math.abs(other.top - top) - Math.abs(one.top - top));
    for (const stretch of there.slice(0, there.length - KEPT)) {
      stretch.rows = null;
      stretch.heights = null;
    }
  }
}
