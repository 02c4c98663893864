// Numbers, times and sizes for people. Nothing here touches the document.

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });

export const count = (value) => whole.format(value ?? 0);

export function many(value, one, more = `${one}s`) {
  return `${count(value)} ${value === 1 ? one : more}`;
}

// Messages a minute: a decimal only where it says something.
export function rate(value) {
  if (!value) return "0";
  return value < 10 ? value.toFixed(1).replace(/\.0$/, "") : count(value);
}

export function size(bytes) {
  let amount = bytes ?? 0;
  for (const unit of ["B", "KB", "MB", "GB"]) {
    if (amount < 999.5) return `${amount.toFixed(unit === "B" || amount >= 99.95 ? 0 : 1)} ${unit}`;
    amount /= 1000;
  }
  return `${amount.toFixed(1)} TB`;
}

export function duration(seconds) {
  const s = Math.max(0, seconds ?? 0);
  if (s < 0.995) return `${(s * 1000).toFixed(0)} ms`;
  if (s < 9.95) return `${s.toFixed(1)} s`;
  if (s < 100) return `${s.toFixed(0)} s`;
  if (s < 6000) return `${(s / 60).toFixed(0)} min`;
  if (s < 172800) return `${(s / 3600).toFixed(1)} h`;
  return `${(s / 86400).toFixed(0)} days`;
}

// The same in whole seconds, for what is looked at while it grows.
export function lasted(seconds) {
  return seconds < 100 ? `${Math.max(0, Math.floor(seconds))} s` : duration(seconds);
}

export function age(seconds) {
  return seconds < 10 ? "now" : duration(seconds);
}

// A share is never rounded up to the whole: 100 % means that nothing is missing.
export function share(part) {
  if (part >= 1) return "100 %";
  if (part <= 0) return "0 %";
  return `${(Math.floor(part * 10000) / 100).toFixed(2)} %`;
}

// The states of a room.
export const STATES = { refused: "refused", silent: "no answer", wanted: "waiting", requested: "joining", unwritten: "not written", recorded: "recorded" };

// room2 before room10.
const collator = new Intl.Collator("en", { numeric: true });
export const natural = collator.compare;

// The time of day by one of two clocks, with the date where it is not today's. `zone` is "UTC" or
// undefined, which is this machine's.
const parts = { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" };
const dated = { ...parts, year: "numeric", month: "short", day: "numeric" };
const formats = new Map();
function format(zone, options, name) {
  const key = `${zone} ${name}`;
  if (!formats.has(key)) formats.set(key, new Intl.DateTimeFormat("en-GB", { ...options, timeZone: zone }));
  return formats.get(key);
}
export function timeOfDay(date, zone) {
  return Number.isNaN(date.getTime()) ? "" : format(zone, parts, "time").format(date);
}
export function dayAndTime(date, zone) {
  return Number.isNaN(date.getTime()) ? "" : format(zone, dated, "dated").format(date);
}
export function sameDay(one, other, zone) {
  const day = { year: "numeric", month: "numeric", day: "numeric" };
  return format(zone, day, "day").format(one) === format(zone, day, "day").format(other);
}

// This machine's distance from UTC: "UTC+1", "UTC−3:30".
export function offset(date = new Date()) {
  const minutes = -date.getTimezoneOffset();
  const [hours, rest] = [Math.floor(Math.abs(minutes) / 60), Math.abs(minutes) % 60];
  return `UTC${minutes < 0 ? "−" : "+"}${hours}${rest ? `:${String(rest).padStart(2, "0")}` : ""}`;
}
