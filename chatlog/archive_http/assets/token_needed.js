// What a public archive does only for whoever has the token: looking through all rooms.

import { bearer, element } from "./base.js";
import { askForToken, forget } from "./token.js";

async function refused(token) {
  try {
    const answer = await fetch("/api/v1/archive/optouts?limit=1", { headers: bearer(token), cache: "no-store" });
    if (answer.status === 401) return "That is not the token of this archive.";
    if (answer.status === 429) return "Too many requests. Try again in a while.";
  } catch {
    return "The archive server does not answer.";
  }
  return "";
}

export const isNeeded = (error) => error.status === 401 || error.code === "no_token";

// Say so in a box, with a way to give it where there is one; `again` is called then.
export function offer(box, error, again) {
  const words = "Looking through all rooms is for those who run this archive. One room at a time is for everybody.";
  box.replaceChildren(words);
  if (error.status !== 401) return;
  const button = element("button", "", "Enter the token");
  button.type = "button";
  button.addEventListener("click", async () => {
    // One that was taken before is not right any more.
    forget();
    if (await askForToken("", refused)) again();
  });
  box.append(" ", button);
}
