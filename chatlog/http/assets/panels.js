// What the panels say: [term, words, level, share of a bar]

import { count, duration, many, size } from "./format.js";

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
  // What is known and acknowledged colours nothing, and a few rooms of many are no outage.
  const level = ({ recorded, rooms, acknowledged = 0, up }) => (recorded + acknowledged >= rooms ? "" : up && recorded ? "warn" : "bad");
  return used.flatMap((each) => [
    [
      each.platform,
      `${count(each.recorded)} of ${count(each.rooms)}`,
      level(each),
      each.rooms ? each.recorded / each.rooms : null,
    ],
    ["connections", `${count(each.up)} of ${count(each.connections)} up`, each.up < each.connections ? "warn" : ""],
  ]);
}

const STORE = { ok: "takes all", retrying: "trying again", refused: "refuses" };

export function ofUploads(facts) {
  const { uploads, now } = facts;
  const level = uploads.state === "ok" ? "" : uploads.state === "retrying" ? "warn" : "bad";
  const queue = uploads.waiting_files ? `${many(uploads.waiting_files, "file")}, ${size(uploads.waiting_bytes)}` : "empty";
  const rows = [["store", STORE[uploads.state] ?? uploads.state, level], ["queue", queue]];
  if (uploads.oldest !== null) rows.push(["oldest", duration(uploads.oldest), uploads.oldest > 10800 ? "bad" : ""]);
  rows.push(["latest", uploads.last_success === null ? "none yet" : `${duration(now - uploads.last_success)} ago`]);
  rows.push(["verified", many(uploads.verified, "file")]);
  if (uploads.quarantined) rows.push(["quarantined", many(uploads.quarantined, "file"), "bad"]);
  return rows;
}

export function ofSpool(facts) {
  const { spool } = facts;
  const used = spool.max_bytes ? spool.bytes / spool.max_bytes : 0;
  const full = spool.disk_bytes ? 1 - spool.free_bytes / spool.disk_bytes : 0;
  const level = (part) => (part > 0.9 ? "bad" : part > 0.8 ? "warn" : "");
  const lag = spool.durable_lag;
  return [
    ...(spool.fatal || spool.trouble ? [["writing", "stopped", "bad"]] : []),
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
