// The card of one picture: the picture, its answer, where the network saw it, and how to ask by command.
import { ask, enqueue, Refusal, server, typeOf } from "./asking.js";
import { announce, dress, grown, has, number, percent, put, say } from "./words.js";

const FIRST_CLASSES = 5;
const MEBIBYTE = 1 << 20;

/** All that are on the page. */
export const cards = new Set();

export function newCard(file) {
  const node = grown("card");
  const part = (name) => node.querySelector(name);
  const card = { file, node, part, address: URL.createObjectURL(file), stop: new AbortController() };
  dress(node);
  part("h3").textContent = file.name;
  part("h3").id = `of-${card.address.split("/").pop()}`;
  node.setAttribute("aria-labelledby", part("h3").id);
  for (const button of node.querySelectorAll("button"))
    button.setAttribute("aria-describedby", part("h3").id);
  const does = { where: toggleHeat, again, remove: removeOne, copy };
  for (const [name, act] of Object.entries(does))
    part(`.${name}`).addEventListener("click", () => act(card));
  part("select").addEventListener("change", () => loadHeat(card));
  part("input").addEventListener("input", () => fade(card));
  put(part(".picture"), () => say("picture", { file: file.name }), "alt");
  part(".picture").addEventListener("error", () => {
    part(".picture").hidden = true;
    part(".blank").hidden = false;
  });
  part(".picture").src = card.address;
  cards.add(card);
  return card;
}

export function predict(card) {
  const { file, part, stop: { signal } } = card;
  setState(card, "waiting", () => say("waiting"));
  part(".again").hidden = true;
  tellFault(card);
  enqueue(async () => {
    try {
      await server.ready;
      signal.throwIfAborted();
      checkSize(file);
      setState(card, "waiting", () => say("asking"));
      const onWait = (tell) => setState(card, "waiting", tell);
      showAnswer(card, await ask("predict", { file, signal, onWait }));
    } catch (error) {
      if (!signal.aborted) showFailure(card, error);
    }
  });
}

function checkSize(file) {
  const limit = server.facts?.largest_body ?? Infinity;
  const size = (bytes) => number(bytes / MEBIBYTE, 1);
  if (file.size > limit)
    throw new Refusal(413, () => say("large", { size: size(file.size), limit: size(limit) }));
}

function setState(card, state, tell) {
  card.node.dataset.state = state;
  put(card.part(".answer"), tell);
  tally();
}

function tally() {
  const undone = [...cards].filter((card) => card.node.dataset.state === "waiting").length;
  const [done, all] = [cards.size - undone, cards.size];
  const progress = document.getElementById("progress");
  put(progress, () => say("progress", { done: number(done), all: number(all) }));
  document.getElementById("work").hidden = !all;
}

function showAnswer(card, text) {
  const { file, part } = card;
  const { label, score, scores, sure, unlike } = JSON.parse(text);
  const state = unlike ? "unlike" : sure ? "sure" : "unsure";
  // Sorted once more: an object puts classes whose names are numbers first.
  showBars(part, Object.entries(scores).sort(([, one], [, other]) => other - one));
  card.label = label;
  part(".where").hidden = !server.facts?.explains;
  part(".json").textContent = spread(text);
  part(".curl").textContent = command(file);
  part(".raw").hidden = false;
  setState(card, state, () => say(state, { label }));
  const answer = say(state, { label });
  announce(say("came", { file: file.name, answer, score: percent(score) }));
}

function showBars(part, rows) {
  const [first, others] = [rows.slice(0, FIRST_CLASSES), rows.slice(FIRST_CLASSES)];
  const rest = part(".rest");
  part(".bars").replaceChildren(...first.map(bar));
  part(".bars").hidden = false;
  rest.hidden = !others.length;
  put(rest.querySelector("summary"), () => say("more", { count: number(others.length) }));
  const open = () => rest.querySelector("ol").replaceChildren(...others.map(bar));
  rest.addEventListener("toggle", open, { once: true });
  part("select").replaceChildren(...rows.map(([name]) => new Option(name, name)));
}

function bar([name, score]) {
  const row = grown("row");
  row.querySelector(".class").textContent = name;
  row.querySelector(".fill").style.inlineSize = `${100 * score}%`;
  put(row.querySelector(".share"), () => percent(score));
  return row;
}

function showFailure(card, error) {
  const { status = -1 } = error;
  const key = has(`failed${status}`) ? `failed${status}` : "failed";
  setState(card, "failed", () => say(key));
  tellFault(card, error);
  card.part(".again").hidden = !([0, 401, 408, 429].includes(status) || status >= 500);
  const why = card.part(".message").textContent;
  announce(say("came", { file: card.file.name, answer: say(key), score: why }));
}

/** Why there is no answer or no heat map; without an error, nothing. */
function tellFault({ part }, error = null) {
  const message = part(".message");
  put(message, error ? (error.tell ?? (() => say("garbled"))) : () => "");
  if (error?.served) message.lang = "en";
  else message.removeAttribute("lang");
  put(part(".request"), () => (error?.request ? say("request", { id: error.request }) : ""));
}

function again(card) {
  server.declined = false;
  card.part(".remove").focus();
  predict(card);
}

// ---- Where the network saw it

function toggleHeat(card) {
  const { part } = card;
  if (!part(".heat").hidden) showHeat(card, false);
  else if (part(".map").getAttribute("src")) showHeat(card, true);
  else loadHeat(card);
}

function loadHeat(card) {
  const { file, part, stop: { signal } } = card;
  const name = part("select").value;
  const onWait = (tell) => put(part(".where"), tell);
  onWait(() => say("looking"));
  tellFault(card);
  enqueue(async () => {
    try {
      const path = `explain?class=${encodeURIComponent(name)}`;
      const found = JSON.parse(await ask(path, { file, signal, onWait }));
      // Another class may have been chosen since.
      if (name !== part("select").value) return;
      part(".seen").src = found.picture;
      part(".map").src = found.heat;
      put(part(".seen"), () => say("square", { file: file.name }), "alt");
      put(part(".map"), () => say("heat", { file: file.name, label: name }), "alt");
      showHeat(card, true);
      announce(say("heatCame", { file: file.name }));
    } catch (error) {
      if (signal.aborted) return;
      put(part(".where"), () => say("where"));
      tellFault(card, error);
      announce(part(".message").textContent);
    }
  }, true);
}

function showHeat(card, shown) {
  const { node, part } = card;
  node.classList.toggle("explained", shown);
  part(".stack").hidden = part(".heat").hidden = !shown;
  part(".where").ariaExpanded = String(shown);
  put(part(".where"), () => say(shown ? "whole" : "where"));
  fade(card);
}

function fade({ part }) {
  const share = Number(part("input").value);
  part(".map").style.opacity = share / 100;
  put(part("input"), () => say("sliderAt", { share: number(share) }), "ariaValueText");
}

// ---- The same by command

/** JSON over several lines, in the order in which it came. */
function spread(text) {
  let indent = "\n";
  const signs = {
    "{": () => `{${(indent += "  ")}`,
    "}": () => `${(indent = indent.slice(0, -2))}}`,
    ",": () => `,${indent}`,
    ":": () => ": ",
  };
  const pieces = /("(?:[^"\\]|\\.)*")|\s*([{},:])\s*|\s+/g;
  return text.replace(pieces, (_, string, sign) => string ?? signs[sign]?.() ?? "");
}

function command(file) {
  const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;
  const address = new URL("predict", document.baseURI).href;
  return [
    `curl -H ${quoted(`Content-Type: ${typeOf(file)}`)}`,
    ...(server.facts?.needs_token ? ['-H "Authorization: Bearer $TOKEN"'] : []),
    `--data-binary ${quoted(`@${file.name}`)}`,
    quoted(address),
  ].join(" \\\n  ");
}

async function copy({ part }) {
  let copied = true;
  try {
    await navigator.clipboard.writeText(part(".curl").textContent);
  } catch {
    // Without https, browsers give the clipboard only to pages of this very machine.
    getSelection().selectAllChildren(part(".curl"));
    copied = document.execCommand("copy");
  }
  const key = copied ? "copied" : "uncopied";
  put(part(".copy"), () => say(key));
  announce(say(key));
  setTimeout(() => put(part(".copy"), () => say("copy")), 3000);
}

// ---- Gone

export function remove(card) {
  card.stop.abort();
  URL.revokeObjectURL(card.address);
  card.node.remove();
  cards.delete(card);
  tally();
}

function removeOne(card) {
  const near = card.node.nextElementSibling ?? card.node.previousElementSibling;
  remove(card);
  (near?.querySelector(".remove") ?? document.getElementById("files")).focus();
  announce(say("removed", { file: card.file.name }));
}
