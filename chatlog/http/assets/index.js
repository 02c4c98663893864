"use strict";
const PAGE = 200;
const EVERY = 2000;
let offset = 0;
let answered = 0;

async function ask(path) {
  const answer = await fetch(path, { cache: "no-cache" });
  if (!answer.ok && answer.status !== 503) throw new Error("status " + answer.status);
  return answer.json();
}

function showVerdict(ready, status) {
  const place = byId("verdict"), list = place.querySelector("ul");
  const wanted = status.platforms.reduce((sum, p) => sum + p.rooms, 0);
  const recorded = status.platforms.reduce((sum, p) => sum + p.recorded, 0);
  place.className = "verdict " + (ready.ok ? "good" : "bad");
  const rooms = wanted === recorded ? (wanted === 1 ? "the one room" : "all " + number(wanted) + " rooms")
    : number(recorded) + " of " + number(wanted) + " rooms";
  place.querySelector("p").textContent = wanted ? "Recording " + rooms + "." : "No room is wanted.";
  const troubles = ready.failing.map((f) => f.part + ": " + f.reason);
  for (const alarm of status.alarms) troubles.push(alarm.code + ": " + alarm.text);
  list.replaceChildren(...troubles.map((text) => make("li", text)));
  list.hidden = !troubles.length;
}

function showStatus(status) {
  byId("about").textContent = [status.instance, "version " + status.version, "up " + age(status.uptime)].filter(Boolean).join(" · ");
  const spool = status.spool, uploads = status.uploads, process = status.process, counters = status.counters;
  facts(byId("spool"), [
    ["in the spool", size(spool.bytes) + " of " + size(spool.max_bytes)],
    ["free on the disk", size(spool.free_bytes)],
    ["files being written", number(spool.open_files)],
    ["not on the disk yet", spool.durable_lag < 0.05 ? "nothing" : "for " + spool.durable_lag.toFixed(1) + " s"],
    ["records written", number(counters.written)],
  ]);
  const full = spool.max_bytes ? spool.bytes / spool.max_bytes : 0;
  byId("full").style.width = Math.min(100, full * 100) + "%";
  byId("full").className = full > 0.8 ? "full" : "";
  words("spool-words", spool.fatal || spool.trouble);
  facts(byId("uploads"), [
    ["store", uploads.state],
    ["waiting", number(uploads.waiting_files) + " files, " + size(uploads.waiting_bytes)],
    ["oldest of them", age(uploads.oldest)],
    ["latest object", uploads.last_success ? age(status.now - uploads.last_success) + " ago" : "–"],
    ["stored and verified", number(uploads.verified)],
  ]);
  words("upload-words", uploads.last_error + (uploads.quarantined ? " (" + uploads.quarantined + " files are put aside)" : ""));
  facts(byId("process"), [
    ["memory", size(process.resident_bytes)],
    ["processor", process.cpu_percent.toFixed(1) + " % of one"],
    ["longest pause", Math.round(process.reactor_lag * 1000) + " ms"],
    ["open descriptors", number(process.descriptors)],
    ["gaps written", number(counters.gaps)],
  ]);
  byId("connections").replaceChildren(...status.connections.map((link) => {
    const row = make("tr"), what = make("td");
    what.append(state(link.up ? (link.retiring ? "leaving" : "up") : "down", link.up));
    row.append(make("td", link.platform + " " + link.number), what, make("td", number(link.rooms), "number"),
      make("td", age(status.now - link.since), "number"), make("td", link.trouble, "why wide"));
    return row;
  }));
  byId("no-connections").hidden = status.connections.length > 0;
}

function showRooms(found, now) {
  byId("rooms").replaceChildren(...found.rooms.map((room) => {
    const row = make("tr"), name = make("td", null, "name"), what = make("td"), line = make("td", null, "wide");
    const link = make("a", room.name);
    link.href = "/rooms/" + encodeURIComponent(room.platform) + "/" + encodeURIComponent(room.name);
    name.append(link, make("span", " " + room.platform, "soft"));
    what.append(state(room.state, room.state === "recorded"));
    line.append(spark(room.sparkline));
    row.append(name, what, make("td", number(Math.round(room.rate)), "number"), line,
      make("td", room.last ? age(now - room.last) : "–", "number"), make("td", number(room.gaps_today), "number wide"),
      make("td", share(room.coverage_today), "number"), make("td", room.reason, "why wide"));
    return row;
  }));
  const none = byId("no-rooms");
  none.hidden = found.rooms.length > 0;
  none.textContent = found.total ? (byId("problems").checked && !byId("filter").value ? "Every room is recorded." : "No room is like that.")
    : "No room is wanted. List some in chatlog.yaml.";
  byId("rooms-title").textContent = "Rooms" + (found.matching < found.total ? ": " + number(found.matching) + " of " + number(found.total) : "");
  byId("pages").hidden = found.matching <= PAGE;
  byId("where").textContent = number(offset + 1) + " to " + number(offset + found.rooms.length) + " of " + number(found.matching);
  byId("back").disabled = offset === 0;
  byId("on").disabled = offset + found.rooms.length >= found.matching;
}

let round = 0;
async function look() {
  const mine = ++round;
  const query = new URLSearchParams({
    q: byId("filter").value.trim(), sort: byId("sort").value, problems: byId("problems").checked ? "1" : "0",
    offset: String(offset), limit: String(PAGE),
  });
  try {
    const [status, ready, rooms] = await Promise.all([ask("/api/v1/status"), ask("/readyz"), ask("/api/v1/rooms?" + query)]);
    if (mine !== round) return;
    if (!rooms.rooms.length && rooms.matching && offset) { offset = 0; look(); return; }
    answered = Date.now();
    showVerdict(ready, status);
    showStatus(status);
    showRooms(rooms, status.now);
  } catch (error) {
    if (mine !== round) return;
    const place = byId("verdict");
    place.className = "verdict gone";
    place.querySelector("p").textContent = answered ? "The recorder has not answered for " + age((Date.now() - answered) / 1000) + "." : "The recorder does not answer.";
    place.querySelector("ul").hidden = true;
  }
}

function restart() { offset = 0; look(); }
byId("filter").addEventListener("input", restart);
byId("sort").addEventListener("change", restart);
byId("problems").addEventListener("change", restart);
byId("back").addEventListener("click", () => { offset = Math.max(0, offset - PAGE); look(); });
byId("on").addEventListener("click", () => { offset += PAGE; look(); });
document.addEventListener("visibilitychange", () => { if (!document.hidden) look(); });
setInterval(() => { if (!document.hidden) look(); }, EVERY);
look();
