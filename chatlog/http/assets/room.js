"use strict";
const MOST = 500;
const [, , platform, name] = location.pathname.split("/").map(decodeURIComponent);
const base = "/api/v1/rooms/" + encodeURIComponent(platform) + "/" + encodeURIComponent(name);
const chat = byId("chat");
const byMessage = new Map();
const EVENTS = { subscription: 1, gift: 1, raid: 1, announcement: 1, reward: 1, pin: 1, poll: 1, notice: 1, clear: 1, ban: 1, timeout: 1, unban: 1 };
const HIDDEN = { room: 1, delete: 1, event: 1, unparsed: 1 };

document.title = name + " – Chatlog";
byId("name").textContent = name + " on " + platform;

function time(text) {
  const at = new Date(text);
  const element = make("time", isNaN(at) ? "" : at.toLocaleTimeString());
  element.dateTime = text;
  return element;
}

// Twitch: "subscriber/12,premium/1"; Kick: [{type: "moderator", text: "Moderator"}].
function badges(record) {
  const details = record.details || {};
  const kick = details.sender && details.sender.identity && details.sender.identity.badges;
  if (Array.isArray(kick)) return kick.slice(0, 5).map((badge) => String(badge.text || badge.type || "").slice(0, 20));
  return String(details.badges || "").split(",").filter(Boolean).slice(0, 5).map((badge) => badge.split("/")[0].slice(0, 20));
}

function colour(record) {
  const details = record.details || {};
  const given = details.color || (details.sender && details.sender.identity && details.sender.identity.color) || "";
  return /^#[0-9a-fA-F]{6}$/.test(given) ? given : "";
}

function strike(match) {
  for (const item of chat.children) if (match(item)) item.classList.add("gone");
}

function happened(record) {
  const details = record.details || {};
  if (record.type === "gap") return "Not recorded from " + details.from + " to " + details.to + ": " + details.reason;
  if (record.type === "ban") return record.username + " was banned";
  if (record.type === "timeout") return record.username + " was timed out" + (details["ban-duration"] ? " for " + details["ban-duration"] + " s" : "");
  if (record.type === "unban") return record.username + " may write again";
  if (record.type === "clear") return "The chat was cleared";
  return [details["system-msg"] || (record.username ? record.type + " by " + record.username : record.type), record.message].filter(Boolean).join(": ");
}

function show(record) {
  const type = String(record.type);
  if (type === "delete") {
    const target = (record.details || {})["target-msg-id"] || ((record.details || {}).message || {}).id;
    const item = byMessage.get(target);
    if (item) item.classList.add("gone");
    return;
  }
  if (type === "ban" || type === "timeout") strike((item) => item.dataset.user === record.user_id && record.user_id);
  if (type === "clear") strike((item) => item.classList.contains("message"));
  if (HIDDEN[type]) return;
  const item = make("li", null, type === "gap" ? "hole" : EVENTS[type] ? "event" : "message");
  item.append(time(record.timestamp));
  if (item.className === "message") {
    if (type === "action") item.classList.add("action");
    for (const badge of badges(record)) item.append(make("span", badge, "badge"));
    const details = record.details || {};
    const who = make("span", details["display-name"] || (details.sender || {}).username || record.username, "who");
    if (colour(record)) who.style.color = colour(record);
    item.append(who, make("span", record.message, "text"));
    item.dataset.user = record.user_id;
    if (record.id) byMessage.set(record.id, item);
  } else {
    item.append(make("span", happened(record), "text"));
  }
  chat.append(item);
  byId("quiet").hidden = true;
}

let waiting = [];
function draw() {
  for (const record of waiting) show(record);
  waiting = [];
  while (chat.children.length > MOST) chat.firstElementChild.remove();
  if (byMessage.size > 4 * MOST) for (const [id, item] of byMessage) if (!item.isConnected) byMessage.delete(id);
  if (byId("follow").checked) window.scrollTo(0, document.body.scrollHeight);
}

const stream = new EventSource(base + "/live");
stream.onopen = () => {
  // What was shown comes again from the beginning.
  chat.replaceChildren();
  byMessage.clear();
  byId("stream").textContent = "Live";
};
stream.onerror = () => { byId("stream").textContent = "The connection is lost; it is tried again"; };
stream.onmessage = (event) => {
  try { waiting.push(JSON.parse(event.data)); } catch (error) { return; }
  if (waiting.length > 2 * MOST) waiting = waiting.slice(-MOST);
  if (waiting.length === 1) requestAnimationFrame(draw);
};
stream.addEventListener("skipped", (event) => {
  byId("stream").textContent = "Live; " + event.data + " messages were skipped, because this browser was too slow";
});

async function look() {
  try {
    const answer = await fetch(base, { cache: "no-cache" });
    if (answer.status === 404) {
      byId("facts").textContent = "This room is not recorded.";
      return;
    }
    const room = await answer.json();
    byId("state").replaceChildren(state(room.state, room.state === "recorded"));
    byId("facts").textContent = [Math.round(room.rate) + " messages a minute", "coverage today " + share(room.coverage_today),
      room.gaps_today + (room.gaps_today === 1 ? " gap today" : " gaps today"), room.reason].filter(Boolean).join(" · ");
  } catch (error) {
    byId("facts").textContent = "The recorder does not answer.";
  }
}
setInterval(look, 5000);
look();
