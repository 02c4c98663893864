// One room: how it is, and its chat as it is recorded, over server-sent events. While nobody looks at the
// page, the recorder is not asked for anything.

import { $, ask, element, mark, say, switches } from "./base.js";
import { age, count, duration, many, rate, share, STATES } from "./format.js";
import { Headline } from "./headline.js";
import { isSaid, line, takesBack } from "./records.js";
import { sparkline } from "./spark.js";
import { acknowledge, askForToken, canBeAcknowledged } from "./token.js";

const EVERY = 5000;
const LINES = 500;
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

// -- its chat

const about = new WeakMap();
// What is on the page by the bytes it came as: a stream that is opened again begins with the latest lines.
const shown = new Set();
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
    if (record === null || typeof record !== "object") continue;
    let item;
    try {
      const gone = takesBack(record);
      const struck = gone ? [...lines.children].filter((each) => about.get(each)?.said && gone(about.get(each))) : [];
      for (const each of struck) each.classList.add("gone");
      item = line(record, platform, { author: struck.length ? about.get(struck[0]).name ?? "" : null });
    } catch {
      // Something in it is of a kind that nobody has thought of; the archive has it as it came.
      item = element("li", "hole", "A record that cannot be shown here");
    }
    about.set(item, { data, id: record.id, user: record.user_id, name: record.username, said: isSaid(record) });
    add(item);
  }
  while (lines.children.length > LINES) {
    shown.delete(about.get(lines.firstElementChild)?.data);
    lines.firstElementChild.remove();
  }
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
