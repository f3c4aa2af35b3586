"use strict";
for (const button of document.querySelectorAll("button.copy")) {
  button.hidden = false;
  button.addEventListener("click", async () => {
    const text = button.nextElementSibling.textContent;
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      // Pages opened from a file may lack the clipboard API; a selection can be copied in any browser.
      getSelection().selectAllChildren(button.nextElementSibling);
      document.execCommand("copy");
    }
    button.textContent = "copied";
    setTimeout(() => { button.textContent = "copy"; }, 1500);
  });
}
// What the nearest point says, under the chart: for fingers and small screens.
for (const figure of document.querySelectorAll("figure.plot")) {
  const readout = figure.querySelector("output");
  let marked = null;
  figure.addEventListener("pointermove", (event) => {
    const svg = event.target.closest("svg");
    if (!svg) return;
    let best = null, least = Infinity;
    for (const circle of svg.querySelectorAll("circle")) {
      if (!circle.firstElementChild) continue;
      const box = circle.getBoundingClientRect();
      const away = Math.hypot(box.x + box.width / 2 - event.clientX, (box.y + box.height / 2 - event.clientY) / 2);
      if (away < least) { least = away; best = circle; }
    }
    if (!best || best === marked) return;
    marked?.classList.remove("near");
    best.classList.add("near");
    marked = best;
    readout.textContent = best.firstElementChild.textContent;
  });
}
addEventListener("beforeprint", () => {
  for (const folded of document.querySelectorAll("details.evidence")) folded.open = true;
});
