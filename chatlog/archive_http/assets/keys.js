// The keys of a day.

import { $ } from "./base.js";

const TYPED = "input, select, textarea, dialog, summary";

export class Keys {
  constructor(day) {
    this.day = day;
    document.addEventListener("keydown", (event) => this.pressed(event));
    $("help").addEventListener("click", () => $("keys").showModal());
    $("keys-close").addEventListener("click", () => $("keys").close());
    document.addEventListener("click", ({ target }) => {
      for (const menu of document.querySelectorAll(".menu[open]")) if (!menu.contains(target)) menu.open = false;
    });
  }

  pressed(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    if (event.key === "Escape") return void this.escape(event);
    if (event.target.closest(TYPED)) return;
    const does = {
      j: () => this.step(1), k: () => this.step(-1), ArrowDown: () => this.step(1), ArrowUp: () => this.step(-1),
      g: () => this.go(0), G: () => this.go(1), Home: () => this.go(0), End: () => this.go(1),
      n: () => location.assign(this.day.days[1]), p: () => location.assign(this.day.days[0]),
      "/": () => $("filter").focus(), t: () => $("jump").focus(), "?": () => $("keys").showModal(),
      Enter: () => this.link(event),
    }[event.key];
    if (!does || does() === false) return;
    event.preventDefault();
  }

  escape(event) {
    const open = document.querySelector(".menu[open]");
    if (open) {
      open.open = false;
      open.querySelector("summary").focus();
    } else if (document.querySelector("dialog[open]")) return;
    else if (!this.day.escape() && event.target.closest("input")) event.target.blur();
  }

  // The next row, or the one before; the first that can be seen where none is chosen yet.
  step(by) {
    const { list } = this.day;
    const shown = [...list.nodes.keys()].filter((row) => row.record);
    const at = shown.indexOf(this.day.current());
    const top = list.box.scrollTop;
    const next = at < 0 ? shown.find((row) => row.at >= (list.timeAtTop() ?? 0)) : shown[at + by];
    if (!next) {
      list.box.scrollTop = top + by * 100;
      return;
    }
    this.day.choose(next);
    const node = list.nodes.get(next);
    const [box, row] = [list.box.getBoundingClientRect(), node.getBoundingClientRect()];
    if (row.top < box.top + 30) list.box.scrollTop -= box.top + 30 - row.top;
    if (row.bottom > box.bottom - 30) list.box.scrollTop += row.bottom - box.bottom + 30;
    node.querySelector(".when")?.focus({ preventScroll: true });
  }

  async go(end) {
    this.day.choose(null);
    await this.day.go({ at: this.day.ends[end] });
    if (end) this.day.list.box.scrollTop = this.day.list.box.scrollHeight;
  }

  link(event) {
    const row = this.day.current();
    if (!row || event.target.closest("a, button")) return false;
    this.day.link(row);
    return true;
  }
}
