// Adding and removing rooms, and what becomes of each.

import { $, ask, element, mark, say } from "./base.js";
import { channels } from "./channels.js";
import { duration, many } from "./format.js";
import { acknowledge, addressOf, askForToken, canBeAcknowledged, change, forget, theToken, whenTokenTurns } from "./token.js";

// Milliseconds between two looks at what has become of the rooms, rooms in one look, and how long it is
// looked at all.
const EVERY = 1500;
const AT_ONCE = 20;
const PATIENCE = 120000;
const MOST = 500;

const NOT_YET = {
  wanted: "waiting for its turn",
  requested: "asked the platform, no answer yet",
  silent: "asked the platform, which does not answer",
  unwritten: "arrives, and cannot be written",
};

// What became of one room.
class Outcome {
  constructor(channel) {
    this.channel = channel;
    this.item = element("li");
    const dot = element("span", "dot");
    dot.setAttribute("aria-hidden", "true");
    this.words = element("span", "words");
    this.item.append(dot, element("bdi", "subject", channel.trouble ? channel.text : `${channel.platform}/${channel.name}`), " ", this.words);
    this.open = false;
    this.began = performance.now();
    this.say(channel.trouble ? "refused" : "wanted", channel.trouble ?? "to be recorded");
  }

  say(state, words) {
    mark(this.item, "state", state);
    say(this.words, words);
  }

  fail(words) {
    this.open = false;
    this.say("refused", words);
  }

  // How the room is by now.
  show(room) {
    if (room.state === "recorded") {
      this.open = false;
      this.say("recorded", "is being recorded");
    } else if (room.state === "refused") {
      this.fail(`is not recorded: ${room.reason || "the platform refuses it"}${room.remedy ? `. ${room.remedy}` : ""}`);
    } else if (room.problem === "unidentified" && room.remedy) {
      // It is looked up again now and then, so this need not be the last word.
      this.open = performance.now() - this.began < PATIENCE;
      this.say("refused", `is not recorded: ${room.reason}. ${room.remedy}`);
    } else {
      const waited = performance.now() - this.began;
      const why = room.reason || NOT_YET[room.state] || room.state;
      this.open = waited < PATIENCE;
      this.say(room.state, this.open ? why : `not recorded after ${duration(waited / 1000)}: ${why}. The recorder goes on trying.`);
    }
  }
}

export class Changes {
  // `rooms` is the table; `changed()` is called when something was changed.
  constructor(rooms, changed) {
    this.rooms = rooms;
    this.changed = changed;
    this.outcomes = [];
    this.at = 0;
    this.timer = 0;
    $("change").addEventListener("click", () => ($("changing").hidden ? this.begin() : this.end()));
    $("done").addEventListener("click", () => this.end());
    $("forget").addEventListener("click", forget);
    $("add-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.add();
    });
    $("stop").addEventListener("click", () => this.confirm(true));
    $("keep").addEventListener("click", () => this.confirm(false));
    $("really").addEventListener("click", () => this.remove());
    $("acknowledge").addEventListener("click", () => this.acknowledge());
    $("unacknowledge").addEventListener("click", () => this.unacknowledge());
    rooms.onChosen = () => this.showChosen();
    whenTokenTurns((known) => known || this.end());
  }

  async begin(names = "") {
    if (!(await askForToken())) return;
    $("changing").hidden = false;
    $("change").setAttribute("aria-expanded", "true");
    this.rooms.choosing(true);
    if (names) $("names").value = names;
    $("names").focus();
  }

  end() {
    if ($("changing").hidden) return;
    $("changing").hidden = true;
    $("change").setAttribute("aria-expanded", "false");
    this.rooms.choosing(false);
    this.showChosen();
    $("change").focus();
  }

  told(words) {
    say($("told"), words);
  }

  // A change that did not come about, in words; null when there is no use in going on with others.
  async trouble(error) {
    if (error.code !== "wrong_token" && error.code !== "no_token") return error.message;
    await askForToken(error.message);
    if (theToken()) this.begin();
    return null;
  }

  // -- adding

  async add() {
    const platform = new FormData($("add-form")).get("platform");
    const found = channels($("names").value, platform);
    if (!found.length) return;
    if (found.length > MOST) {
      this.told(`That are ${many(found.length, "room")}; at most ${MOST} at a time, please.`);
      return;
    }
    this.told("");
    const outcomes = found.map((channel) => new Outcome(channel));
    const keys = new Set(outcomes.map((each) => each.item.querySelector(".subject").textContent));
    this.outcomes = [...outcomes, ...this.outcomes.filter((each) => !keys.has(each.item.querySelector(".subject").textContent))].slice(0, MOST);
    $("outcomes").replaceChildren(...this.outcomes.map((each) => each.item));
    $("names").value = "";
    for (const outcome of outcomes) {
      const { platform: where, name, trouble } = outcome.channel;
      if (trouble) continue;
      try {
        const { added } = await change("POST", "/api/v1/rooms", { platform: where, name });
        outcome.say("wanted", added ? "added, asking the platform" : "was on the list already");
        outcome.open = true;
        outcome.began = performance.now();
      } catch (error) {
        const words = await this.trouble(error);
        outcome.fail(words ?? "not added: the token was not accepted");
        if (words === null) break;
      }
    }
    this.changed();
    this.follow();
  }

  follow() {
    clearTimeout(this.timer);
    if (this.outcomes.some((each) => each.open)) this.timer = setTimeout(() => this.look(), EVERY);
  }

  async look() {
    const open = this.outcomes.filter((each) => each.open);
    for (const outcome of [...open, ...open].slice(this.at % open.length, (this.at % open.length) + Math.min(AT_ONCE, open.length))) {
      try {
        const room = await ask(addressOf(outcome.channel));
        outcome.show(room);
        this.rooms.update(room);
      } catch (error) {
        if (error.status === 404) outcome.fail("is not on the list any more");
      }
    }
    this.at += AT_ONCE;
    if (!this.outcomes.some((each) => each.open)) this.changed();
    this.follow();
  }

  // -- what is chosen in the table

  showChosen() {
    const chosen = this.rooms.chosen();
    const bar = $("chosen");
    bar.hidden = !chosen.length;
    this.confirm(false);
    if (!chosen.length) return;
    say($("how-many"), `${many(chosen.length, "room")} chosen`);
    $("acknowledge").hidden = !chosen.some(canBeAcknowledged);
    $("unacknowledge").hidden = !chosen.some((room) => room.acknowledged);
  }

  confirm(asked) {
    $("choice").hidden = asked;
    $("sure").hidden = !asked;
    if (!asked) return;
    const chosen = this.rooms.chosen();
    const names = chosen.slice(0, 3).map((room) => `${room.platform}/${room.name}`).join(", ");
    const more = chosen.length > 3 ? ` and ${many(chosen.length - 3, "other")}` : "";
    say($("question"), `Stop recording ${names}${more}? What is recorded stays.`);
    $("keep").focus();
  }

  async forEach(rooms, work, done) {
    let count = 0;
    for (const room of rooms) {
      try {
        await work(room);
        count += 1;
      } catch (error) {
        if (error.status === 404) continue;
        const words = await this.trouble(error);
        this.told(words === null ? "The token was not accepted." : `${room.platform}/${room.name}: ${words}`);
        break;
      }
    }
    if (count) this.told(done(count));
    this.rooms.choose([]);
    this.changed();
  }

  remove() {
    return this.forEach(
      this.rooms.chosen(),
      (room) => change("DELETE", addressOf(room)),
      (count) => `${many(count, "room")} ${count === 1 ? "is" : "are"} not recorded any more.`,
    );
  }

  acknowledge() {
    return this.forEach(
      this.rooms.chosen().filter(canBeAcknowledged),
      (room) => acknowledge(room, true),
      (count) => `${many(count, "room")} acknowledged: not told of any more until recorded again.`,
    );
  }

  unacknowledge() {
    return this.forEach(
      this.rooms.chosen().filter((room) => room.acknowledged),
      (room) => acknowledge(room, false),
      (count) => `${many(count, "room")} told of again.`,
    );
  }
}
