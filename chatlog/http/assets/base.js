// What every page needs: the few ways in which the document is touched, asking the server, light or dark, and
// the clock by which times are told. Whatever comes from a server becomes text, never markup.

import { dayAndTime, offset, sameDay, timeOfDay } from "./format.js";

export const $ = (id) => document.getElementById(id);

export function element(name, className = "", text = "") {
  const made = document.createElement(name);
  if (className) made.className = className;
  if (text !== "") made.textContent = text;
  return made;
}

// Written only where something changes, so that a quiet page does not repaint.
export function say(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

export function mark(node, key, value) {
  if (node.dataset[key] !== value) node.dataset[key] = value;
}

// A list of terms and what they are: [term, words, level?, share of a bar?]
export function describe(list, rows) {
  while (list.children.length > rows.length) list.lastElementChild.remove();
  rows.forEach(([term, words, level = "", filled = null], index) => {
    let row = list.children[index];
    if (!row) {
      row = element("div");
      row.append(element("dt"), element("dd"));
      row.lastElementChild.append(element("span"));
      list.append(row);
    }
    say(row.children[0], term);
    say(row.children[1].firstElementChild, words);
    mark(row, "level", level);
    const [, meter] = row.children[1].children;
    if (filled === null) {
      meter?.remove();
      return;
    }
    const bar = meter ?? row.children[1].appendChild(element("span", "meter"));
    bar.setAttribute("aria-hidden", "true");
    if (!bar.firstElementChild) bar.append(element("i"));
    bar.firstElementChild.style.width = `${Math.min(100, Math.max(0, filled * 100)).toFixed(1)}%`;
  });
}

// -- asking

async function answered(answer) {
  const found = await answer.json().catch(() => null);
  if (answer.ok) return found;
  const trouble = new Error(String(found?.error?.message ?? `HTTP ${answer.status}`));
  trouble.status = answer.status;
  trouble.code = found?.error?.code;
  throw trouble;
}

// GET as JSON. What has not changed since the last time is the same object as then. Throws where there is no
// answer, or one that is an error.
const known = new Map();
export async function ask(address) {
  const before = known.get(address);
  const headers = before ? { "If-None-Match": before.tag } : {};
  const answer = await fetch(address, { headers, cache: "no-store", signal: AbortSignal.timeout(10000) });
  if (before && answer.status === 304) return before.found;
  const found = await answered(answer);
  const tag = answer.headers.get("ETag");
  if (tag) known.set(address, { tag, found });
  return found;
}

// The header that shows a token. A header is made of bytes.
export const bearer = (token) => ({ Authorization: `Bearer ${String.fromCharCode(...new TextEncoder().encode(token))}` });

// Change something. Throws as `ask` does.
export async function send(method, address, token, value) {
  const options = { method, headers: bearer(token), cache: "no-store" };
  if (value !== undefined) options.body = JSON.stringify(value);
  let answer;
  try {
    answer = await fetch(address, { ...options, signal: AbortSignal.timeout(15000) });
  } catch {
    throw new Error("The recorder does not answer.");
  }
  return answered(answer);
}

// Where what was recorded is served, which listens on this: by the name that leads to this machine. Empty where
// there is nothing, where it answers this machine alone, or behind a proxy, where nobody can tell.
export function archiveOrigin(listen) {
  const [, host, port] = /^(.*):(\d+)$/.exec(listen ?? "") ?? [];
  const here = (name) => /^(?:localhost|127\..*|\[?::1\]?)$/.test(name);
  if (!port || location.protocol !== "http:" || (here(host) && !here(location.hostname))) return "";
  return `http:${"/".repeat(2)}${location.hostname}:${port}`;
}

// -- what is kept in this browser

export function kept(key, value) {
  try {
    if (value === undefined) return localStorage.getItem(`chatlog.${key}`) ?? "";
    localStorage.setItem(`chatlog.${key}`, value);
  } catch {
    // A browser that keeps nothing.
  }
  return value ?? "";
}

// -- light or dark

const system = matchMedia("(prefers-color-scheme: dark)");
const root = document.documentElement;
const onTheme = [];
export const isDark = () => (root.dataset.theme ? root.dataset.theme === "dark" : system.matches);

// To be called whenever it becomes light or dark.
export function whenThemeTurns(call) {
  onTheme.push(call);
}
const turned = () => onTheme.forEach((call) => call());
system.addEventListener("change", turned);

// -- the clock

let zone = kept("clock") === "utc" ? "UTC" : undefined;
const onClock = [];

// Instead of by the clock, times are told by this, where a page sets it: a date to words.
let teller = null;
export const clock = (date) => (teller ? teller(date) : timeOfDay(date, zone));
// With the date where it is not today's.
export const moment = (date) => (sameDay(date, new Date(), zone) ? clock(date) : dayAndTime(date, zone));
// With the name of the clock.
export const namedMoment = (date) => `${moment(date)}${zone ? " UTC" : ""}`;

// A point in time; it is told by the other clock when somebody turns to that.
export function timeElement(date, title) {
  const node = element("time", "", clock(date));
  if (!Number.isNaN(date.getTime())) node.dateTime = date.toISOString();
  node.title = title;
  return node;
}

// The zone of the clock as Intl has it; undefined for this machine's.
export const clockZone = () => zone;

function tellAgain() {
  for (const node of document.querySelectorAll("time[datetime]")) say(node, clock(new Date(node.dateTime)));
}

export function tellTimesBy(words) {
  teller = words;
  tellAgain();
}

export function whenClockTurns(call) {
  onClock.push(call);
}

// The two switches, which are on every page.
export function switches() {
  const theme = $("theme");
  theme.value = root.dataset.theme ?? "";
  theme.addEventListener("change", () => {
    if (theme.value) root.dataset.theme = theme.value;
    else delete root.dataset.theme;
    kept("theme", theme.value);
    turned();
  });
  const chosen = $("clock");
  chosen.options[0].textContent = `Local, ${offset()}`;
  chosen.value = zone ? "utc" : "";
  chosen.addEventListener("change", () => {
    zone = chosen.value ? "UTC" : undefined;
    kept("clock", chosen.value);
    tellAgain();
    onClock.forEach((call) => call());
  });
}
