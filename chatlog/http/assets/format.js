// Numbers, times and sizes for people, and the few ways in which the pages touch the document. Whatever
// comes from a server becomes text, never markup.

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });

export const count = (value) => whole.format(value ?? 0);

export function many(value, one, more = `${one}s`) {
  return `${count(value)} ${value === 1 ? one : more}`;
}

// Messages a minute: a decimal only where it says something.
export function rate(value) {
  if (!value) return "0";
  return value < 10 ? value.toFixed(1).replace(/\.0$/, "") : count(value);
}

export function size(bytes) {
  let amount = bytes ?? 0;
  for (const unit of ["B", "KB", "MB", "GB"]) {
    if (amount < 999.5) return `${amount.toFixed(unit === "B" || amount >= 99.95 ? 0 : 1)} ${unit}`;
    amount /= 1000;
  }
  return `${amount.toFixed(1)} TB`;
}

export function duration(seconds) {
  const s = Math.max(0, seconds ?? 0);
  if (s < 0.995) return `${(s * 1000).toFixed(0)} ms`;
  if (s < 9.95) return `${s.toFixed(1)} s`;
  if (s < 100) return `${s.toFixed(0)} s`;
  if (s < 6000) return `${(s / 60).toFixed(0)} min`;
  if (s < 172800) return `${(s / 3600).toFixed(1)} h`;
  return `${(s / 86400).toFixed(0)} days`;
}

export function age(seconds) {
  return seconds < 10 ? "now" : duration(seconds);
}

// A share is never rounded up to the whole: 100 % means that nothing is missing.
export function share(part) {
  if (part >= 1) return "100 %";
  return `${(Math.floor(Math.max(0, part) * 10000) / 100).toFixed(2)} %`;
}

const hourly = new Intl.DateTimeFormat("en", {
  hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23",
});
export const clock = (date) => (Number.isNaN(date.getTime()) ? "" : hourly.format(date));

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
      list.append(row);
    }
    say(row.children[0], term);
    say(row.children[1], words);
    mark(row, "level", level);
    let meter = row.children[2];
    if (filled === null) {
      meter?.remove();
      return;
    }
    if (!meter) {
      meter = element("div", "meter");
      meter.setAttribute("aria-hidden", "true");
      meter.append(element("i"));
      row.append(meter);
    }
    meter.firstElementChild.style.width = `${Math.min(100, Math.max(0, filled * 100)).toFixed(1)}%`;
  });
}

// Messages a minute over an hour as an area, the present minute last; of the time before the recorder began,
// when only `known` minutes are, there is nothing. Quiet rooms look quiet: the scale never ends below ten.
export function sparkline(svg, minutes, known = minutes.length) {
  const [, , width, height] = svg.getAttribute("viewBox").split(" ").map(Number);
  const first = minutes.length - Math.min(minutes.length, Math.max(2, known));
  const most = Math.max(10, ...minutes.slice(first));
  const step = width / Math.max(1, minutes.length - 1);
  const points = minutes.slice(first).map((value, at) => {
    const y = height - 1 - (value / most) * (height - 3);
    return `${((first + at) * step).toFixed(1)} ${y.toFixed(1)}`;
  });
  const line = `M${points.join("L")}`;
  const area = `${line}L${width} ${height}L${(first * step).toFixed(1)} ${height}Z`;
  ["area", "line"].forEach((kind, index) => {
    let path = svg.children[index];
    if (!path) {
      path = document.createElementNS("http://www.w3.org/2000/svg", "path");
      path.setAttribute("class", kind);
      svg.append(path);
    }
    const drawn = index ? line : area;
    if (path.getAttribute("d") !== drawn) path.setAttribute("d", drawn);
  });
}

// GET as JSON. What has not changed since the last time is the same object as then. Throws where there is no
// answer, or one that is an error.
const known = new Map();
export async function ask(address) {
  const before = known.get(address);
  const headers = before ? { "If-None-Match": before.tag } : {};
  const answer = await fetch(address, { headers, cache: "no-store", signal: AbortSignal.timeout(10000) });
  if (before && answer.status === 304) return before.found;
  const found = await answer.json();
  if (!answer.ok) {
    const trouble = new Error(String(found?.error?.message ?? `HTTP ${answer.status}`));
    trouble.status = answer.status;
    throw trouble;
  }
  const tag = answer.headers.get("ETag");
  if (tag) known.set(address, { tag, found });
  return found;
}
