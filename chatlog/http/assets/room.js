// One room: how it is, and its chat as it is recorded, over server-sent events. While nobody looks at the
// page, the recorder is not asked for anything.

import { $, archiveOrigin, ask, element, mark, say, switches } from "./base.js";
import { Earlier } from "./earlier.js";
import { age, count, duration, many, rate, share, STATES } from "./format.js";
import { Headline } from "./headline.js";
import { permalink, personPage, roomPage } from "./places.js";
import { isSaid, line, takesBack } from "./records.js";
import { sparkline } from "./spark.js";
import { acknowledge, askForToken, canBeAcknowledged } from "./token.js";

const EVERY = 5000;
const LINES = 500;
// While somebody reads what was said earlier.
const MOST_LINES = 4000;
// What is on the page without what was said earlier, if there is so little of it.
const FEW = 30;
const RETRY = 15000;

const [platform, name] = location.pathname.split("/").slice(2).map((part) => {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
});
const address = `/api/v1/rooms/${encodeURIComponent(platform)}/${encodeURIComponent(name)}`;
const log = $("log");
const lines = $("lines");

// -- how the recorder and the room are

let status = null;
let room = null;
const headline = new Headline((lost) => lost && room && facts());

function facts() {
  const now = (status?.now ?? Date.now() / 1000) + headline.late;
  const words = [
    [STATES[room.state] ?? room.state, room.state === "recorded" ? "good" : room.acknowledged ? "" : "bad"],
    [`${rate(room.rate)} messages a minute`],
    [`${share(room.coverage_today)} of today covered`, room.coverage_today < 1 ? "warn" : ""],
    room.gaps_today ? [`${many(room.gaps_today, "gap")} today`, "warn"] : [room.coverage_today < 1 ? "" : "no gaps today"],
    [`${many(room.records_today, "record")} today`],
    [room.last === null ? "nothing said yet" : `latest ${age(now - room.last)}${now - room.last < 10 ? "" : " ago"}`],
    [room.id ? `id ${room.id}` : ""],
  ];
  $("facts").replaceChildren(...words.filter(([text]) => text).map(([text, level = ""]) => {
    const part = element("span", "", text);
    part.dataset.level = level;
    return part;
  }));
  const since = room.state === "recorded" ? "" : `${room.state === "unwritten" ? "Not written" : "Not recorded"} for ${duration(now - room.since)}`;
  $("trouble").hidden = !since;
  say($("trouble"), `${since}${room.reason ? `: ${room.reason}` : ""}${room.acknowledged ? " (acknowledged)" : ""}${room.remedy ? `. ${room.remedy}` : ""}`);
  $("acknowledge").hidden = !canBeAcknowledged(room) && !room.acknowledged;
  say($("acknowledge"), room.acknowledged ? "Take back acknowledgement" : "Acknowledge");
  const began = Math.max(status?.started ?? 0, room.first ?? 0);
  sparkline($("hour"), [...room.sparkline, room.rate], now, room.gaps_hour ?? [], began);
}

function gone() {
  room = null;
  $("facts").replaceChildren();
  $("acknowledge").hidden = true;
  $("trouble").hidden = false;
  say($("trouble"), "This room is not recorded any more.");
}

let timer = 0;
async function look() {
  clearTimeout(timer);
  if (document.hidden) return;
  try {
    const found = ask(address).catch((error) => (error.status === 404 ? null : Promise.reject(error)));
    [status, room] = await Promise.all([ask("/api/v1/status"), found]);
    headline.heard(status);
    showArchive(archiveOrigin(status.archive));
    document.title = `${name} · Chatlog`;
    if (room) facts();
    else gone();
  } catch (error) {
    headline.failed(error);
  }
  clearTimeout(timer);
  timer = setTimeout(look, EVERY);
}

$("acknowledge").addEventListener("click", async () => {
  if (!(await askForToken())) return;
  try {
    await acknowledge({ platform, name }, !room.acknowledged);
    await look();
  } catch (error) {
    say($("trouble"), `It could not be acknowledged: ${error.message}`);
  }
});

// -- what was recorded of it

const earlier = new Earlier(`${platform}/${name}`);

function showArchive(origin) {
  if (earlier.origin === origin) return;
  earlier.origin = origin;
  $("recorded").hidden = !origin;
  $("recorded").href = `${origin}${roomPage(earlier.room)}`;
  $("earlier").hidden = !origin;
  // After a rotation there is little or nothing in the file that is written.
  setTimeout(() => lines.children.length < FEW && readEarlier(), 400);
}

const links = (record) => earlier.origin ? {
  profile: `${earlier.origin}${personPage(platform, record, earlier.room)}`,
  permalink: `${earlier.origin}${permalink(earlier.room, record)}`,
} : {};

let reading = false;
async function readEarlier() {
  if (reading || earlier.ended) return;
  reading = true;
  say($("earlier"), "Looking for what was said earlier");
  const first = [...lines.children].find((each) => about.get(each)?.time);
  try {
    const found = (await earlier.more(about.get(first)?.time)) ?? [];
    const there = new Set([...shown].map(compact));
    const [height, top] = [log.scrollHeight, log.scrollTop];
    const fresh = found.filter(({ record }) => !there.has(JSON.stringify(record))).map(({ record, done }) => itemOf(record, "", done));
    for (const { record } of found) old.add(JSON.stringify(record));
    lines.prepend(...fresh);
    // What was in sight stays there.
    if (following) log.scrollTop = log.scrollHeight;
    else log.scrollTop = top + log.scrollHeight - height;
    say($("earlier"), earlier.ended ? "Nothing earlier was recorded" : "Earlier");
    $("earlier").disabled = earlier.ended;
  } catch (error) {
    say($("earlier"), `Earlier (${error.message})`);
  }
  reading = false;
}
$("earlier").addEventListener("click", () => {
  if (following) log.scrollTop = 0;
  following = false;
  readEarlier();
});

// -- its chat

const compact = (data) => {
  try {
    return JSON.stringify(JSON.parse(data));
  } catch {
    return "";
  }
};
const about = new WeakMap();
// What is on the page by the bytes it came as: a stream that is opened again begins with the latest lines.
const shown = new Set();
// The same of what came from the archive.
const old = new Set();
let waiting = [];
let following = true;
let unseen = 0;

function follow() {
  following = true;
  unseen = 0;
  $("newest").hidden = true;
  log.scrollTop = log.scrollHeight;
}

function add(item) {
  lines.append(item);
  if (!following) {
    unseen += 1;
    $("newest").hidden = false;
    say($("newest"), `${unseen > LINES ? `more than ${LINES}` : count(unseen)} new below`);
  }
}

function note(text) {
  if (lines.lastElementChild?.classList.contains("note")) lines.lastElementChild.remove();
  add(element("li", "note", text));
}

// The line of a record, which came as `data`, or from the archive with what was `done` to it.
function itemOf(record, data, done = "") {
  let item;
  try {
    const gone = takesBack(record);
    const struck = gone && !done && data ? [...lines.children].filter((each) => about.get(each)?.said && gone(about.get(each))) : [];
    for (const each of struck) each.classList.add("gone");
    item = line(record, platform, { author: struck.length ? about.get(struck[0]).name ?? "" : null, done, ...links(record) });
    for (const link of item.querySelectorAll(".when, a.who")) link.target = "_blank";
  } catch {
    // Something in it is of a kind that nobody has thought of; the archive has it as it came.
    item = element("li", "hole", "A record that cannot be shown here");
  }
  about.set(item, { data, id: record.id, user: record.user_id, name: record.username, said: isSaid(record), time: record.timestamp });
  return item;
}

// Keep few lines while the chat is followed; more while somebody reads.
function trim() {
  const most = following ? LINES : MOST_LINES;
  if (lines.children.length <= most) return;
  while (lines.children.length > most) {
    shown.delete(about.get(lines.firstElementChild)?.data);
    lines.firstElementChild.remove();
  }
  earlier.begin();
  $("earlier").disabled = false;
  say($("earlier"), "Earlier");
}

function draw() {
  // Whatever is wrong with one of them, the others are shown, and those that come later.
  const taken = waiting;
  waiting = [];
  for (const data of taken) {
    if (shown.has(data)) continue;
    shown.add(data);
    let record;
    try {
      record = JSON.parse(data);
    } catch {
      continue;
    }
    if (record === null || typeof record !== "object" || (old.size && old.has(JSON.stringify(record)))) continue;
    add(itemOf(record, data));
  }
  trim();
  if (following) log.scrollTop = log.scrollHeight;
}

let stream = null;
let again = 0;

function open() {
  clearTimeout(again);
  if (stream !== null || document.hidden) return;
  stream = new EventSource(`${address}/live`);
  stream.onopen = () => mark($("chat"), "state", "live");
  stream.onmessage = ({ data }) => {
    waiting.push(data);
    if (waiting.length > 2 * LINES) waiting = waiting.slice(-LINES);
    if (waiting.length === 1) requestAnimationFrame(draw);
  };
  stream.addEventListener("skipped", ({ data }) => {
    draw();
    note(`${many(Number(data), "message")} skipped: this browser was too slow. They are recorded all the same.`);
  });
  // Somebody opted out: what is shown of them goes.
  stream.addEventListener("anew", () => location.reload());
  stream.onerror = () => {
    mark($("chat"), "state", "lost");
    if (stream.readyState !== EventSource.CLOSED) return;
    // Refused: the room is not recorded, or too many browsers look on.
    stream = null;
    again = setTimeout(open, RETRY);
  };
}

function close() {
  stream?.close();
  stream = null;
  clearTimeout(again);
}

document.addEventListener("visibilitychange", () => {
  if (document.hidden) {
    draw();
    close();
    note("Paused while this page was not looked at");
  } else {
    headline.asked();
    open();
    look();
  }
});
log.addEventListener("scroll", () => {
  const atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 40;
  if (atEnd && !following) follow();
  following = atEnd;
  if (log.scrollTop < 40 && !following && !$("earlier").hidden && lines.children.length) readEarlier();
});
new ResizeObserver(() => following && (log.scrollTop = log.scrollHeight)).observe(log);
$("newest").addEventListener("click", follow);
$("events").addEventListener("change", ({ target }) => log.classList.toggle("only-said", !target.checked));
$("times").addEventListener("change", ({ target }) => log.classList.toggle("no-times", !target.checked));

switches();
document.title = `${name} · Chatlog`;
say($("platform"), `${platform}/`);
say($("name"), name);
look();
open();
