// Which channels somebody names: by name, `#name`, `platform/name` or the address of a page about it.

const HOSTS = /^(?:(?:[a-z0-9-]+\.)*)(twitch\.tv|kick\.com)$/;
const NAMES = { twitch: /^[a-z0-9_]{1,25}$/, kick: /^[a-z0-9_-]{1,64}$/ };
// What stands in front of a channel's name in an address, and what stands in its place.
const BEFORE = new Set(["popout", "embed", "moderator", "u", "user", "dashboard"]);
const NO_CHANNEL = {
  twitch: new Set(["directory", "downloads", "drops", "jobs", "p", "search", "settings", "store", "subscriptions", "team", "turbo", "videos", "wallet"]),
  kick: new Set(["browse", "categories", "category", "clips", "community-guidelines", "following", "search", "settings", "terms-of-service", "video", "videos"]),
};

function ofAddress(text) {
  let url;
  try {
    url = new URL(/^https?:\/\//i.test(text) ? text : `https:${text}`);
  } catch {
    return null;
  }
  const host = HOSTS.exec(url.hostname);
  if (!host) return null;
  const platform = host[1] === "twitch.tv" ? "twitch" : "kick";
  const asked = url.searchParams.get("channel");
  const parts = url.pathname.split("/").filter(Boolean);
  const found = parts.find((part, at) => at > 0 || !BEFORE.has(part.toLowerCase())) ?? asked ?? "";
  const name = found.toLowerCase();
  if (!NAMES[platform].test(name) || NO_CHANNEL[platform].has(name)) {
    return { trouble: "is an address, but not that of a channel" };
  }
  return { platform, name };
}

function one(text, platform) {
  const short = /^(twitch|kick)[/:]([^/]+)$/i.exec(text);
  if (!short && /[./]/.test(text)) {
    return ofAddress(text) ?? { trouble: "is neither a name nor the address of a channel of Twitch or Kick" };
  }
  const where = short ? short[1].toLowerCase() : platform;
  const name = (short ? short[2] : text).replace(/^[#@]/, "").toLowerCase();
  if (NAMES[where].test(name)) return { platform: where, name };
  const rule = where === "twitch" ? "letters, digits and _, at most 25" : "letters, digits, _ and -, at most 64";
  return { trouble: `is no name of a channel on ${where === "twitch" ? "Twitch" : "Kick"} (${rule})` };
}

// Every channel in a text, each once: { text, platform, name } or { text, trouble }. Those that are named
// without a platform are of the one that is given.
export function channels(text, platform) {
  const found = new Map();
  for (const word of text.split(/[\s,;<>"'“”]+/).filter(Boolean)) {
    const channel = one(word, platform);
    const key = channel.trouble ? word : `${channel.platform}/${channel.name}`;
    if (!found.has(key)) found.set(key, { text: word.slice(0, 100), ...channel });
  }
  return [...found.values()];
}
