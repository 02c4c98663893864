// What is wrong, one by one, as the recorder says it.

import { $, element, moment, say } from "./base.js";
import { count } from "./format.js";
import { SEVERITIES } from "./headline.js";

// What is told at first; the rest on demand.
const SHOWN = 6;
const ROOM = /^([a-z]+)\/([a-z0-9_-]{1,64})$/;

function about(subject) {
  const room = ROOM.exec(subject);
  if (!room) return element("b", "subject", subject);
  const link = element("a", "subject", subject);
  link.href = `/rooms/${room[1]}/${encodeURIComponent(room[2])}`;
  return link;
}

function condition({ code, severity, subject, since, text, remedy }, now) {
  const item = element("li");
  item.dataset.severity = SEVERITIES.has(severity) ? severity : "warning";
  const head = element("p", "what");
  if (subject) head.append(about(String(subject)), " ");
  head.append(element("span", "", String(text ?? code)));
  item.title = code;
  // Some texts say it themselves.
  if (since && now - since >= 60 && !/\bsince\b/.test(text)) {
    head.append(" ", element("span", "age quiet", `since ${moment(new Date(since * 1000))}`));
  }
  item.append(head);
  if (remedy) item.append(element("p", "remedy", String(remedy)));
  return item;
}

export class Conditions {
  constructor() {
    this.all = false;
    this.found = [];
    this.now = 0;
    $("more-conditions").addEventListener("click", () => {
      this.all = !this.all;
      this.draw();
    });
  }

  show(conditions, now) {
    this.found = Array.isArray(conditions) ? conditions : [];
    this.now = now;
    this.draw();
  }

  draw() {
    const list = $("conditions");
    const shown = this.all ? this.found : this.found.slice(0, SHOWN);
    const wanted = shown.map((each) => condition(each, this.now));
    const same = wanted.length === list.children.length && wanted.every((item, at) => item.isEqualNode(list.children[at]));
    if (!same) list.replaceChildren(...wanted);
    $("problems").hidden = !this.found.length;
    $("more-conditions").hidden = this.found.length <= SHOWN;
    say($("more-conditions"), this.all ? "Fewer" : `${count(this.found.length - SHOWN)} more`);
  }
}
