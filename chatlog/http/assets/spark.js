// Messages a minute over an hour, as an area. Three things look different: nothing was said (a flat line), it
// was not recorded (a band from top to bottom), and nothing is known of that time (nothing at all).

import { element } from "./base.js";

const SVG = "http://www.w3.org/2000/svg";
const MINUTES = 60;
const HOUR = 3600;
// The part of a minute that has to be missing for it to count as such, if nothing was said in the rest.
const MISSING = 40;

export function newSpark(width, height) {
  const svg = document.createElementNS(SVG, "svg");
  for (const [name, value] of Object.entries({
    class: "spark", viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: "none", "aria-hidden": "true",
  })) svg.setAttribute(name, value);
  return svg;
}

function draw(svg, kind, path) {
  let node = svg.querySelector(`.${kind}`);
  if (!node) {
    node = document.createElementNS(SVG, "path");
    node.setAttribute("class", kind);
    svg.append(node);
  }
  if (node.getAttribute("d") !== path) node.setAttribute("d", path);
}

// Seconds of the minute before `at` that lie in one of the gaps.
function missing(gaps, at) {
  return gaps.reduce((sum, [from, to]) => sum + Math.max(0, Math.min(to, at) - Math.max(from, at - 60)), 0);
}

// `minutes` are the 60 whole ones and the present one. `gaps` are [from, to] in seconds of the same clock as
// `now`; before `since` nothing is known. Quiet rooms look quiet: the scale never ends below ten.
export function sparkline(svg, minutes, now, gaps = [], since = -Infinity) {
  const [, , width, height] = svg.getAttribute("viewBox").split(" ").map(Number);
  const step = width / (minutes.length - 1);
  const x = (time) => Math.min(width, Math.max(0, width * (1 - (now - time) / HOUR)));
  const holes = gaps.map(([from, to]) => [from, to ?? now]).filter(([, to]) => to > now - HOUR);
  const most = Math.max(10, ...minutes);
  const y = (value) => (height - 1 - (value / most) * (height - 3)).toFixed(1);
  let [line, area, run] = ["", "", []];
  const end = () => {
    if (run.length === 1) run.push([run[0][0] + step / 2, run[0][1]]);
    if (run.length) {
      const points = run.map(([at, value]) => `${at.toFixed(1)} ${y(value)}`).join("L");
      line += `M${points}`;
      area += `M${run[0][0].toFixed(1)} ${height}L${points}L${run.at(-1)[0].toFixed(1)} ${height}Z`;
    }
    run = [];
  };
  minutes.forEach((value, index) => {
    const at = now - (MINUTES - index) * 60;
    const unknown = at < since && index < MINUTES - 1;
    if (value === 0 && (unknown || missing(holes, at) >= MISSING)) end();
    else run.push([index * step, value]);
  });
  end();
  draw(svg, "gap", holes.map(([from, to]) => {
    const [left, right] = [x(from), x(to)];
    const wide = Math.max(right - left, width / 80);
    return `M${Math.min(left, width - wide).toFixed(1)} 0h${wide.toFixed(1)}v${height}h-${wide.toFixed(1)}Z`;
  }).join(""));
  draw(svg, "area", area);
  draw(svg, "line", line);
  return holes.reduce((sum, [from, to]) => sum + to - Math.max(from, now - HOUR), 0);
}

// What the three things look like, for those who wonder.
export function legend() {
  const list = element("p", "legend");
  for (const [kind, words] of [["said", "messages"], ["silent", "nothing said"], ["gap", "not recorded"], ["unknown", "not known"]]) {
    const key = element("i", kind);
    key.setAttribute("aria-hidden", "true");
    const item = element("span");
    item.append(key, words);
    list.append(item);
  }
  return list;
}
