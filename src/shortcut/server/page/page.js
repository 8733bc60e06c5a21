// The page at work: takes pictures however they come, and shows what the model is.
import { ask, server } from "./asking.js";
import { cards, newCard, predict, remove } from "./card.js";
import { announce, date, dress, listed, made, number, percent, put, say, speak } from "./words.js";

const FEW_CLASSES = 4;
const FOLDED_CLASSES = 12;
const ENGINES = { openvino: "OpenVINO", onnxruntime: "ONNX Runtime", torch: "PyTorch" };

const find = (name) => document.getElementById(name);

// ---- Pictures come

function take(files) {
  server.declined = false;
  const fresh = [...files].map(newCard);
  find("cards").prepend(...fresh.map((card) => card.node));
  fresh.forEach(predict);
}

function takeChosen({ target }) {
  take(target.files);
  // Else to choose the same file again would be no change.
  target.value = "";
}

function hover(event) {
  if (!event.dataTransfer.types.includes("Files")) return;
  event.preventDefault();
  event.dataTransfer.dropEffect = "copy";
  find("zone").classList.add("over");
}

function drop(event) {
  find("zone").classList.remove("over");
  if (!event.dataTransfer.types.includes("Files")) return;
  event.preventDefault();
  take(event.dataTransfer.files);
}

function paste(event) {
  const { files } = event.clipboardData;
  if (!files.length) return;
  event.preventDefault();
  take(files);
}

function clear() {
  [...cards].forEach(remove);
  find("files").focus();
  announce(say("cleared"));
}

// ---- The model

function loadModel() {
  const onWait = (tell) => put(find("state"), tell);
  onWait(() => say("loading"));
  server.ready = ask("model", { onWait })
    .then((text) => {
      server.facts = JSON.parse(text);
      showModel(server.facts);
    })
    .catch((error) => {
      onWait(error.tell ?? (() => say("garbled")));
      find("reload").hidden = false;
    });
}

function showModel(facts) {
  const { classes, created, engine, image_size: side, network, precision, sure_from: limit } = facts;
  find("state").hidden = find("reload").hidden = true;
  find("facts").hidden = false;
  find("name").textContent = facts.name;
  find("version").textContent = facts.version;
  find("engine").textContent = `${ENGINES[engine] ?? engine}, ${precision}`;
  put(find("knows"), () => knows(classes));
  put(find("network"), () => say("sees", { network, side: number(side) }));
  put(find("accuracy"), () => accuracy(facts));
  put(find("created"), () => (created ? date(created) : say("undated")));
  put(find("means-unsure"), () =>
    limit > 0 ? say("meansUnsure", { limit: percent(limit) }) : say("neverUnsure"));
  put(find("means-unlike"), () => say(facts.tells_unlike ? "meansUnlike" : "neverUnlike"));
  showClasses(classes);
}

function knows(classes) {
  const count = number(classes.length);
  if (classes.length > FEW_CLASSES)
    return say("knowsMany", { count, few: listed(classes.slice(0, FEW_CLASSES)) });
  return say("knows", { few: listed(classes) });
}

function showClasses(classes) {
  const list = made("ul");
  list.className = "names";
  list.append(...classes.map((name) => made("li", name)));
  if (classes.length <= FOLDED_CLASSES) return find("classes").replaceChildren(list);
  const [folded, summary] = [made("details"), made("summary")];
  put(summary, () => say("count", { count: number(classes.length) }));
  folded.append(summary, list);
  return find("classes").replaceChildren(folded);
}

function accuracy({ accuracy: share, images, interval, part }) {
  if (share === null) return say("unmeasured");
  const key = images === null ? "right" : part ? "rightOnPart" : "rightOn";
  const values = { images: images && number(images), part: part && say(part), share: percent(share) };
  const right = say(key, values);
  if (!interval) return right;
  const [low, high] = interval.map((end) => number(100 * end, 1));
  return say("interval", { right, low, high });
}

// ---- Begin

dress(document);
speak();
loadModel();
put(find("language"), () => say("other"));
put(find("language"), () => say("otherLang"), "lang");
find("language").addEventListener("click", () => speak(true));
find("reload").addEventListener("click", loadModel);
find("clear").addEventListener("click", clear);
for (const input of document.querySelectorAll("main input[type=file]"))
  input.addEventListener("change", takeChosen);
document.addEventListener("dragover", hover);
document.addEventListener("dragleave", (event) => {
  if (!event.relatedTarget) find("zone").classList.remove("over");
});
document.addEventListener("drop", drop);
document.addEventListener("paste", paste);
