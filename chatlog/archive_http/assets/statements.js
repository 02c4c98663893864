// Why there is nothing to see, in a heading and a sentence; and how good a coverage is.

import { element } from "./base.js";

// The reasons of the gaps in which nobody recorded a room, beside that of the time before all.
export const NO_LONGER = "after the last recording";
export const BETWEEN = "between two recordings";

export function statement(box, level, text, words, code = "") {
  box.hidden = false;
  box.dataset.level = level;
  const more = element("p", "", words);
  if (code) more.append(" ", element("code", "", code), ".");
  box.replaceChildren(element("h2", "", text), more);
}

// Of a share that was recorded: "" is all of it.
export const coverLevel = (coverage) => (coverage >= 0.9999 ? "" : coverage >= 0.9 ? "warn" : "bad");

// Files that could not be read, each with its sentence.
export function damage(box, files) {
  box.hidden = !files.length;
  const items = files.slice(0, 20).map(({ text }) => element("li", "", text));
  if (files.length > 20) items.push(element("li", "", `and ${files.length - 20} more`));
  box.replaceChildren(...items);
}
