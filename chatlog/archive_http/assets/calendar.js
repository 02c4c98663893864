// One room: a month of days, each shaded by how much of it was recorded, with how much was said.

import { $, ask, element, say, switches } from "./base.js";
import { count, duration, many, share } from "./format.js";
import { dayName, dayOf, dayPage, DAY, monthName, path, query, roomApi, startOf } from "./places.js";
import { statement } from "./statements.js";

const [platform, name] = path();
const room = `${platform}/${name}`;
const WEEKDAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];

const cover = (coverage) => (coverage === null ? "unknown" : coverage >= 0.9999 ? "full" : coverage >= 0.9 ? "most" : "little");

// A day in words, for those who do not see the shade.
function words(row) {
  const said = row.records === null ? "not counted yet" : row.records ? many(row.records, "record") : "no records counted";
  const covered = row.coverage === null ? "coverage not known" : `${share(row.coverage)} recorded`;
  const missing = row.missing >= 1 ? `, ${duration(row.missing)} missing${row.reasons.length ? ` (${row.reasons.join(", ")})` : ""}` : "";
  return `${dayName(row.day)}: ${said}, ${covered}${missing}${row.finished ? "" : ", not over yet"}`;
}

// A day of which nothing is stored.
function emptyDay(day, facts, today) {
  if (day > today) return ["", "Not yet"];
  if (facts.ended && day > dayOf(new Date(facts.ended))) return ["", "Nobody records this room any more"];
  if (day === today) return ["nothing yet", "Nothing is stored of today yet"];
  return day < (facts.first ?? "9") ? ["", "Before this room was recorded"] : ["nothing", "Nothing is stored of this day"];
}

// What is seen of a day in figures is told in words.
function told(link, title, spoken) {
  for (const seen of link.children) seen.setAttribute("aria-hidden", "true");
  link.title = title;
  link.prepend(element("span", "hidden", spoken));
}

function cell(day, row, facts, today) {
  const made = element("td", row ? "" : "plain");
  const link = element("a");
  const number = element("span", "day", String(Number(day.slice(8))));
  link.append(number);
  link.href = dayPage(room, day);
  made.append(link);
  if (day === today) number.append(element("span", "", "today"));
  if (!row) {
    const [short, long] = emptyDay(day, facts, today);
    link.append(element("small", "", short));
    told(link, long, `${dayName(day)}: ${long}`);
    return made;
  }
  made.dataset.cover = cover(row.coverage);
  link.append(element("b", "", row.records ? count(row.records) : row.finished ? "–" : "…"));
  const covered = row.coverage === null ? "" : share(row.coverage);
  link.append(element("small", "", covered), element("small", "", row.missing >= 60 ? `${duration(row.missing)} missing` : ""));
  told(link, words(row), words(row));
  return made;
}

function weeks(facts) {
  const first = startOf(`${facts.month}-01`);
  const rows = new Map(facts.days.map((row) => [row.day, row]));
  const today = dayOf(new Date());
  const lines = [];
  let line = element("tr");
  const before = (new Date(first).getUTCDay() + 6) % 7;
  for (let at = 0; at < before; at += 1) line.append(element("td", "none"));
  for (let at = first; dayOf(new Date(at)).startsWith(facts.month); at += DAY) {
    const day = dayOf(new Date(at));
    if (line.children.length === 7) {
      lines.push(line);
      line = element("tr");
    }
    line.append(cell(day, rows.get(day), facts, today));
  }
  while (line.children.length < 7) line.append(element("td", "none"));
  return [...lines, line];
}

function step(text, month, label) {
  const made = element(month ? "a" : "span", "", text);
  if (month) {
    made.href = `?month=${month}`;
    made.setAttribute("aria-label", `${label}, ${monthName(month)}`);
  } else made.setAttribute("aria-hidden", "true");
  return made;
}

function draw(facts) {
  const at = facts.months.indexOf(facts.month);
  say($("month"), `${monthName(facts.month)}`);
  $("steps").replaceChildren(step("←", facts.months[at - 1], "Earlier"), step("→", at < 0 ? "" : facts.months[at + 1], "Later"));
  $("weekdays").replaceChildren(...WEEKDAYS.map((day) => {
    const made = element("th", "", day.slice(0, 2));
    made.scope = "col";
    made.abbr = day;
    return made;
  }));
  $("weeks").replaceChildren(...weeks(facts));
  $("months").replaceChildren(...[...facts.months].reverse().map((month) => {
    const link = element("a", "", monthName(month));
    link.href = `?month=${month}`;
    if (month === facts.month) link.setAttribute("aria-current", "page");
    return link;
  }));
  const records = facts.days.reduce((sum, row) => sum + row.records, 0);
  // Manifests count, once an hour.
  const counted = records || facts.days.every((row) => row.records !== null);
  const said = counted ? `${many(records, "record")} in ${monthName(facts.month)}` : `${monthName(facts.month)}: not counted yet`;
  const until = facts.ended ? `recorded from ${facts.first} to ${facts.ended.slice(0, 10)}, and not since` : `recorded since ${facts.first}`;
  const since = facts.first ? until : "";
  $("facts").replaceChildren(...[since, facts.kept ? `kept for ${facts.kept}` : "", said, "days are those of UTC", facts.id ? `id ${facts.id}` : ""].filter(Boolean).map((text) => element("span", "", text)));
  $("box").hidden = false;
  $("others").hidden = facts.months.length < 2;
}

async function look() {
  const month = new URLSearchParams(location.search).get("month");
  try {
    const facts = await ask(`${roomApi(room, "days")}?${query({ month })}`);
    if (facts.months.length) draw(facts);
    else statement($("statement"), "note", "Nothing is stored of this room yet", "What is recorded appears here as soon as its first file is stored.");
  } catch (error) {
    statement($("statement"), "bad", "This room cannot be shown", error.message);
  }
}

switches();
document.title = `${name} · Chatlog archive`;
say($("platform"), `${platform}/`);
say($("name"), name);
$("to-search").href = `/search?${query({ room })}`;
look();
