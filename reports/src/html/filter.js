// Shows what is ticked and what is searched for. Without it, everything is shown.
"use strict";
document.documentElement.classList.add("scripted");
const filters = document.querySelector(".filters");
// What is ticked of one kind of boxes, or all if there are none of that kind.
const ticked = (name) => {
  const boxes = [...filters.querySelectorAll(`input[name="${name}"]`)];
  const chosen = new Set(boxes.filter((box) => box.checked).map((box) => box.value));
  return (value) => boxes.length === 0 || value === undefined || chosen.has(value);
};
// An attribute, since drawings have no property of that name.
const hide = (element, hidden) => element.toggleAttribute("hidden", hidden);
function show() {
  const [broker, verdict, protocol, fleet, kind] =
    ["broker", "verdict", "protocol", "fleet", "kind"].map(ticked);
  const words = filters.querySelector("input[type=search]").value.toLowerCase().split(/\s+/);
  for (const cell of document.querySelectorAll("[data-broker]"))
    hide(cell, !broker(cell.dataset.broker));
  for (const part of document.querySelectorAll("[data-kind]"))
    hide(part, !kind(part.dataset.kind));
  for (const item of document.querySelectorAll("[data-item]")) {
    // A row of the matrix has as many verdicts as cells, others one or none.
    const cells = [...item.querySelectorAll("td[data-verdict]")];
    const told = cells.length === 0 ? [item.dataset.verdict]
      : cells.filter((cell) => !cell.hidden).map((cell) => cell.dataset.verdict);
    hide(item, !(
      protocol(item.dataset.protocol) &&
      fleet(item.dataset.fleet) &&
      told.some(verdict) &&
      words.every((word) => item.dataset.item.toLowerCase().includes(word))
    ));
  }
  for (const group of document.querySelectorAll("[data-group]"))
    hide(group, !document.querySelector(`[data-of="${group.dataset.group}"]:not([hidden])`));
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
// A link to one of them, from here or elsewhere.
function follow() {
  const asked = document.getElementById(location.hash.slice(1));
  if (asked instanceof HTMLDialogElement && !asked.open) asked.showModal();
  else if (asked instanceof HTMLDetailsElement) {
    asked.open = true;
    asked.scrollIntoView();
    asked.querySelector("summary").focus({ preventScroll: true });
  }
}
addEventListener("hashchange", follow);
follow();
