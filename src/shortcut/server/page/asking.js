// How the server is asked: few requests at once, again where it is busy, with the token if it wants one.
import { number, say } from "./words.js";

const MOST_REQUESTS = 4;
const MOST_TRIES = 5;
// Pictures with which its worker died may be what it died of.
const MOST_DEATHS = 2;
const LONGEST_WAIT = 60;

const door = document.getElementById("door");
const field = document.getElementById("token");

/** `facts` are what `/model` says; `ready` ends when that is known, or known to fail. */
export const server = { facts: null, ready: null, token: "", declined: false };

/** No answer. `tell` says why; `served` if in the words of the server. */
export class Refusal extends Error {
  constructor(status, tell, more = {}) {
    super();
    Object.assign(this, { status, tell }, more);
  }
}

const waiting = [];
let running = 0;

/** Runs a task when fewer than the most requests run; `soon` before all others that wait. */
export function enqueue(task, soon = false) {
  waiting[soon ? "unshift" : "push"](task);
  advance();
}

async function advance() {
  if (running === MOST_REQUESTS || !waiting.length) return;
  running += 1;
  try {
    await waiting.shift()();
  } finally {
    running -= 1;
    advance();
  }
}

/** The text of the answer; where it may go better later, asks again by itself. */
export async function ask(path, { file, signal, onWait }) {
  const body = file && (await unlessStopped(file.arrayBuffer(), signal));
  if (body === null) throw new Refusal(-1, () => say("unopened"));
  if (file && server.facts?.needs_token && !server.token) await askToken(false);
  let deaths = 0;
  for (let tries = 1; ; tries += 1) {
    const { token } = server;
    const headers = file ? { "Content-Type": typeOf(file) } : {};
    if (token) headers.Authorization = `Bearer ${token}`;
    const sent = fetch(path, { method: file ? "POST" : "GET", body, headers, signal });
    const response = await unlessStopped(sent, signal);
    if (response?.ok) return response.text();
    const status = response?.status ?? 0;
    if (status === 401 && (token !== server.token || (await askToken(Boolean(token))))) continue;
    const told = (await response?.json().catch(() => null)) ?? {};
    if (told.error?.code === "lost") deaths += 1;
    const over = tries >= MOST_TRIES || deaths >= MOST_DEATHS;
    if (![0, 429, 503].includes(status) || over) throw refusal(status, told);
    const seconds = Math.min(Number(response?.headers.get("Retry-After")) || 1, LONGEST_WAIT);
    onWait(() => say(`retry${status}`, { seconds: number(seconds) }));
    await pause(seconds, signal);
    signal?.throwIfAborted();
  }
}

export const typeOf = (file) => file.type || "application/octet-stream";

async function unlessStopped(promise, signal) {
  try {
    return await promise;
  } catch {
    signal?.throwIfAborted();
    return null;
  }
}

function pause(seconds, signal) {
  return new Promise((done) => {
    setTimeout(done, 1000 * seconds);
    signal?.addEventListener("abort", done, { once: true });
  });
}

function refusal(status, told) {
  if (!status) return new Refusal(0, () => say("unreached"));
  const message = told.error?.message;
  if (!message) return new Refusal(status, () => say("status", { status }));
  return new Refusal(status, () => message, { served: true, request: told.request_id });
}

// Several requests may need the token at once: one dialog serves all.
let asked = null;

function askToken(wrong) {
  if (server.declined) return false;
  asked ??= new Promise((done) => {
    document.getElementById("wrong").hidden = !wrong;
    door.returnValue = "";
    door.showModal();
    const close = () => {
      asked = null;
      server.declined = door.returnValue !== "given";
      done(!server.declined);
    };
    door.addEventListener("close", close, { once: true });
  });
  return asked;
}

door.querySelector("form").addEventListener("submit", (event) => {
  event.preventDefault();
  server.token = field.value.trim();
  field.value = "";
  door.close("given");
});
document.getElementById("leave").addEventListener("click", () => door.close());
