// The page about everything. It asks every few seconds while somebody looks at it, and not at all otherwise.

import { $, ask, count, describe, duration, element, many, mark, rate, say, sparkline } from "./format.js";
import { Rooms } from "./rooms.js";
import { ofMessages, ofPlatforms, ofProcess, ofSpool, ofUploads, verdict } from "./verdict.js";

const EVERY = 2000;
// The list of rooms is asked for less often, and the longer it is the less.
const ROOMS_EVERY = 6000;
const PER_ROOM = 2.5;
// Rooms in one answer.
const PAGE = 1000;

const rooms = new Rooms();
let facts = null;
let heardAt = 0;
let roomsAt = -Infinity;
let timer = 0;
let asking = false;

function problem({ about, text, bad }) {
  const item = element("li");
  item.dataset.level = bad ? "bad" : "warn";
  item.append(element("b", "", about), " ", element("span", "", text));
  return item;
}

function showVerdict() {
  const { level, headline, problems } = verdict(facts);
  mark($("verdict"), "level", level);
  say($("headline"), headline);
  document.title = `${headline} · Chatlog`;
  const list = $("problems");
  const wanted = problems.map(problem);
  const same = wanted.length === list.children.length && wanted.every((item, at) => item.isEqualNode(list.children[at]));
  if (!same) list.replaceChildren(...wanted);
}

function showConnections() {
  const nodes = facts.connections.map((link) => {
    const row = element("tr");
    row.dataset.state = link.up ? "recorded" : link.refused ? "refused" : "wanted";
    const state = element("td", "state");
    const dot = element("span", "dot");
    dot.setAttribute("aria-hidden", "true");
    state.append(dot, element("span", "word", link.up ? (link.retiring ? "retiring" : "up") : link.refused ? "refused" : "down"));
    const name = element("th", "name", `${link.platform} ${link.number}${link.lane ? ` · lane ${link.lane + 1}` : ""}`);
    name.scope = "row";
    row.append(
      state,
      name,
      element("td", "number", duration(facts.now - link.since)),
      element("td", "number", count(link.rooms)),
      element("td", "reason", link.trouble),
    );
    return row;
  });
  $("connections").replaceChildren(...nodes);
}

function showFacts() {
  showVerdict();
  say($("instance"), facts.instance);
  say($("about"), `${facts.version} · up ${duration(facts.uptime)}`);
  describe($("messages"), ofMessages(facts));
  describe($("platforms"), ofPlatforms(facts));
  describe($("uploads"), ofUploads(facts));
  describe($("spool"), ofSpool(facts));
  describe($("process"), ofProcess(facts));
  const words = facts.uploads.state === "ok" ? "" : facts.uploads.last_error;
  $("store-words").hidden = !words;
  say($("store-words"), words);
  const up = facts.connections.filter((link) => link.up).length;
  say($("connection-count"), `${count(up)} of ${many(facts.connections.length, "connection")} up`);
  if ($("connections-box").open) showConnections();
}

function showRooms(list) {
  const known = Math.floor(facts.uptime / 60) + 1;
  rooms.set(list, facts.now, known);
  const present = list.reduce((total, room) => total + room.rate, 0);
  say($("rate"), rate(present));
  const hour = new Array(60).fill(0);
  for (const room of list) room.sparkline.forEach((value, at) => (hour[at] += value));
  sparkline($("rate-hour"), [...hour, present], known);
}

function lost(error) {
  mark($("pulse"), "state", "lost");
  const since = heardAt ? ` for ${duration((performance.now() - heardAt) / 1000)}` : "";
  say($("pulse"), `no answer${since}`);
  if (heardAt && performance.now() - heardAt < 3 * EVERY) return;
  mark($("verdict"), "level", "bad");
  say($("headline"), "The recorder does not answer");
  document.title = "No answer · Chatlog";
  const text = heardAt ? "What is shown below is how it was then." : error.message;
  $("problems").replaceChildren(problem({ about: "page", text: `No answer${since}. ${text}`, bad: true }));
}

async function look() {
  asking = true;
  try {
    const [status, list] = await Promise.all([
      ask("/api/v1/status"),
      performance.now() - roomsAt >= Math.max(ROOMS_EVERY, PER_ROOM * rooms.rooms.length) ? askRooms() : null,
    ]);
    heardAt = performance.now();
    facts = status;
    mark($("pulse"), "state", "live");
    say($("pulse"), "live");
    showFacts();
    if (list) showRooms(list);
    else rooms.tick(facts.now);
  } catch (error) {
    lost(error);
  }
  asking = false;
}

// All rooms, in as many answers as it takes; null if none of them has changed.
let pages = [];
async function askRooms() {
  const found = [];
  for (let at = 0, matching = 1; at * PAGE < matching; at += 1) {
    found[at] = await ask(`/api/v1/rooms?limit=${PAGE}&offset=${at * PAGE}`);
    matching = found[at].matching;
  }
  roomsAt = performance.now();
  const changed = found.length !== pages.length || found.some((page, at) => page !== pages[at]);
  pages = found;
  return changed ? found.flatMap((page) => page.rooms) : null;
}

async function again() {
  clearTimeout(timer);
  if (asking || document.hidden) return;
  await look();
  clearTimeout(timer);
  if (!document.hidden) timer = setTimeout(again, EVERY);
}

$("connections-box").addEventListener("toggle", () => facts && showConnections());
document.addEventListener("visibilitychange", () => {
  if (document.hidden) clearTimeout(timer);
  else again();
});
again();
