// What people write: emotes marked, addresses made to links, and everything else left as it is. Texts are hostile
// until they are text nodes; nothing else is ever made of them.

import { element } from "./base.js";

const LONGEST = 2000;

export const cut = (value, length = LONGEST) => {
  let text = value ?? "";
  // An object could say of itself what it likes, or nothing at all.
  if (typeof text !== "string") text = typeof text === "object" ? JSON.stringify(text) : String(text);
  return text.length > length ? `${text.slice(0, length)}…` : text;
};
export const object = (value) => (value !== null && typeof value === "object" && !Array.isArray(value) ? value : {});

// Kick writes its emotes into the text: [emote:37226:KEKW].
const OF_KICK = /\[emote:(\d{1,12})(?::([^\]\s]{0,64}))?\]/g;
// Twitch says beside the text where they are: 25:0-4,12-16/1902:6-10; an id may hold a slash itself.
const OF_TWITCH = /[:,](\d{1,5})-(\d{1,5})(?=[,/]|$)/g;

// Where the emotes are: [start, end, name], in order, and none within another.
function emotes(text, platform, ranges) {
  if (platform === "kick") {
    return [...text.matchAll(OF_KICK)].map((found) => [found.index, found.index + found[0].length, found[2] || `emote ${found[1]}`]);
  }
  if (typeof ranges !== "string" || !ranges) return [];
  // Twitch counts code points, JavaScript their halves.
  const letters = Array.from(text);
  const starts = [0];
  for (const letter of letters) starts.push(starts.at(-1) + letter.length);
  let last = -1;
  return [...ranges.slice(0, 20000).matchAll(OF_TWITCH)]
    .map(([, first, final]) => [Number(first), Number(final)])
    .sort(([one], [other]) => one - other)
    .filter(([first, final]) => {
      // Some are wrong, or lie outside; then the text is shown as it is.
      if (first <= last || final < first || final >= letters.length) return false;
      last = final;
      return true;
    })
    .map(([first, final]) => [starts[first], starts[final + 1], letters.slice(first, final + 1).join("")]);
}

const ADDRESS = /https?:\/\/[^\s<>"“”«»`{}|\\^]+/giu;
const INVISIBLE = /[\p{Cc}\p{Cf}\p{Co}\p{Cn}\p{Zl}\p{Zp}]/u;
const CLOSING = { ")": "(", "]": "[" };

// Without what ends a sentence behind an address.
function trimmed(address) {
  let text = address;
  for (;;) {
    const last = text.at(-1);
    const unopened = CLOSING[last] && text.split(CLOSING[last]).length < text.split(last).length;
    if (!unopened && !/[.,;:!?'’*_~]/.test(last)) return text;
    text = text.slice(0, -1);
  }
}

// Where an address leads: { href, host }; null for one that shall not be followed. `host` is where it really
// leads, if that is not what is written.
export function target(address) {
  if (INVISIBLE.test(address)) return null;
  let url;
  try {
    url = new URL(address);
  } catch {
    return null;
  }
  if (url.protocol !== "http:" && url.protocol !== "https:") return null;
  const written = address.replace(/^https?:\/\//i, "").split(/[/?#]/)[0].toLowerCase();
  // A name in front of the host is there to be taken for it.
  if (url.username || url.password || written.includes("@")) return null;
  const host = url.port || !/:\d+$/.test(written) ? url.host : `${url.host}:${written.split(":").at(-1)}`;
  return { href: url.href, host: host === written ? "" : url.host };
}

function link(address, { href, host }) {
  const made = element("a", "", address);
  made.href = href;
  made.rel = "noopener noreferrer nofollow";
  made.target = "_blank";
  // What stands around it cannot turn it round.
  made.dir = "ltr";
  return host ? [made, element("span", "label host", `leads to ${host}`)] : [made];
}

function* linked(text) {
  let at = 0;
  for (const found of text.matchAll(ADDRESS)) {
    const address = trimmed(found[0]);
    const leads = target(address);
    if (!leads) continue;
    if (found.index > at) yield text.slice(at, found.index);
    yield* link(address, leads);
    at = found.index + address.length;
  }
  if (at < text.length) yield text.slice(at);
}

// The nodes of a message.
export function written(message, platform = "", ranges = "") {
  const holder = element("bdi", "text");
  let at = 0;
  for (const [start, end, name] of emotes(message, platform, ranges)) {
    holder.append(...linked(message.slice(at, start)), element("i", "emote", name));
    at = end;
  }
  holder.append(...linked(message.slice(at)));
  return holder;
}

// The same on one line, where nothing can be clicked.
export const plain = (text, platform) => (platform === "kick" ? text.replace(OF_KICK, (_, id, name) => name || `emote ${id}`) : text);
