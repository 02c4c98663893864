// The recorders that share their rooms. Hidden for a recorder that is alone.

import { $, element, say } from "./base.js";
import { count, duration, many } from "./format.js";

const STATES = { active: "recorded", draining: "wanted", unwell: "silent", unknown: "wanted" };

// Only addresses of pages become links: what others say of themselves is not ours.
function linked(name, url) {
  if (!/^https?:\/\/[^\s]+$/.test(url)) return element("span", "", name);
  const link = element("a", "", name);
  link.href = url;
  link.rel = "noreferrer";
  return link;
}

function row(member) {
  const made = element("tr");
  made.dataset.state = STATES[member.state] ?? "wanted";
  const state = element("td", "state");
  const dot = element("span", "dot");
  dot.setAttribute("aria-hidden", "true");
  state.append(dot, element("span", "word", member.state));
  const name = element("th", "name");
  name.scope = "row";
  name.append(member.me ? element("span", "", `${member.name} · this one`) : linked(member.name, member.url));
  if (member.unwell.length) name.append(element("span", "reason", `hears too little of ${member.unwell.join(", ")}`));
  made.append(
    state,
    name,
    element("td", "", member.zone || "–"),
    element("td", "number", `${count(member.rooms)} of ${count(member.capacity)}`),
    element("td", "number", duration(member.age)),
  );
  return made;
}

// What is under way and what is short, in words.
function sentences(cluster) {
  const { engine, slots, short, unassigned } = cluster;
  const sum = (state) => Object.values(slots).reduce((total, each) => total + each[state], 0);
  const moving = sum("starting") + sum("withdrawn") + sum("leaving");
  return [
    `${engine.place} ${engine.up ? "answers" : `has not answered for ${duration(engine.age)}`}`,
    `${many(cluster.list.rooms, "room")} on the list`,
    moving ? `${many(moving, "slot")} of this recorder under way (${sum("starting")} coming, ${sum("withdrawn") + sum("leaving")} going)` : "nothing is under way here",
    short ? `${many(short, "room")} short of recorders` : "",
    unassigned ? `${many(unassigned, "room")} of nobody` : "",
    ...cluster.lost.map((each) => `${each.name} is gone for ${duration(each.for)}`),
    cluster.draining ? "this recorder hands its rooms over" : "",
  ].filter(Boolean);
}

export function showCluster(cluster) {
  $("cluster-box").hidden = !cluster;
  if (!cluster) return;
  const active = cluster.members.filter((member) => member.state === "active").length;
  say($("cluster-count"), `${cluster.name}: ${count(active)} of ${many(cluster.members.length, "recorder")} active`);
  if (!$("cluster-box").open) return;
  $("members").replaceChildren(...cluster.members.map(row));
  say($("cluster-words"), sentences(cluster).join(" · "));
}
