"use strict";
for (const button of document.querySelectorAll("button.copy")) {
  button.addEventListener("click", async () => {
    const code = button.parentElement.querySelector("code");
    try {
      await navigator.clipboard.writeText(code.textContent);
      button.textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(code);
      button.textContent = "Selected";
    }
    setTimeout(() => { button.textContent = "Copy"; }, 1500);
  });
}
for (const table of document.querySelectorAll("table.sortable")) {
  const headers = [...table.querySelectorAll("th[data-column]")];
  const body = table.tBodies[0];
  const compare = (a, b, column, sign) => {
    const [x, y] = [a, b].map((row) => row.cells[column].dataset.sort ?? row.cells[column].textContent);
    if (x === "" || y === "") return (x === "") - (y === "");
    return sign * (Number.isNaN(Number(x) - Number(y)) ? x.localeCompare(y) : Number(x) - Number(y));
  };
  for (const header of headers) {
    header.querySelector("button").addEventListener("click", () => {
      const sign = header.getAttribute("aria-sort") === "ascending" ? -1 : 1;
      headers.forEach((other) => other.removeAttribute("aria-sort"));
      header.setAttribute("aria-sort", sign === 1 ? "ascending" : "descending");
      const column = Number(header.dataset.column);
      body.append(...[...body.rows].sort((a, b) => compare(a, b, column, sign)));
    });
  }
}
const tip = document.getElementById("tip");
for (const chart of document.querySelectorAll(".chart")) {
  chart.addEventListener("pointerover", (event) => {
    const text = event.target.dataset.text;
    tip.hidden = !text;
    if (!text) return;
    tip.textContent = text;
    const dot = event.target.getBoundingClientRect();
    tip.style.left = `${Math.max(8, Math.min(dot.left, innerWidth - tip.offsetWidth - 8))}px`;
    const above = dot.top - tip.offsetHeight - 8;
    tip.style.top = `${above > 0 ? above : dot.bottom + 8}px`;
  });
  chart.addEventListener("pointerleave", () => { tip.hidden = true; });
}
