// The token, which whoever changes something has to know. It is kept for this tab alone, and sent in a header
// to this recorder, never as part of an address.

import { element, send } from "./base.js";

const KEY = "chatlog.token";
let inMemory = "";
const onTurn = [];

export function theToken() {
  try {
    return sessionStorage.getItem(KEY) ?? "";
  } catch {
    return inMemory;
  }
}

function keep(token) {
  inMemory = token;
  try {
    if (token) sessionStorage.setItem(KEY, token);
    else sessionStorage.removeItem(KEY);
  } catch {
    // A browser that keeps nothing: until the page is left.
  }
  onTurn.forEach((call) => call(token !== ""));
}

export const forget = () => keep("");

// To be called when there is a token, and when there is none any more.
export function whenTokenTurns(call) {
  onTurn.push(call);
}

// Why the recorder would let nobody change anything with this token; "" if it would. Nothing is changed by
// asking: the recorder looks at the token first, and at what is asked for afterwards.
async function refusal(token) {
  try {
    await send("POST", "/api/v1/rooms", token, {});
  } catch (error) {
    if (error.code === "bad_room") return "";
    if (error.code === "wrong_token") return "That is not the token of this recorder.";
    if (error.code === "no_token") return "This recorder has no token, so nothing can be changed here. Put http.token into its configuration and send it SIGHUP.";
    return error.message;
  }
  return "";
}

function dialog() {
  const box = element("dialog", "ask");
  box.setAttribute("aria-labelledby", "ask-title");
  const form = element("form");
  const title = element("h2", "", "The token");
  title.id = "ask-title";
  const why = element("p", "quiet", "It is http.token in the configuration. It is kept until this tab is closed.");
  const label = element("label", "field", "Token");
  const input = element("input");
  Object.assign(input, { type: "password", autocomplete: "off", required: true, maxLength: 1000, spellcheck: false });
  label.append(input);
  const trouble = element("p", "trouble");
  trouble.setAttribute("role", "alert");
  const buttons = element("p", "buttons");
  const [enter, cancel] = [element("button", "main", "Enter"), element("button", "", "Cancel")];
  cancel.type = "button";
  buttons.append(enter, cancel);
  form.append(title, why, label, trouble, buttons);
  box.append(form);
  return { box, form, input, trouble, enter, cancel };
}

// The token, which is asked for if it is not known yet; "" if nobody wants to give it.
// `refused(token)` tells why it is none; "" if it is one.
export function askForToken(words = "", refused = refusal) {
  if (theToken()) return Promise.resolve(theToken());
  return new Promise((resolve) => {
    const { box, form, input, trouble, enter, cancel } = dialog();
    trouble.textContent = words;
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      const given = input.value.trim();
      if (!given) return;
      enter.disabled = true;
      trouble.textContent = "";
      const why = await refused(given);
      enter.disabled = false;
      trouble.textContent = why;
      if (why) {
        input.focus();
        input.select();
        return;
      }
      keep(given);
      box.close();
    });
    cancel.addEventListener("click", () => box.close());
    box.addEventListener("close", () => {
      box.remove();
      resolve(theToken());
    });
    document.body.append(box);
    box.showModal();
  });
}

// Change something with the token. A token that is not right any more is forgotten. Throws as `send` does.
export async function change(method, address, value) {
  try {
    return await send(method, address, theToken(), value);
  } catch (error) {
    if (error.code === "wrong_token" || error.code === "no_token") forget();
    throw error;
  }
}

export const addressOf = (room) => `/api/v1/rooms/${encodeURIComponent(room.platform)}/${encodeURIComponent(room.name)}`;

// Somebody knows that a room is not recorded, or wants to be told of it again.
export const canBeAcknowledged = (room) => room.state !== "recorded" && room.state !== "unwritten" && !room.acknowledged;
export const acknowledge = (room, known) => change(known ? "POST" : "DELETE", `${addressOf(room)}/acknowledge`);
