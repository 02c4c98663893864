// All rooms of the archive, with how much was said in them lately and how much of it was recorded.

import { $, ask, element, say, switches } from "./base.js";
import { count, many, share } from "./format.js";
import { API, roomPage } from "./places.js";
import { coverLevel, statement } from "./statements.js";

const PAGE = 1000;
const SHOWN = 200;
let rooms = [];
let days = [];
let shown = SHOWN;

// Records and share of what was recorded over the days.
function sums(room) {
  const known = room.days.filter(Boolean);
  const records = known.length ? known.reduce((sum, [each]) => sum + each, 0) : null;
  const covered = known.filter(([, coverage]) => coverage !== null);
  const coverage = covered.length ? covered.reduce((sum, [, each]) => sum + each, 0) / covered.length : null;
  return { records, coverage };
}

function week(room) {
  const most = Math.max(1, ...room.days.map((day) => day?.[0] ?? 0));
  const made = element("span", "week");
  made.setAttribute("aria-hidden", "true");
  for (const day of room.days) {
    const bar = element("i");
    bar.dataset.level = day === null || day[1] === null ? "none" : coverLevel(day[1]);
    bar.style.height = `${Math.round(((day?.[0] ?? 0) / most) * 26)}px`;
    made.append(bar);
  }
  return made;
}

function row(room) {
  const item = element("li");
  const name = `${room.platform}/${room.name}`;
  const link = element("a");
  link.href = roomPage(name);
  const platform = element("span", "quiet", `${room.platform}/`);
  link.append(platform, element("wbr"), element("bdi", "", room.name));
  const { records, coverage } = sums(room);
  const covered = element("span", "number", coverage === null ? "" : `${share(coverage)}`);
  covered.dataset.level = coverage === null ? "" : coverLevel(coverage);
  item.append(link, element("span", "number", records === null ? "not counted yet" : count(records)), covered, week(room));
  return item;
}

function draw() {
  const text = $("filter").value.trim().toLowerCase().replace(/^#/, "");
  const found = rooms.filter((room) => `${room.platform}/${room.name}`.includes(text));
  const head = element("li", "legend-row");
  const of = days.length > 1 ? `, last ${days.length} days` : "";
  head.append(element("span", "", found.length === rooms.length ? many(rooms.length, "room") : `${count(found.length)} of ${many(rooms.length, "room")}`), element("span", "number", `messages${of}`), element("span", "number", "recorded"), element("span", "", "day by day"));
  $("list").replaceChildren(head, ...found.slice(0, shown).map(row));
  $("more").hidden = found.length <= shown;
  say($("more"), `Show ${count(Math.min(SHOWN, found.length - shown))} more`);
}

async function look() {
  try {
    for (let matching = 1; rooms.length < matching; ) {
      const page = await ask(`${API}/overview?limit=${PAGE}&offset=${rooms.length}`);
      matching = page.rooms.length ? page.matching : rooms.length;
      days = page.days;
      rooms = [...rooms, ...page.rooms];
    }
  } catch (error) {
    statement($("statement"), "bad", "The archive cannot be read at present", `${error.message}. Load this page again in a while.`);
    return;
  }
  if (!rooms.length) {
    statement($("statement"), "note", "Nothing is in this archive yet", "As soon as a recorder has stored something here, its rooms are listed. Add rooms to its configuration (twitch.channels, kick.channels) or on its page; what was recorded before with other programs comes in with", "chatlog import");
    return;
  }
  $("rooms").hidden = false;
  say($("facts"), days.length ? `The figures are of ${days[0]} to ${days.at(-1)} (days of UTC). They come with the manifests, once an hour.` : "");
  draw();
}

switches();
$("filter").addEventListener("input", () => {
  shown = SHOWN;
  draw();
});
$("filter").addEventListener("keydown", ({ key }) => {
  const first = $("list").querySelector("a");
  if (key === "Enter" && first) location.assign(first.href);
});
$("more").addEventListener("click", () => {
  shown += SHOWN;
  draw();
});
document.addEventListener("keydown", (event) => {
  if (event.key !== "/" || event.ctrlKey || event.metaKey || event.target.closest("input, select")) return;
  event.preventDefault();
  $("filter").focus();
});
look();
