// How the recorder is, in one sentence that stays in sight: as the recorder says it. What only the page can know
// is added here: that the recorder does not answer.

import { $, mark, namedMoment, say } from "./base.js";
import { lasted } from "./format.js";

// Milliseconds without an answer until it is said loudly.
const PATIENCE = 7000;
export const SEVERITIES = new Set(["ok", "note", "warning", "critical"]);

export class Headline {
  // `lost(true or false)` is called when the recorder is found not to answer, and when it answers again.
  constructor(lost) {
    this.lost = false;
    this.facts = null;
    this.error = null;
    this.heardAt = null;
    this.tell = lost;
    this.asked();
    this.ticked = performance.now();
    setInterval(() => this.tick(), 1000);
    const stuck = () => document.documentElement.style.setProperty("--stuck", `${$("verdict").offsetHeight}px`);
    new ResizeObserver(stuck).observe($("verdict"));
  }

  // Somebody looks again after a while in which nothing was asked.
  asked() {
    this.waitingSince = performance.now();
  }

  heard(facts) {
    this.facts = facts;
    this.error = null;
    this.heardAt = Date.now();
    this.asked();
    this.pulse("live", "live");
    if (this.lost) {
      this.lost = false;
      delete document.body.dataset.lost;
      this.tell(false);
    }
    this.show();
  }

  failed(error) {
    this.error = error;
    this.pulse("lost", "no answer");
    this.tick();
  }

  pulse(state, words) {
    mark($("pulse"), "state", state);
    say($("pulse"), words);
  }

  // Seconds since the recorder was heard, by which everything that is shown is too young.
  get late() {
    return this.heardAt === null ? 0 : (Date.now() - this.heardAt) / 1000;
  }

  tick() {
    const now = performance.now();
    // The machine has slept: nobody has asked in that time.
    if (now - this.ticked > 5000) this.asked();
    this.ticked = now;
    if (document.hidden || now - this.waitingSince < PATIENCE) return;
    if (!this.lost) {
      this.lost = true;
      document.body.dataset.lost = "";
      this.tell(true);
    }
    this.pulse("lost", "no answer");
    this.showLost();
    this.tell(true);
  }

  show() {
    const headline = this.facts.headline;
    const severity = SEVERITIES.has(headline.severity) ? headline.severity : "warning";
    mark($("verdict"), "severity", severity);
    const text = String(headline.text);
    say($("headline"), text);
    say($("advice"), "");
    document.title = `${text} · Chatlog`;
  }

  showLost() {
    mark($("verdict"), "severity", "critical");
    const { error, heardAt } = this;
    const speaks = error?.status !== undefined;
    const since = heardAt === null ? "" : ` since ${namedMoment(new Date(heardAt))}`;
    const text = speaks ? `The recorder answers with an error${since}` : `No answer from the recorder${since}`;
    say($("headline"), text);
    document.title = `No answer${since} · Chatlog`;
    const words = speaks ? `${error.message}. ` : "";
    const then = heardAt === null ? "It may not be recording. " : `This is ${lasted(this.late)} old, and it may not be recording. `;
    const remedy = "See whether it runs on its machine, and what its log says. This page goes on by itself.";
    say($("advice"), `${words}${then}${remedy}`);
  }
}
