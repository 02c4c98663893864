// Badges and the colours of names, for both platforms alike.

import { element, isDark, whenThemeTurns } from "./base.js";
import { cut, object } from "./text.js";

const MOST = 4;
const SHORT = {
  broadcaster: "host", moderator: "mod", lead_moderator: "lead mod", subscriber: "sub", sub_gifter: "gifter",
  "sub-gifter": "gifter", "sub-gift-leader": "gift leader", "bits-leader": "bits leader", "artist-badge": "artist",
  global_mod: "global mod", premium: "prime",
};
// Which of the colours in chat.css a badge has; all others are grey.
const COLOUR = {
  broadcaster: "host", moderator: "mod", lead_moderator: "mod", vip: "vip", subscriber: "sub", founder: "sub",
  og: "og", sub_gifter: "gift", "sub-gifter": "gift", "sub-gift-leader": "gift", bits: "bits", "bits-leader": "bits",
  "bits-charity": "bits", partner: "known", verified: "known", ambassador: "known", premium: "prime", turbo: "prime",
  staff: "staff", admin: "staff", global_mod: "staff",
};
const own = (map, key) => (typeof key === "string" && Object.hasOwn(map, key) ? map[key] : undefined);

function badge(name, words, number) {
  const made = element("span", "badge", `${cut(words, 20)}${number ? ` ${cut(number, 6)}` : ""}`);
  made.dataset.badge = own(COLOUR, name) ?? "other";
  return made;
}

export function badges(details) {
  const info = new Map(cut(details["badge-info"]).split(",").map((each) => each.split("/")));
  const found = cut(details.badges).split(",").filter(Boolean).map((each) => {
    const [name, version = ""] = each.split("/");
    return [name, own(SHORT, name) ?? name.replace(/[_-]/g, " "), info.get(name) ?? (name === "bits" ? version : "")];
  });
  const kick = object(object(details.sender).identity).badges;
  for (const each of Array.isArray(kick) ? kick.slice(0, MOST) : []) {
    const { type, text, count: number } = object(each);
    found.push([type, own(SHORT, type) ?? cut(text || type, 20), number ?? ""]);
  }
  return found.slice(0, MOST).map(([name, words, number]) => badge(name, words, number));
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

whenThemeTurns(() => {
  for (const name of document.querySelectorAll(".who")) name.style.color = readable(name.dataset.colour);
});

// Moved towards black or white until it can be read on the page's ground.
function readable(colour) {
  let rgb = [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16) / 255);
  const linear = (part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
  const light = () => 0.2126 * linear(rgb[0]) + 0.7152 * linear(rgb[1]) + 0.0722 * linear(rgb[2]);
  const dark = isDark();
  for (let tries = 0; tries < 20; tries += 1) {
    const contrast = dark ? (light() + 0.05) / 0.06 : 1.05 / (light() + 0.05);
    if (contrast >= 5.6) break;
    rgb = rgb.map((part) => part + ((dark ? 1 : 0) - part) * 0.15);
  }
  return `rgb(${rgb.map((part) => Math.round(part * 255)).join(" ")})`;
}

// `profile` is where more is known of the person, if anywhere.
export function person(record, details, profile = "") {
  const shown = cut(details["display-name"] || object(details.sender).username || record.username, 60);
  const name = element(profile ? "a" : "bdi", "who", shown.trim() || cut(record.username, 60) || "somebody");
  if (profile) {
    name.href = profile;
    name.dir = "auto";
  }
  if (shown.toLowerCase() !== record.username) name.title = cut(record.username, 60);
  name.dataset.colour = hue(record, details);
  name.style.color = readable(name.dataset.colour);
  return name;
}
