// Why a day shows nothing: before the archive begins, all of it a gap, nobody there to record, not over yet, or
// silence. Each is said.

import { namedMoment } from "./base.js";
import { dayName, dayOf } from "./places.js";
import { BETWEEN, NO_LONGER, statement } from "./statements.js";

export function sayWhyEmpty(box, timeline, { day, room, isFiltered, error }) {
  if (error) return statement(box, "bad", "This day cannot be shown", `${error.message}. Load the page again in a while.`);
  if (timeline?.state === "opted_out") return statement(box, "note", "This person opted out", "They are not recorded any more, and nothing of them is shown.");
  if (isFiltered) return statement(box, "note", "Nothing of this day is like that", "Esc clears the filter. Search looks through other days as well.");
  const { first } = timeline.days;
  if (timeline.state === "partial") return statement(box, "bad", "This day could not be read", "What is above says which files are damaged or out of reach. chatlog verify tells more of them.");
  if (timeline.state === "expired") return statement(box, "note", "Not kept any longer", `What is said in ${room} is kept for ${timeline.kept}.`);
  if (timeline.state === "before") return statement(box, "note", `Before ${room} was recorded`, first ? `The archive of this room begins on ${dayName(first)}.` : "Nothing is stored of this room yet.");
  if (timeline.state === "gap") {
    const reasons = [...new Set(timeline.gaps.map(({ reason }) => reason))].slice(0, 3).join("; ");
    if (reasons === NO_LONGER && timeline.ended) return statement(box, "bad", "Nobody recorded this room on this day", `${room} was recorded until ${namedMoment(new Date(timeline.ended))}. Since then no recorder has stored anything of it. If one should, its page says how it is.`);
    if (reasons === BETWEEN) return statement(box, "bad", "Nobody recorded this room on this day", "It was recorded before and after, but no recorder was there on this day.");
    return statement(box, "bad", "Nothing was recorded on this day", `All of it is a gap: ${reasons}. What was said then is not in this archive.`);
  }
  if (day > dayOf(new Date())) return statement(box, "note", "This day has not begun", `It begins ${namedMoment(new Date(`${day}T00:00:00Z`))}.`);
  if (timeline.state === "unfinished" && day < dayOf(new Date())) return statement(box, "note", "Nothing is recorded of this day so far", "A recorder tells once an hour whether it was there. Load the page again in an hour or two.");
  if (timeline.state === "unfinished") return statement(box, "note", "This day is not over, and nothing is recorded of it so far", "What is said now appears here. If the room should be recorded at present, the recorder's page says how it is.");
  return statement(box, "note", "Nobody said anything on this day", "The room was recorded, and no gap is known.");
}
