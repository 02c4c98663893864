// Asking the archive's API for what is too much to be kept, and for lines that come one after another.

import { bearer } from "./base.js";
import { theToken } from "./token.js";

// The token goes to the server of this page alone.
const headers = (address) => (address.startsWith("/") && theToken() ? bearer(theToken()) : {});

async function trouble(answer) {
  const found = await answer.json().catch(() => null);
  const error = new Error(String(found?.error?.message ?? `HTTP ${answer.status}`));
  error.status = answer.status;
  error.code = String(found?.error?.code ?? "");
  return error;
}

// Its JSON. Throws where there is no answer, or one that is an error.
export async function get(address, signal) {
  let answer;
  try {
    answer = await fetch(address, { signal, headers: headers(address), cache: "no-store" });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Error("The archive server does not answer");
  }
  if (!answer.ok) throw await trouble(answer);
  return answer.json();
}

// Each line of an answer as it comes, parsed. Throws as `get` does, and where the answer breaks off.
export async function* rows(address, signal) {
  const answer = await fetch(address, { signal, headers: headers(address), cache: "no-store" });
  if (!answer.ok) throw await trouble(answer);
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const lines = (rest + value).split("\n");
    rest = lines.pop();
    for (const line of lines) {
      try {
        yield JSON.parse(line);
      } catch {
        // Not a line of JSON: it is passed over.
      }
    }
  }
}
