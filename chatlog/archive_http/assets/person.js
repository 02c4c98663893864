// A person's page: what is known of them, and what they wrote, the newest first.

import { $, say, switches, whenClockTurns } from "./base.js";
import { Finder } from "./finder.js";
import { path } from "./places.js";
import { isNeeded, offer } from "./token_needed.js";
import { askPerson, deeds, notLookedUp, personNodes } from "./whom.js";

const [platform, user] = path();
let room = new URLSearchParams(location.search).get("room") ?? "";
let facts = null;

function draw() {
  $("known").replaceChildren(...personNodes(facts, user));
}

async function look() {
  say($("state"), room ? `Looking through ${room}` : "Looking through all rooms; that may take a while");
  $("state").hidden = false;
  $("everywhere").hidden = true;
  $("written").hidden = false;
  finder.begin({ user, room, platform }, false);
  try {
    facts = await askPerson(platform, user, { room });
    const latest = [...facts.names].sort((one, other) => (one.last < other.last ? 1 : -1))[0];
    if (latest) {
      say($("name"), latest.name);
      document.title = `${latest.name} · Chatlog archive`;
    }
    draw();
    $("state").hidden = true;
    const done = room ? await deeds(room, user) : null;
    if (done) $("known").append(done);
  } catch (error) {
    // Of these there is nothing to be found either.
    $("written").hidden = isNeeded(error) || error.code === "opted_out";
    if (isNeeded(error)) offer($("state"), error, look);
    else say($("state"), notLookedUp(error));
  }
  $("everywhere").hidden = !room;
}

const finder = new Finder();
switches();
say($("platform"), `${platform}/`);
say($("name"), user);
document.title = `${user} · Chatlog archive`;
$("everywhere").addEventListener("click", () => {
  room = "";
  history.replaceState(null, "", location.pathname);
  look();
});
whenClockTurns(() => facts && draw());
look();
