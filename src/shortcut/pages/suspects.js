"use strict";
const cards = [...document.querySelectorAll(".card")];
const choice = (card) => card.querySelector("input:checked")?.value ?? "keep";
const quoted = (text) => `"${text.replaceAll('"', '""')}"`;

function tell() {
  const counts = { move: 0, drop: 0 };
  for (const card of cards) if (choice(card) !== "keep") counts[choice(card)] += 1;
  const said = document.getElementById("count");
  said.textContent = `${said.dataset.move} ${counts.move}, ${said.dataset.drop} ${counts.drop}`;
}

function save() {
  const chosen = cards.filter((card) => choice(card) !== "keep");
  const rows = chosen.map((card) => [card.dataset.path, choice(card), card.dataset.class]);
  const lines = [["path", "action", "class"], ...rows].map((row) => row.map(quoted).join(","));
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([lines.join("\n") + "\n"], { type: "text/csv" }));
  link.download = "changes.csv";
  link.click();
}

document.addEventListener("change", tell);
document.getElementById("save").addEventListener("click", save);
tell();
