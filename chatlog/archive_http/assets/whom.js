// A person: names, rooms, days, and what moderators did.

import { $, element, namedMoment, say } from "./base.js";
import { get } from "./asking.js";
import { count, many } from "./format.js";
import { API, dayPage, permalink, personPage, query, roomApi, roomPage } from "./places.js";
import { line } from "./records.js";
import { cut } from "./text.js";

const DAYS = 60;
const DEEDS = { timeout: "time-out", ban: "ban", unban: "unban", delete: "deleted message" };

function term(list, name, ...nodes) {
  const row = element("div");
  const value = element("dd");
  value.append(...nodes);
  row.append(element("dt", "", name), value);
  list.append(row);
}

const told = (time) => namedMoment(new Date(time));

function inRoom(there, user) {
  const made = element("section");
  const title = element("h3");
  const link = element("a", "", there.room);
  link.href = roomPage(there.room);
  title.append(link);
  const deeds = Object.entries(DEEDS).filter(([kind]) => there.kinds[kind]).map(([kind, words]) => many(there.kinds[kind], words));
  const days = Object.entries(there.days).reverse();
  made.append(title, element("p", "", `${many(there.messages, "message")} on ${many(days.length, "day")}, from ${told(there.first)} to ${told(there.last)}${deeds.length ? `; ${deeds.join(", ")}` : ""}`));
  const list = element("p", "spoken");
  for (const [day, records] of days.slice(0, DAYS)) {
    const each = element("a", "", `${day} · ${count(records)}`);
    each.href = dayPage(there.room, day, query({ user }));
    list.append(each);
  }
  if (days.length > DAYS) list.append(element("span", "quiet", `and ${many(days.length - DAYS, "day")} before`));
  made.append(list);
  return made;
}

export const notLookedUp = (error) => (error.code === "opted_out" ? "This person opted out. They are not recorded any more, and nothing of them is shown." : `They could not be looked up: ${error.message}.`);

// What is known of a person, as nodes.
export function personNodes(facts, user) {
  const list = element("dl");
  const named = [...facts.names].sort((one, other) => (one.last < other.last ? 1 : -1));
  for (const { name, first, last } of named.slice(0, 20)) term(list, named.length > 1 ? "Name" : "Known as", element("bdi", "", cut(name, 60)), ` · ${told(first)} to ${told(last)}`);
  if (facts.ids.length) term(list, facts.ids.length > 1 ? "Ids" : "Id", facts.ids.slice(0, 5).map(({ id }) => cut(id, 40)).join(", "));
  term(list, "Looked at", `what was said since ${told(facts.from)}`);
  if (facts.partial) term(list, "Not all", `what is older than ${told(facts.partial)} was not looked at`);
  if (!facts.rooms.length) return [list, element("p", "note", "Nothing was found of this person in that time.")];
  const rooms = [...facts.rooms].sort((one, other) => other.messages - one.messages);
  return [list, ...rooms.map((there) => inRoom(there, user))];
}

// The latest that moderators did to them in a room, as a list; null for nothing.
export async function deeds(room, user, signal) {
  const asked = query({ user, type: Object.keys(DEEDS).join(","), order: "newest", limit: 20 });
  const found = await get(`${roomApi(room, "messages")}?${asked}`, signal);
  if (!found.records.length) return null;
  const list = element("ol", "log");
  for (const record of found.records.reverse()) {
    const item = line(record, room.split("/")[0], { permalink: permalink(room, record) });
    item.querySelector("time")?.replaceChildren(told(record.timestamp));
    list.append(item);
  }
  const made = element("section", "hits");
  made.append(element("h3", "", `Moderation in ${room}`), list);
  return made;
}

export const askPerson = (platform, user, more, signal) => get(`${API}/users/${platform}/${encodeURIComponent(user)}?${query(more)}`, signal);

// The panel that opens beside a chat.
export class PersonPanel {
  // `only(user)` shows nobody else.
  constructor(platform, room, day, only) {
    this.platform = platform;
    this.room = room;
    this.day = day;
    this.only = only;
    $("person-close").addEventListener("click", () => $("person").close());
    $("person").addEventListener("close", () => this.stop?.abort());
    $("person").addEventListener("click", ({ target }) => target === $("person") && $("person").close());
  }

  async open(record) {
    const user = cut(record.user_id ? `id:${record.user_id}` : record.username, 100);
    const details = record.details ?? {};
    say($("person-name"), cut(details["display-name"] || record.username, 60));
    const buttons = element("p", "buttons");
    const only = element("button", "main", "Only what they wrote this day");
    only.addEventListener("click", () => {
      $("person").close();
      this.only(user);
    });
    const page = element("a", "", "All rooms, and what they wrote");
    page.href = personPage(this.platform, record, "").replace(/\?.*/, "");
    buttons.append(only, page);
    const state = element("p", "note", `Looking through ${this.room}`);
    $("person-facts").replaceChildren(buttons, state);
    if (!$("person").open) $("person").showModal();
    this.stop?.abort();
    this.stop = new AbortController();
    try {
      const [facts, done] = await Promise.all([
        askPerson(this.platform, user, { room: this.room }, this.stop.signal),
        deeds(this.room, user, this.stop.signal).catch(() => null),
      ]);
      state.replaceWith(...personNodes(facts, user), ...(done ? [done] : []));
    } catch (error) {
      if (error.name !== "AbortError") say(state, notLookedUp(error));
    }
  }
}
