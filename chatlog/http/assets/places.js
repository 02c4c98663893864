// Where things of the archive are: addresses of its pages and of its API, and what the address of a page says.

export const API = "/api/v1/archive";
export const DAY = 86400000;
const part = (text) => encodeURIComponent(text).replaceAll("%3A", ":");

export const roomPage = (room) => `/rooms/${room.split("/").map(part).join("/")}`;
export const dayPage = (room, day, hash = "") => `${roomPage(room)}/${day}${hash && `#${hash}`}`;
export const roomApi = (room, what) => `${API}/rooms/${room.split("/").map(part).join("/")}/${what}`;

// The page of a person; `room` is where they were met.
export function personPage(platform, record, room) {
  const who = record.user_id ? `id:${record.user_id}` : record.username;
  return who ? `/people/${part(platform)}/${part(String(who))}?room=${encodeURIComponent(room)}` : "";
}

// A query from pairs, without what is empty.
export function query(values) {
  const found = Object.entries(values).filter(([, value]) => value !== "" && value !== null && value !== undefined);
  return new URLSearchParams(found).toString();
}

export const dayOf = (date) => date.toISOString().slice(0, 10);
export const startOf = (day) => Date.parse(`${day}T00:00:00Z`);
export const besides = (day, days) => dayOf(new Date(startOf(day) + days * DAY));

// The place of a record: by its time, and by its id where it has one.
export const placeOf = (record) => query({ at: record.timestamp, id: record.id });
export const permalink = (room, record) => dayPage(room, String(record.timestamp).slice(0, 10), placeOf(record));

// The parts of this page's path behind the first, decoded.
export const path = () => location.pathname.split("/").slice(2).map((text) => {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
});

const named = { weekday: "long", day: "numeric", month: "long", year: "numeric", timeZone: "UTC" };
export const dayName = (day) => new Intl.DateTimeFormat("en-GB", named).format(new Date(startOf(day)));
export const monthName = (month) => new Intl.DateTimeFormat("en-GB", { month: "long", year: "numeric", timeZone: "UTC" }).format(new Date(`${month}-01T00:00:00Z`));
