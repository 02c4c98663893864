// The page about everything. It asks every few seconds while somebody looks at it, and not at all otherwise.

import { $, archiveOrigin, ask, describe, element, say, switches, whenClockTurns } from "./base.js";
import { Changes } from "./changes.js";
import { showCluster } from "./cluster.js";
import { Conditions } from "./conditions.js";
import { count, duration, many, rate } from "./format.js";
import { Headline } from "./headline.js";
import { ofMessages, ofPlatforms, ofProcess, ofSpool, ofUploads } from "./panels.js";
import { Rooms } from "./rooms.js";
import { legend, sparkline } from "./spark.js";

const EVERY = 2000;
// The list of rooms is asked for less often, and the longer it is the less.
const ROOMS_EVERY = 6000;
const PER_ROOM = 2.5;
// Rooms in one answer.
const PAGE = 1000;
// The part of all rooms that has to be missing for the sum to have a gap there.
const MOSTLY = 0.5;

const rooms = new Rooms();
const headline = new Headline(lost);
const conditions = new Conditions();
let facts = null;
let roomsAt = -Infinity;
let timer = 0;
let asking = false;

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
    if (link.trouble) name.append(element("span", "reason", link.trouble));
    row.append(state, name, element("td", "number", duration(facts.now - link.since)), element("td", "number", count(link.rooms)));
    return row;
  });
  $("connections").replaceChildren(...nodes);
}

const now = () => facts.now + headline.late;

function showArchive(listen) {
  const origin = archiveOrigin(listen);
  $("archive").hidden = !origin;
  $("archive").firstElementChild.href = `${origin}/`;
}

function showFacts() {
  conditions.show(facts.conditions, facts.now);
  say($("instance"), facts.instance);
  say($("about"), `${facts.version} · up ${duration(facts.uptime)}`);
  showArchive(facts.archive);
  describe($("messages"), ofMessages(facts));
  describe($("platforms"), ofPlatforms(facts));
  describe($("uploads"), ofUploads({ ...facts, now: now() }));
  describe($("spool"), ofSpool(facts));
  describe($("process"), ofProcess(facts));
  const words = facts.uploads.state === "ok" ? "" : facts.uploads.last_error;
  $("store-words").hidden = !words;
  say($("store-words"), words);
  const up = facts.connections.filter((link) => link.up).length;
  say($("connection-count"), `${count(up)} of ${many(facts.connections.length, "connection")} up`);
  if ($("connections-box").open) showConnections();
  showCluster(facts.cluster);
}

// Where most rooms were missing at once: [from, to], to a minute.
function commonGaps(list) {
  const missing = new Array(60).fill(0);
  for (const room of list) {
    for (const [from, to] of room.gaps_hour ?? []) {
      const first = Math.max(0, Math.round(60 - (facts.now - from) / 60));
      const end = Math.min(60, Math.round(60 - (facts.now - (to ?? facts.now)) / 60));
      for (let minute = first; minute < end; minute += 1) missing[minute] += 1;
    }
  }
  const start = (minute) => facts.now - (60 - minute) * 60;
  return missing.flatMap((rooms_, minute) => (rooms_ > MOSTLY * list.length ? [[start(minute), start(minute + 1)]] : []));
}

function showRooms(list) {
  rooms.set(list, { now: facts.now, started: facts.started });
  const present = list.reduce((total, room) => total + room.rate, 0);
  say($("rate"), rate(present));
  const hour = new Array(60).fill(0);
  for (const room of list) room.sparkline.forEach((value, at) => (hour[at] += value));
  sparkline($("rate-hour"), [...hour, present], facts.now, commonGaps(list), facts.started);
}

// The recorder does not answer: what is known of it gets older.
function lost(still) {
  if (!still || !facts) return;
  rooms.tick(now());
  describe($("uploads"), ofUploads({ ...facts, now: now() }));
}

async function look() {
  asking = true;
  try {
    const [status, list] = await Promise.all([
      ask("/api/v1/status"),
      performance.now() - roomsAt >= Math.max(ROOMS_EVERY, PER_ROOM * rooms.rooms.length) ? askRooms() : null,
    ]);
    // What has changed in the whole has changed in the rooms.
    if (facts && facts.headline.severity !== status.headline.severity) roomsAt = -Infinity;
    facts = status;
    headline.heard(status);
    showFacts();
    if (list) showRooms(list);
    else rooms.tick(facts.now);
  } catch (error) {
    headline.failed(error);
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

const changes = new Changes(rooms, () => {
  roomsAt = -Infinity;
  again();
});

// #add=platform/name, from the page about a room that is not recorded.
const wanted = new URLSearchParams(location.hash.slice(1)).get("add");
if (wanted !== null) {
  history.replaceState(null, "", location.pathname);
  changes.begin(wanted.slice(0, 200));
}

switches();
// On a narrow window the rooms come first, and the machine on demand.
$("machine").open = matchMedia("(min-width: 641px)").matches;
$("listing").append(legend());
$("connections-box").addEventListener("toggle", () => facts && showConnections());
$("cluster-box").addEventListener("toggle", () => facts && showCluster(facts.cluster));
whenClockTurns(() => {
  rooms.draw();
  conditions.draw();
});
document.addEventListener("visibilitychange", () => {
  if (document.hidden) {
    clearTimeout(timer);
    return;
  }
  headline.asked();
  again();
});
again();
