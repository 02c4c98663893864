// One room: how it is, and its chat as it is recorded, over server-sent events. While nobody looks at the
// page, the recorder is not asked for anything.

import { $, age, ask, count, duration, element, many, mark, rate, say, share, sparkline } from "./format.js";
import { isSaid, line, takesBack } from "./records.js";

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

// -- how the room is

function facts(room) {
  const now = Date.now() / 1000;
  const words = [
    [room.state, room.state === "recorded" ? "good" : "bad"],
    [`${rate(room.rate)} messages a minute`],
    [`${share(room.coverage_today)} of today covered`, room.coverage_today < 1 ? "warn" : ""],
    [room.gaps_today ? `${many(room.gaps_today, "gap")} today` : "no gaps today", room.gaps_today ? "warn" : ""],
    [`${many(room.records_today, "record")} today`],
    [room.last === null ? "nothing said yet" : `latest ${age(now - room.last)}${now - room.last < 10 ? "" : " ago"}`],
  ];
  if (room.id) words.push([`id ${room.id}`]);
  $("facts").replaceChildren(...words.map(([text, level = ""]) => {
    const part = element("span", "", text);
    part.dataset.level = level;
    return part;
  }));
  const since = room.state === "recorded" ? "" : `Not recorded for ${duration(now - room.since)}`;
  $("trouble").hidden = !since;
  say($("trouble"), room.reason ? `${since}: ${room.reason}` : since);
  sparkline($("hour"), [...room.sparkline, room.rate]);
}

let timer = 0;
async function look() {
  clearTimeout(timer);
  if (document.hidden) return;
  try {
    facts(await ask(address));
  } catch (error) {
    $("facts").replaceChildren();
    $("trouble").hidden = false;
    say($("trouble"), error.status === 404 ? "This room is not recorded." : `No answer from the recorder: ${error.message}`);
  }
  clearTimeout(timer);
  timer = setTimeout(look, EVERY);
}

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
  log.append(item);
  if (!following) {
    unseen += 1;
    $("newest").hidden = false;
    say($("newest"), `${unseen > LINES ? `more than ${LINES}` : count(unseen)} new below`);
  }
}

function note(text) {
  if (log.lastElementChild?.classList.contains("note")) log.lastElementChild.remove();
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
      const struck = gone ? [...log.children].filter((each) => about.get(each)?.said && gone(about.get(each))) : [];
      for (const each of struck) each.classList.add("gone");
      item = line(record, struck.length ? about.get(struck[0]).name ?? "" : null);
    } catch {
      // Something in it is of a kind that nobody has thought of; the archive has it as it came.
      item = element("li", "hole", "A record that cannot be shown here");
    }
    about.set(item, { data, id: record.id, user: record.user_id, name: record.username, said: isSaid(record) });
    add(item);
  }
  while (log.children.length > LINES) {
    shown.delete(about.get(log.firstElementChild)?.data);
    log.firstElementChild.remove();
  }
  if (following) log.scrollTop = log.scrollHeight;
}

let stream = null;
let again = 0;

function open() {
  clearTimeout(again);
  if (stream !== null || document.hidden) return;
  stream = new EventSource(`${address}/live`);
  stream.onopen = () => {
    mark($("pulse"), "state", "live");
    say($("pulse"), "live");
  };
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
    mark($("pulse"), "state", "lost");
    const ended = stream.readyState === EventSource.CLOSED;
    say($("pulse"), ended ? "no chat" : "connecting again");
    if (!ended) return;
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

document.title = `${name} · Chatlog`;
say($("platform"), `${platform}/`);
say($("name"), name);
look();
open();
