/* Finding and sorting of bursts in the index. */
"use strict";
window.burstsrIndex = function () {
  const controls = document.getElementById("controls");
  const list = document.getElementById("cards");
  if (!controls || !list) return;
  const cards = [...list.children];
  const find = document.getElementById("find"), sort = document.getElementById("sort"), notes = document.getElementById("notes");
  const keep = window.burstsrControls || {};
  find.value = keep.find || ""; sort.value = keep.sort || "name"; notes.checked = Boolean(keep.notes);
  const number = (card, name, otherwise) => (name in card.dataset ? Number(card.dataset[name]) : otherwise);
  const orders = {
    name: () => 0,
    frames: (a, b) => number(a, "frames", -1) - number(b, "frames", -1),
    gain: (a, b) => number(a, "gain", -1) - number(b, "gain", -1),
    notes: (a, b) => (number(b, "notes", 0) > 0) - (number(a, "notes", 0) > 0),
  };
  function show() {
    window.burstsrControls = { find: find.value, sort: sort.value, notes: notes.checked };
    const wanted = find.value.trim().toLowerCase();
    let shown = 0;
    for (const card of cards) {
      card.hidden = !card.dataset.name.toLowerCase().includes(wanted) || (notes.checked && !(number(card, "notes", 0) > 0));
      shown += !card.hidden;
    }
    list.append(...[...cards].sort(orders[sort.value] || orders.name)); // stable: names stay in order
    document.getElementById("matches").textContent = shown + (shown === 1 ? " burst" : " bursts");
    document.getElementById("none").hidden = shown > 0;
  }
  controls.hidden = false;
  controls.addEventListener("submit", (event) => event.preventDefault());
  for (const element of [find, sort, notes]) element.addEventListener("input", show);
  show();
};
window.burstsrIndex();
