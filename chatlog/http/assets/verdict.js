// How the recorder is, in one sentence, and what is wrong, in words.

import { count, duration, many, size } from "./format.js";

const sum = (list, key) => list.reduce((total, each) => total + each[key], 0);

function headline(rooms, recorded) {
  if (!rooms) return "No room is to be recorded";
  if (recorded === rooms) return rooms === 1 ? "Recording the one room" : `Recording all ${count(rooms)} rooms`;
  if (!recorded) return rooms === 1 ? "The one room is not recorded" : `None of ${many(rooms, "room")} is recorded`;
  return `Recording ${count(recorded)} of ${many(rooms, "room")}`;
}

const STATES = { refused: "refused", silent: "without an answer", requested: "asked for", wanted: "not asked for yet" };

function missing({ rooms, recorded, states, late, late_rooms }) {
  const number = rooms - recorded;
  const how = Object.entries(STATES).filter(([state]) => states[state]).map(([state, words]) => `${count(states[state])} ${words}`);
  const more = late > late_rooms.length ? ` and ${count(late - late_rooms.length)} more` : "";
  const names = late ? `: ${late_rooms.join(", ")}${more}` : "";
  return `${many(number, "room")} ${number === 1 ? "is" : "are"} not recorded (${how.join(", ")})${names}`;
}

function* troubles(facts) {
  const { platforms, uploads, spool, now } = facts;
  for (const each of platforms) {
    const about = each.platform;
    if (each.refused) yield { about, text: `refuses us: ${each.refused}`, bad: true };
    else if (each.rooms && !each.up) {
      const lasted = each.down_since ? ` for ${duration(now - each.down_since)}` : "";
      yield { about, text: `no connection${lasted}${each.trouble ? `: ${each.trouble}` : ""}`, bad: true };
    }
    if (each.rooms > each.recorded && (each.up || each.refused)) {
      yield { about, text: missing(each), bad: each.late > 0 };
    }
  }
  if (spool.fatal || spool.trouble) {
    const lasted = spool.trouble_since ? ` for ${duration(now - spool.trouble_since)}` : "";
    yield { about: "disk", text: `records cannot be written${lasted}: ${spool.fatal || spool.trouble}`, bad: true };
  }
  if (uploads.state !== "ok") {
    const lasted = uploads.state_since ? ` for ${duration(now - uploads.state_since)}` : "";
    const words = uploads.last_error ? `: ${uploads.last_error}` : "";
    yield { about: "store", text: `${uploads.state}${lasted}${words}`, bad: uploads.state !== "retrying" };
  }
  const dropped = Object.values(facts.counters.dropped ?? {}).reduce((total, each) => total + each, 0);
  if (dropped) {
    yield { about: "records", text: `${count(dropped)} could not be kept since the start; gaps say where`, bad: false };
  }
}

// Which of the sentences above says already what an alarm of that code would.
const SAID = { STORE_REFUSED: "store", STORE_DOWN: "store", DISK_TROUBLE: "disk" };
const OF_A_PLATFORM = /^(LOGIN_REFUSED|PLATFORM_DOWN|ROOM_.*)$/;
const said = (alarm) => SAID[alarm.code] ?? (OF_A_PLATFORM.test(alarm.code) ? alarm.subject : null);

export function verdict(facts) {
  const rooms = sum(facts.platforms, "rooms");
  const recorded = sum(facts.platforms, "recorded");
  const problems = [...troubles(facts)];
  for (const alarm of facts.alarms) {
    if (problems.some((each) => each.bad && each.about === said(alarm))) continue;
    const about = `${alarm.subject} ${alarm.code.toLowerCase().replaceAll("_", " ")}`.trim();
    const since = duration(facts.now - alarm.since);
    problems.push({ about, text: `${alarm.text} (${alarm.code} for ${since})`, bad: true });
  }
  const bad = problems.some((each) => each.bad);
  return {
    level: bad ? "bad" : problems.length || !rooms ? "warn" : "good",
    headline: headline(rooms, recorded),
    problems,
  };
}

// The panels: [term, words, level, share of a bar]

export function ofMessages(facts) {
  const { counters } = facts;
  const rows = [["written", many(counters.written, "record")], ["on the disk", many(counters.durable, "record")]];
  if (counters.duplicates) rows.push(["copies left out", count(counters.duplicates)]);
  if (counters.gaps) rows.push(["gaps written down", count(counters.gaps)]);
  rows.push(["volume", size(counters.written_bytes)]);
  return rows;
}

export function ofPlatforms(facts) {
  const used = facts.platforms.filter((each) => each.rooms || each.connections);
  if (!used.length) return [["none", ""]];
  return used.flatMap((each) => [
    [
      each.platform,
      `${count(each.recorded)} of ${count(each.rooms)}`,
      each.recorded === each.rooms ? "" : each.late || !each.up ? "bad" : "warn",
      each.rooms ? each.recorded / each.rooms : null,
    ],
    ["connections", `${count(each.up)} of ${count(each.connections)} up`, each.up < each.connections ? "warn" : ""],
  ]);
}

export function ofUploads(facts) {
  const { uploads, now } = facts;
  const level = uploads.state === "ok" ? "" : uploads.state === "retrying" ? "warn" : "bad";
  const queue = uploads.waiting_files ? `${many(uploads.waiting_files, "file")}, ${size(uploads.waiting_bytes)}` : "empty";
  const rows = [["store", uploads.state, level], ["queue", queue]];
  if (uploads.oldest !== null) rows.push(["oldest", duration(uploads.oldest), uploads.oldest > 10800 ? "bad" : ""]);
  rows.push(["latest", uploads.last_success === null ? "none yet" : `${duration(now - uploads.last_success)} ago`]);
  rows.push(["verified", many(uploads.verified, "file")]);
  if (uploads.quarantined) rows.push(["put aside", many(uploads.quarantined, "file"), "bad"]);
  return rows;
}

export function ofSpool(facts) {
  const { spool } = facts;
  const used = spool.max_bytes ? spool.bytes / spool.max_bytes : 0;
  const full = spool.disk_bytes ? 1 - spool.free_bytes / spool.disk_bytes : 0;
  const level = (part) => (part > 0.9 ? "bad" : part > 0.8 ? "warn" : "");
  const lag = spool.durable_lag;
  return [
    ["spool", `${size(spool.bytes)} of ${size(spool.max_bytes)}`, level(used), used],
    ["disk", `${size(spool.free_bytes)} free`, level(full), full],
    ["unsynced", lag ? `for ${duration(lag)}` : "nothing", lag > 20 ? "bad" : ""],
    ["in memory", size(spool.buffered_bytes)],
    ["open files", count(spool.open_files)],
  ];
}

export function ofProcess(facts) {
  const { process, clock } = facts;
  const offset = clock.offset;
  const words = offset === null ? "not known" : Math.abs(offset) < 1 ? "right" : `${duration(Math.abs(offset))} ${offset > 0 ? "ahead" : "behind"}`;
  return [
    ["memory", size(process.resident_bytes)],
    ["processor", `${process.cpu_percent.toFixed(1)} %`],
    ["longest pause", duration(process.reactor_lag), process.reactor_lag > 5 ? "bad" : ""],
    ["clock", words, offset !== null && Math.abs(offset) > 10 ? "bad" : ""],
    ["up", duration(facts.uptime)],
  ];
}
