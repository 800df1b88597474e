// Shows what is ticked and what is searched for. Without it, everything is shown.
"use strict";
document.documentElement.classList.add("scripted");
const filters = document.querySelector(".filters");
const ticked = (name) =>
  new Set([...filters.querySelectorAll(`input[name="${name}"]:checked`)].map((input) => input.value));
function show() {
  const [brokers, verdicts, protocols] = ["broker", "verdict", "protocol"].map(ticked);
  const words = filters.querySelector("input[type=search]").value.toLowerCase().split(/\s+/);
  for (const cell of document.querySelectorAll("[data-broker]"))
    cell.hidden = !brokers.has(cell.dataset.broker);
  for (const item of document.querySelectorAll("[data-item]")) {
    const told = item.dataset.verdict === undefined
      ? [...item.querySelectorAll("td[data-verdict]:not([hidden])")].map((cell) => cell.dataset.verdict)
      : [item.dataset.verdict];
    item.hidden = !(
      protocols.has(item.dataset.protocol) &&
      told.some((verdict) => verdicts.has(verdict)) &&
      words.every((word) => item.dataset.item.toLowerCase().includes(word))
    );
  }
  for (const group of document.querySelectorAll("[data-group]"))
    group.hidden = !document.querySelector(`[data-of="${group.dataset.group}"]:not([hidden])`);
}
filters.addEventListener("input", show);
show();
for (const link of document.querySelectorAll("a[data-opens]"))
  link.addEventListener("click", (event) => {
    event.preventDefault();
    document.getElementById(link.dataset.opens).showModal();
  });
for (const dialog of document.querySelectorAll("dialog"))
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog || event.target.classList.contains("close")) {
      event.preventDefault();
      dialog.close();
    }
  });
// A link to one of them, from elsewhere.
if (location.hash) {
  const asked = document.getElementById(location.hash.slice(1));
  if (asked instanceof HTMLDialogElement) asked.showModal();
  else if (asked instanceof HTMLDetailsElement) asked.open = true;
}
