// Times that people write, and times since a stream began.

import { clockZone } from "./base.js";
import { DAY } from "./places.js";

// Minutes by which a zone is ahead of UTC at a time.
function ahead(at, zone) {
  if (zone === "UTC") return 0;
  return -new Date(at).getTimezoneOffset();
}

// The moment of a day of UTC, which begins at `start`, when the clock shows "21:30" or "21:30:15"; or a whole time.
// Each time of day comes once within it. Null for what is no time.
export function momentOf(text, start, zone = clockZone()) {
  const words = text.trim();
  const whole = /^\d{4}-\d\d-\d\dT\d\d:\d\d/.test(words) ? Date.parse(words) : NaN;
  if (!Number.isNaN(whole)) return whole;
  const found = /^(\d{1,2})(?::|h)?(\d\d)?(?::(\d\d(?:\.\d+)?))?$/.exec(words);
  if (!found) return null;
  const [hours, minutes, seconds] = [found[1], found[2] ?? 0, found[3] ?? 0].map(Number);
  if (hours > 23 || minutes > 59 || seconds >= 60) return null;
  const ofDay = (hours * 60 + minutes) * 60000 + seconds * 1000;
  // Twice, for the distance of the zone may change within the day.
  let at = start + ofDay - ahead(start, zone) * 60000;
  at = start + ofDay - ahead(at, zone) * 60000;
  return start + ((at - start) % DAY + DAY) % DAY;
}

// Why nobody can go to what was written: it is no time (`at` is null), or one to come. "" where one can.
export function whyNot(text, at, now = Date.now()) {
  if (at === null) return "Write a time, like 21:30 or 21:30:15";
  return at > now ? `${text.trim()} is still to come` : "";
}

// "1:02:03" and "-3" as milliseconds; null for what is none.
export function lengthOf(text) {
  const found = /^(-?)(?:(?:(\d{1,3}):)?(\d{1,3}):)?(\d{1,6}(?:\.\d+)?)s?$/.exec(text.trim());
  if (!found) return null;
  const [hours, minutes, seconds] = [found[2] ?? 0, found[3] ?? 0, found[4]].map(Number);
  return (found[1] ? -1 : 1) * ((hours * 60 + minutes) * 60 + seconds) * 1000;
}

// Milliseconds as "1:02:03".
export function sinceText(milliseconds) {
  const seconds = Math.floor(Math.abs(milliseconds) / 1000);
  const two = (value) => String(value).padStart(2, "0");
  return `${milliseconds < 0 ? "−" : ""}${Math.floor(seconds / 3600)}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`;
}
