// What a record of the archive looks like in a chat: badges, colour and name of a person, or what happened
// in words. Texts and names are hostile until they are text nodes; nothing else is ever made of them.

import { clock, count, duration, element, many } from "./format.js";

const LONGEST = 2000;
const BADGES = 4;
const SHORT = { broadcaster: "host", moderator: "mod", lead_moderator: "lead mod", subscriber: "sub", sub_gifter: "gifter", "sub-gifter": "gifter" };
// Kick writes its emotes as [emote:37226:KEKW].
const EMOTE = /\[emote:\d+:([^\]]{1,64})\]/g;

const cut = (value, length = LONGEST) => {
  let text = value ?? "";
  // An object could say of itself what it likes, or nothing at all.
  if (typeof text !== "string") text = typeof text === "object" ? JSON.stringify(text) : String(text);
  return text.length > length ? `${text.slice(0, length)}…` : text;
};
const short = (name) => (typeof name === "string" && Object.hasOwn(SHORT, name) ? SHORT[name] : undefined);
const object = (value) => (value !== null && typeof value === "object" && !Array.isArray(value) ? value : {});

function badges(details) {
  const info = new Map(cut(details["badge-info"]).split(",").map((each) => each.split("/")));
  const found = cut(details.badges).split(",").filter(Boolean).map((each) => {
    const [name, version = ""] = each.split("/");
    return [short(name) ?? name.replace(/[_-]/g, " "), info.get(name) ?? (name === "bits" ? version : "")];
  });
  const kick = object(object(details.sender).identity).badges;
  for (const badge of Array.isArray(kick) ? kick : []) {
    const { type, text, count: number } = object(badge);
    found.push([short(type) ?? cut(text || type, 20), number ?? ""]);
  }
  return found.slice(0, BADGES).map(([name, number]) => element("span", "badge", `${cut(name, 20)}${number ? ` ${cut(number, 6)}` : ""}`));
}

// A name's colour as its owner chose it, or one of a few that stays the same for that name.
const COLOURS = ["#2f6fb3", "#b3412f", "#2f8a4a", "#8a4fbf", "#b3761f", "#1f8a8a", "#b33a7a", "#5a6f1f"];

function hue(record, details) {
  const chosen = details.color || object(object(details.sender).identity).color;
  if (typeof chosen === "string" && /^#[0-9a-f]{6}$/i.test(chosen)) return chosen;
  let sum = 0;
  for (const letter of cut(record.username, 40)) sum = (sum * 31 + letter.codePointAt(0)) % 9973;
  return COLOURS[sum % COLOURS.length];
}

const dark = matchMedia("(prefers-color-scheme: dark)");
dark.addEventListener("change", () => {
  for (const name of document.querySelectorAll(".who")) name.style.color = readable(name.dataset.colour);
});

// Moved towards black or white until it can be read on the page's ground.
function readable(colour) {
  let rgb = [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16) / 255);
  const linear = (part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
  const light = () => 0.2126 * linear(rgb[0]) + 0.7152 * linear(rgb[1]) + 0.0722 * linear(rgb[2]);
  const towards = dark.matches ? 1 : 0;
  for (let tries = 0; tries < 20; tries += 1) {
    const contrast = dark.matches ? (light() + 0.05) / 0.06 : 1.05 / (light() + 0.05);
    if (contrast >= 5.4) break;
    rgb = rgb.map((part) => part + (towards - part) * 0.15);
  }
  return `rgb(${rgb.map((part) => Math.round(part * 255)).join(" ")})`;
}

function person(record, details) {
  const shown = cut(details["display-name"] || object(details.sender).username || record.username, 60);
  const name = element("bdi", "who", shown.trim() || record.username || "somebody");
  if (shown.toLowerCase() !== record.username) name.title = cut(record.username, 60);
  name.dataset.colour = hue(record, details);
  name.style.color = readable(name.dataset.colour);
  return name;
}

function text(message) {
  const holder = element("bdi", "text");
  let at = 0;
  for (const found of message.matchAll(EMOTE)) {
    holder.append(message.slice(at, found.index), element("i", "emote", found[1]));
    at = found.index + found[0].length;
  }
  holder.append(message.slice(at));
  return holder;
}

function answered(details) {
  const kick = object(details.metadata);
  const name = details["reply-parent-display-name"] || object(kick.original_sender).username;
  const words = details["reply-parent-msg-body"] || object(kick.original_message).content;
  return name || words ? `${cut(name, 60)}: ${cut(words, 120)}` : "";
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

// What happened, for everything that nobody said: [class, label, words]
function happening(record, details, author) {
  const who = cut(record.username, 60) || "somebody";
  const system = cut(details["system-msg"], 300);
  switch (record.type) {
    case "gap": {
      const [from, to] = [new Date(details.from), new Date(details.to)];
      const lasted = to - from >= 0 ? ` (${duration((to - from) / 1000)})` : "";
      return ["hole", "gap", `Not recorded from ${clock(from)} to ${clock(to)}${lasted}: ${cut(details.reason, 200)}`];
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

// A line of the chat. `author`: who wrote what the record takes back, if that is shown.
export function line(record, author = null) {
  const details = object(record.details);
  const item = element("li");
  const at = new Date(record.timestamp);
  const time = element("time", "", clock(at));
  time.dateTime = time.title = cut(record.timestamp, 40);
  const message = cut(record.message);
  if (SAID.has(record.type)) {
    item.className = record.type === "action" ? "said action" : "said";
    const parent = answered(details);
    if (parent) item.append(element("bdi", "reply", parent));
    item.append(time, ...badges(details), person(record, details), text(message));
    if (details.bits) item.append(element("span", "label", `${cut(details.bits, 8)} bits`));
    if (details["first-msg"] === "1") item.append(element("span", "label", "first message"));
    if (details["source-room-id"] && details["source-room-id"] !== details["room-id"]) item.append(element("span", "label", "shared chat"));
  } else {
    const [kind, label, words] = happening(record, details, author);
    item.className = kind;
    item.append(time, element("span", "label", label));
    if (words) item.append(element("bdi", "happened", words));
    if (message && record.type !== "delete") item.append(...(record.username ? [person(record, details)] : []), text(message));
  }
  return item;
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
