"use strict";
// Everything that comes from outside is put on the page as text, never as markup.

function make(tag, text, className) {
  const element = document.createElement(tag);
  if (text !== undefined && text !== null) element.textContent = text;
  if (className) element.className = className;
  return element;
}

function byId(id) { return document.getElementById(id); }

function size(bytes) {
  const units = ["B", "KB", "MB", "GB", "TB"];
  let n = bytes, i = 0;
  while (n >= 1000 && i < units.length - 1) { n /= 1000; i += 1; }
  return (i && n < 100 ? n.toFixed(1) : Math.round(n)) + " " + units[i];
}

function age(seconds) {
  if (seconds === null || seconds === undefined) return "–";
  const s = Math.max(0, Math.round(seconds));
  if (s < 60) return s + " s";
  if (s < 3600) return Math.floor(s / 60) + " min";
  if (s < 86400) return Math.floor(s / 3600) + " h " + Math.floor(s % 3600 / 60) + " min";
  return Math.floor(s / 86400) + " d " + Math.floor(s % 86400 / 3600) + " h";
}

function number(n) { return n.toLocaleString("en"); }

function share(part) {
  // Never rounded up to a whole that it is not.
  if (part >= 1) return "100 %";
  return (Math.floor(part * 10000) / 100).toFixed(part > 0.99 ? 2 : 1) + " %";
}

function state(word, good) { return make("span", word, "state" + (good ? " recorded" : "")); }

function facts(list, pairs) {
  const rows = [];
  for (const [term, value] of pairs) rows.push(make("dt", term), make("dd", value));
  list.replaceChildren(...rows);
}

function words(id, text) {
  const place = byId(id);
  place.textContent = text;
  place.hidden = !text;
}

const SVG = "http://www.w3.org/2000/svg";
function spark(values) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", "spark");
  svg.setAttribute("viewBox", "0 0 " + values.length + " 20");
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("aria-hidden", "true");
  const most = Math.max(1, ...values);
  let path = "";
  values.forEach((value, i) => {
    const height = value ? Math.max(1, value / most * 20) : 0;
    if (height) path += "M" + i + " 20v-" + height.toFixed(1) + "h.8v" + height.toFixed(1) + "z";
  });
  const shape = document.createElementNS(SVG, "path");
  shape.setAttribute("d", path);
  svg.append(shape);
  return svg;
}
