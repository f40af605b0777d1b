// The charts of the statistics: the value of a slot by pointer, touch and focus.
// Arrow keys move. Without this script, the table has the values.
"use strict";

for (const chart of document.querySelectorAll(".chart svg")) {
  const { times, since, noData, unfinished } = chart.parentNode.parentNode.dataset;
  const labels = times.split("|").slice(0, -1);
  const begins = since.split("|");
  const texts = chart.dataset.values.split("|");
  const value = chart.parentNode.querySelector("[data-value]");
  const area = chart.querySelector(".axis").getBBox();
  const width = area.width / labels.length;
  const add = (parent, name, attributes) => {
    const made = document.createElementNS(chart.namespaceURI, name);
    for (const [key, text] of Object.entries(attributes)) {
      made.setAttribute(key, text);
    }
    return parent.appendChild(made);
  };
  const group = add(chart, "g", {});
  const slots = labels.map((time, index) => {
    const last = index === labels.length - 1;
    const label = `${time}: ${texts[index] || noData}${last ? ` (${unfinished})` : ""}`;
    const query = `?kind=${chart.dataset.kind}&since=${begins[index]}&until=${begins[index + 1]}`;
    const hasEvents = chart.dataset.kind && !["", "0"].includes(texts[index]);
    const slot = add(group, hasEvents ? "a" : "g", {
      "aria-label": label,
      class: "slot",
      tabindex: last ? 0 : -1,
      ...(hasEvents ? { href: "events" + query } : { role: "img" }),
    });
    add(slot, "title", {}).textContent = label;
    add(slot, "rect", { x: index * width, width, height: area.height });
    return slot;
  });
  chart.setAttribute("role", "group");
  let tapped;
  for (const [index, slot] of slots.entries()) {
    for (const name of ["pointerenter", "pointerdown", "focus"]) {
      slot.addEventListener(name, () => {
        value.textContent = slot.getAttribute("aria-label");
      });
    }
    // The first tap shows the value, and the second one follows the link.
    slot.addEventListener("click", (event) => {
      if (event.pointerType === "touch" && tapped !== slot) {
        event.preventDefault();
        tapped = slot;
      }
    });
    slot.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (step && slots[index + step]) {
        event.preventDefault();
        slots[index + step].focus();
      }
    });
  }
}
