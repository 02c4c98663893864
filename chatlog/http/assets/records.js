// What a record of the archive looks like in a chat: badges, colour and name of a person, or what happened
// in words.

import { badges, person } from "./badges.js";
import { element, timeElement } from "./base.js";
import { count, duration, many } from "./format.js";
import { cut, object, plain, written } from "./text.js";

function answered(details, platform) {
  const kick = object(details.metadata);
  const name = details["reply-parent-display-name"] || object(kick.original_sender).username;
  const words = details["reply-parent-msg-body"] || object(kick.original_message).content;
  return name || words ? `${cut(name, 60)}: ${cut(plain(cut(words, 400), platform), 120)}` : "";
}

function lasting(details) {
  if (details["ban-duration"]) return ` for ${duration(Number(details["ban-duration"]))}`;
  return typeof details.duration === "number" ? ` for ${duration(details.duration * 60)}` : "";
}

function deleted(record, author) {
  const who = cut(record.username || author, 60);
  const words = author === null ? cut(record.message, 200) : "";
  return `A message${who && ` of ${who}`}${words && `: ${words}`}`;
}

const ROOM_TAGS = { "emote-only": "only emotes", "followers-only": "only followers", r9k: "no repetitions", slow: "slow mode", "subs-only": "only subscribers" };

function rules(details) {
  const said = Object.entries(ROOM_TAGS).filter(([tag]) => tag in details)
    .map(([tag, words]) => `${words} ${["0", "-1"].includes(details[tag]) ? "off" : "on"}`);
  return said.length ? `Rules of the room: ${said.join(", ")}` : "Rules of the room changed";
}

// What happened, for everything that nobody said: [class, label, words or nodes]
function happening(record, details, author) {
  const who = cut(record.username, 60) || "somebody";
  const system = cut(details["system-msg"], 300);
  switch (record.type) {
    case "gap": {
      const [from, to] = [new Date(details.from), new Date(details.to)];
      const lasted = to - from >= 0 ? ` (${duration((to - from) / 1000)})` : "";
      const ends = [timeElement(from, cut(details.from, 40)), " to ", timeElement(to, cut(details.to, 40))];
      return ["hole", "gap", [`Not recorded${details.instance ? ` by ${cut(details.instance, 40)}` : ""} from `, ...ends, `${lasted}: ${cut(details.reason, 200)}`]];
    }
    case "delete": return ["moderation", "deleted", deleted(record, author)];
    case "timeout": return ["moderation", "timeout", `${who}${lasting(details)}`];
    case "ban": return ["moderation", "ban", who];
    case "unban": return ["moderation", "unban", who];
    case "clear": return ["moderation", "clear", "Everything that was said was removed"];
    case "subscription": return ["event", "sub", system || `${who} subscribed${details.months > 1 ? ` for ${many(details.months, "month")}` : ""}`];
    case "gift": {
      const many_ = Array.isArray(details.gifted_usernames) ? details.gifted_usernames.length : 0;
      return ["event", "gift", system || (many_ ? `${who} gave ${many(many_, "subscription")}` : `${who} gave a present`)];
    }
    case "raid": {
      const viewers = details["msg-param-viewerCount"] ?? details.number_viewers;
      return ["event", "raid", system || `${who} came over${viewers ? ` with ${count(Number(viewers))} viewers` : ""}`];
    }
    case "announcement": return ["event", "announcement", ""];
    case "reward": return ["event", "reward", `${who} redeemed ${cut(details.reward_title, 80) || "a reward"}`];
    case "pin": return ["event", "pin", record.message ? "" : "Nothing is pinned any more"];
    case "poll": return ["event", "poll", ""];
    case "notice": return ["quiet", "notice", ""];
    case "room": return ["quiet", "room", rules(details)];
    case "unparsed": return ["hole", "not understood", cut(details.raw, 300)];
    default: return ["quiet", cut(details["msg-id"] || details.event || details.command || record.type, 40), system];
  }
}

const SAID = new Set(["message", "action", undefined]);

// A line of the chat on a platform. `author`: who wrote what the record takes back, if that is shown. Of pages that
// know more: `permalink` to the record, `profile` of its author, `parent`, where what it answers is, and `done`, what
// moderators did to it.
export function line(record, platform, { author = null, permalink = "", profile = "", parent = "", done = "" } = {}) {
  const details = object(record.details);
  const item = element("li");
  const time = when(record, permalink);
  const message = cut(record.message);
  const text = () => written(message, platform, details.emotes);
  if (SAID.has(record.type)) {
    item.className = record.type === "action" ? "said action" : "said";
    const words = answered(details, platform);
    if (words) item.append(reply(words, parent));
    item.append(time, ...badges(details), person(record, details, profile), text());
    if (details.bits) item.append(element("span", "label", `${cut(details.bits, 8)} bits`));
    if (details["first-msg"] === "1") item.append(element("span", "label", "first message"));
    if (details["source-room-id"] && details["source-room-id"] !== details["room-id"]) item.append(element("span", "label", "shared chat"));
  } else {
    const [kind, label, words] = happening(record, details, author);
    item.className = kind;
    item.append(time, element("span", "label", label));
    if (words.length) {
      const happened = element("bdi", "happened");
      happened.append(...[words].flat());
      item.append(happened);
    }
    if (message && record.type !== "delete") item.append(...(record.username ? [person(record, details, profile)] : []), text());
  }
  if (done) {
    item.classList.add("gone");
    item.append(element("span", "done", done));
  }
  return item;
}

function when(record, permalink) {
  const time = timeElement(new Date(record.timestamp), cut(record.timestamp, 40));
  if (!permalink) return time;
  const link = element("a", "when");
  link.href = permalink;
  link.append(time);
  return link;
}

function reply(words, parent) {
  const made = element("bdi", "reply", parent ? "" : words);
  if (!parent) return made;
  const link = element("a", "", words);
  link.href = parent;
  made.append(link);
  return made;
}

// The id of what a record answers; "" for none.
export function answeredId(record) {
  const details = object(record.details);
  return cut(details["reply-parent-msg-id"] || object(object(details.metadata).original_message).id, 100);
}

// Which lines a record of moderation takes back: a function of what `about` kept of them; null for none.
export function takesBack(record) {
  const details = object(record.details);
  if (record.type === "clear") return () => true;
  if (record.type === "delete") {
    const id = details["target-msg-id"] ?? object(details.message).id;
    return id ? (about) => about.id === id : null;
  }
  if (record.type !== "timeout" && record.type !== "ban") return null;
  return record.username || record.user_id
    ? (about) => (record.user_id ? about.user === record.user_id : about.name === record.username)
    : null;
}

export const isSaid = (record) => SAID.has(record.type);
