"use strict";
/* Tables: sort by a column, choose the columns, take the numbers along as CSV. */
(() => {
  const $ = (selector, root = document) => root.querySelector(selector);
  const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];
  const heads = (table) => [...$("tr.heads", table).cells];

  /* Sorting stays within ceiling, methods and cheats. First click: the best on top; second: the worst; third: as it was. */
  function sorting(table) {
    const bodies = [...table.tBodies].map((body) => [body, [...body.rows]]);
    const order = (head) => (head.dataset.better === "higher" ? ["descending", "ascending"] : ["ascending", "descending"]);
    heads(table).forEach((head, place) => {
      const button = $("button.sort", head);
      if (!button) return;
      button.addEventListener("click", () => {
        const turns = [...order(head), "none"];
        const next = turns[(turns.indexOf(head.getAttribute("aria-sort")) + 1) % 3];
        for (const other of heads(table)) if (other.hasAttribute("aria-sort")) other.setAttribute("aria-sort", "none");
        head.setAttribute("aria-sort", next);
        for (const [body, rows] of bodies) body.append(...(next === "none" ? rows : sorted(rows, place, next)));
      });
    });
  }

  function sorted(rows, place, direction) {
    const sign = direction === "ascending" ? 1 : -1;
    const key = (row) => {
      const { value, text } = row.cells[place].dataset;
      return text !== undefined ? text : value === undefined ? null : Number(value);
    };
    const compare = (a, b) => (typeof a === "string" ? a.localeCompare(b, "en") : a - b);
    return [...rows].sort((one, other) => {
      const a = key(one), b = key(other);
      if (a === null || b === null) return (a === null) - (b === null);  /* no number: last, either way */
      return sign * compare(a, b);
    });
  }

  function choosing(chooser) {
    const table = document.getElementById(chooser.dataset.table);
    const boxes = $$("input", chooser);
    const usual = boxes.map((box) => box.defaultChecked);
    const families = $$("tr.families th", table).map((head) => [head, head.colSpan]);
    const apply = () => {
      const shown = [true, ...boxes.map((box) => box.checked)];
      for (const row of [$("tr.heads", table), ...$$("tbody tr", table)]) {
        [...row.cells].forEach((cell, place) => cell.classList.toggle("off", !shown[place]));
      }
      let first = 1;
      for (const [head, span] of families) {
        const count = shown.slice(first, first + span).filter(Boolean).length;
        head.classList.toggle("off", !count);
        head.colSpan = count || 1;
        first += span;
      }
      $(".count", chooser).textContent = `${boxes.filter((box) => box.checked).length} of ${boxes.length}`;
    };
    for (const box of boxes) box.addEventListener("change", apply);
    const set = (wanted) => { boxes.forEach((box, place) => { box.checked = wanted(place); }); apply(); };
    $(".all-columns", chooser).addEventListener("click", () => set(() => true));
    $(".usual-columns", chooser).addEventListener("click", () => set((place) => usual[place]));
    apply();
  }

  /* The table as it is shown: its rows in their order, its columns, every number in full. */
  function grid(table) {
    const shown = (cell) => !cell.classList.contains("off") && getComputedStyle(cell).display !== "none";
    const rows = $$("tbody tr", table).filter((row) => !row.hidden);
    const places = heads(table).map((head, place) => place).filter((place) => shown(heads(table)[place]));
    const has = (place, name) => rows.some((row) => row.cells[place] && row.cells[place].dataset[name] !== undefined);
    const lines = [[]];
    for (const place of places) {
      const head = heads(table)[place];
      const name = head.dataset.column || head.textContent.trim();
      lines[0].push(name);
      if (has(place, "low")) lines[0].push(name + " low", name + " high");
      if (has(place, "n")) lines[0].push(name + " n", name + " rank");
      if (has(place, "scene")) lines[0].push(name + " scene");
    }
    for (const row of rows) {
      const line = [];
      for (const place of places) {
        const cell = row.cells[place], data = cell.dataset;
        line.push(data.text ?? data.value ?? (cell.classList.contains("none") ? "" : cell.textContent.trim()));
        if (has(place, "low")) line.push(data.low ?? "", data.high ?? "");
        const rank = $(".rank", cell);
        if (has(place, "n")) line.push(data.n ?? "", rank ? rank.textContent.replace("rank ", "").replace("\u2013", " to ") : "");
        if (has(place, "scene")) line.push(data.scene ?? "");
      }
      lines.push(line);
    }
    return lines;
  }

  /* A text that a spreadsheet would take for a formula is kept a text. */
  function field(text) {
    const safe = /^[=+\-@\t\r]/.test(text) && Number.isNaN(Number(text)) ? "'" + text : text;
    return /[",\n\r]/.test(safe) ? '"' + safe.replaceAll('"', '""') + '"' : safe;
  }

  const csv = (table) => grid(table).map((line) => line.map(field).join(",") + "\r\n").join("");

  async function copy(button, text) {
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      const area = document.createElement("textarea");
      area.value = text;
      document.body.append(area);
      area.select();
      document.execCommand("copy");
      area.remove();
    }
    const words = button.textContent;
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = words; }, 1600);
  }

  function save(name, text) {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([text], { type: "text/csv" }));
    link.download = name + ".csv";
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  }

  const table = (button) => document.getElementById(button.dataset.table);
  $$("table.summary").filter((each) => $("button.sort", each)).forEach(sorting);
  $$("details.chooser").forEach(choosing);
  for (const button of $$("button.copy-csv")) button.addEventListener("click", () => copy(button, csv(table(button))));
  for (const button of $$("button.save-csv")) {
    button.addEventListener("click", () => save(table(button).dataset.name, csv(table(button))));
  }
})();
