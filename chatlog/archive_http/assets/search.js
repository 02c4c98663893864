// The search over all rooms, or one.

import { $, switches } from "./base.js";
import { channels } from "./channels.js";
import { Finder } from "./finder.js";
import { besides, query } from "./places.js";

const FIELDS = ["q", "user", "room", "from", "to", "type"];
const finder = new Finder();

// As people name rooms: x, #x, twitch/x, the address of a channel's page.
function roomOf(text) {
  const found = channels(text, "twitch").filter(({ platform }) => platform);
  return found.map(({ platform, name }) => `${platform}/${name}`).join(",");
}

function wanted() {
  const values = Object.fromEntries(FIELDS.map((id) => [id, $(id).value.trim()]));
  return { ...values, regex: $("regex").checked ? "1" : "" };
}

function search() {
  const asked = wanted();
  history.replaceState(null, "", `?${query(asked)}`);
  const range = asked.from || asked.to ? { from: `${asked.from || besides(asked.to, -30)}T00:00:00Z`, ...(asked.to ? { to: `${besides(asked.to, 1)}T00:00:00Z` } : { to: "" }) } : {};
  finder.begin({ ...asked, room: roomOf(asked.room) || asked.room, user: asked.user.replace(/^@/, ""), ...range });
}

switches();
const given = new URLSearchParams(location.search);
for (const id of FIELDS) $(id).value = given.get(id) ?? "";
$("regex").checked = Boolean(given.get("regex"));
$("form").addEventListener("submit", (event) => {
  event.preventDefault();
  search();
});
if (FIELDS.some((id) => given.get(id) && ["q", "user", "type"].includes(id))) search();
else $("q").focus();
