/* Tables to ask things of: sort, filter, choose columns, put methods side by side.
   All that was chosen stands in the address (#sort=-fid&tier=verified&compare=a,b), so a link shows the same. */
(() => {
  "use strict";
  const MOST = 4;
  const $ = (selector, from = document) => from.querySelector(selector);
  const $$ = (selector, from = document) => [...from.querySelectorAll(selector)];
  const form = $("#controls"), status = $("#status"), sheet = $("#columns .families-sheet"), compare = $("#compare");
  const collator = new Intl.Collator("en", { numeric: true });
  const style = new CSSStyleSheet();
  document.adoptedStyleSheets = [...document.adoptedStyleSheets, style];

  /* A table as it came: its headings, its bodies with their rows, and the values of a column once they were asked for. */
  class Board {
    constructor(table, place) {
      this.table = table;
      table.dataset.place = place;
      this.heads = $$("thead th", table);
      this.ids = this.heads.map((head) => head.dataset.id);
      this.bodies = $$("tbody", table).map((body) => ({
        body, group: $(":scope > .group", body), rows: $$(":scope > tr:not(.group)", body), reference: ["ceiling", "cheat"].includes(body.dataset.role),
      }));
      this.rows = this.bodies.flatMap((part) => part.rows);
      this.values = new Map();
      this.look = new Set((table.dataset.look || "").split("|").filter(Boolean));
      for (const head of this.heads) {
        const button = document.createElement("button");
        button.type = "button";
        const label = $(".head", head);
        button.append(...(label ? label.childNodes : head.childNodes));
        (label || head).replaceChildren(button);
        head.setAttribute("aria-sort", "none");
        button.addEventListener("click", () => next(head));
      }
    }
    /* The numbers (or texts) of a column by row; null where there is none. */
    column(id) {
      if (!this.values.has(id)) {
        const place = this.ids.indexOf(id), text = this.heads[place].dataset.kind === "text";
        const read = (row) => {
          const raw = row.cells[place].dataset.v;
          return raw === undefined || raw === "" ? null : text ? raw : Number(raw);
        };
        this.values.set(id, new Map(this.rows.map((row) => [row, read(row)])));
      }
      return this.values.get(id);
    }
    /* Rows of each group in the order of a column; rows without a number come last whichever way. */
    sort(id, down) {
      const known = this.ids.includes(id), values = known && this.column(id), sign = down ? -1 : 1;
      for (const part of this.bodies) {
        const order = known ? part.rows.map((row, at) => [values.get(row), at, row]).sort(([a, i], [b, j]) =>
          (a === null) - (b === null) || (a === null ? 0 : sign * (typeof a === "string" ? collator.compare(a, b) : a - b)) || i - j) : null;
        const rows = order ? order.map((entry) => entry[2]) : part.rows;
        const now = part.now || part.rows;
        if (rows.some((row, at) => row !== now[at])) part.body.append(...rows);
        part.now = rows;
      }
      for (const head of this.heads) head.setAttribute("aria-sort", known && head.dataset.id === id ? (down ? "descending" : "ascending") : "none");
    }
    filter(state) {
      const words = state.q.toLowerCase().split(/\s+/).filter(Boolean);
      let shown = 0;
      for (const part of this.bodies) {
        let own = 0;
        for (const row of part.rows) {
          const text = `${row.dataset.name} ${row.dataset.family || ""}`.toLowerCase();
          const fits = (state.refs || !(part.reference || row.classList.contains("ref"))) && words.every((word) => text.includes(word))
            && ["tier", "division", "family"].every((key) => !state[key] || row.dataset[key] === state[key]);
          if (row.hidden === fits) row.hidden = !fits;
          own += fits;
        }
        part.body.hidden = !own;
        shown += own;
      }
      return shown;
    }
    /* A rule for each column that is not to be seen: quicker than touching every cell. */
    hiding(shown) {
      return this.ids.map((id, at) => (at && this.look.size && !(shown || this.look).has(id) ? `table[data-place="${this.table.dataset.place}"] > :is(thead, tbody) > tr:not(.group) > :nth-child(${at + 1}) { display: none }` : "")).join("\n");
    }
    show(columns) {
      for (const id of this.ids) if (columns && columns.has(id)) return columns;
      return this.look;
    }
  }

  const boards = $$("table.board").map((table, place) => new Board(table, place));
  if (!boards.length) return;
  const fresh = () => ({ sort: "", q: "", tier: "", division: "", family: "", refs: true, cols: null, compare: [] });
  let state = fresh();

  function read() {
    state = fresh();
    const given = new URLSearchParams(location.hash.slice(1));
    for (const key of ["sort", "q", "tier", "division", "family"]) state[key] = given.get(key) || "";
    state.refs = given.get("refs") !== "0";
    if (given.has("cols")) state.cols = new Set(given.get("cols").split("|"));
    const names = new Set(boards[0].rows.map((row) => row.dataset.name));
    state.compare = [...new Set((given.get("compare") || "").split(","))].filter((name) => names.has(name)).slice(0, MOST);
  }

  function write() {
    const said = new URLSearchParams();
    for (const key of ["sort", "q", "tier", "division", "family"]) if (state[key]) said.set(key, state[key]);
    if (!state.refs) said.set("refs", "0");
    if (state.cols) said.set("cols", [...state.cols].join("|"));
    if (state.compare.length) said.set("compare", state.compare.join(","));
    const text = said.toString().replaceAll("%2C", ",").replaceAll("%7C", "|");
    history.replaceState(null, "", text ? `#${text}` : location.pathname + location.search);
  }

  /* A heading's turn: best first, worst first, as it came. */
  function next(head) {
    const id = head.dataset.id, first = head.dataset.better === "up" ? `-${id}` : id, second = first === id ? `-${id}` : id;
    state.sort = state.sort === first ? second : state.sort === second ? "" : first;
    sorted();
    write();
  }

  function sorted() {
    const down = state.sort.startsWith("-"), id = down ? state.sort.slice(1) : state.sort;
    for (const board of boards) board.sort(id, down);
  }

  function filtered() {
    const shown = boards[0].filter(state), all = boards[0].rows.length;
    for (const board of boards.slice(1)) board.filter(state);
    if (status) status.textContent = shown === all ? `${all} rows` : `${shown} of ${all} rows`;
  }

  function columned() {
    style.replaceSync(boards.map((board) => board.hiding(board.show(state.cols))).join("\n"));
    if (!sheet) return;
    const shown = boards[0].show(state.cols);
    for (const box of $$("input", sheet)) box.checked = shown.has(box.value);
  }

  function make(tag, text, attributes = {}) {
    const element = document.createElement(tag);
    if (text !== undefined) element.textContent = text;
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    return element;
  }

  /* The sheet of columns: one box a column, by family, each family with a button that shows it alone. */
  function columnSheet() {
    const families = new Map();
    boards[0].heads.slice(1).forEach((head) => families.set(head.dataset.family, [...(families.get(head.dataset.family) || []), head]));
    for (const [family, heads] of families) {
      const field = make("fieldset"), legend = make("legend", family), only = make("button", "only", { type: "button", "aria-label": `Only ${family}` });
      only.addEventListener("click", () => choose(new Set(heads.map((head) => head.dataset.id))));
      legend.append(only);
      field.append(legend);
      for (const head of heads) {
        const label = make("label"), box = make("input", undefined, { type: "checkbox", value: head.dataset.id });
        box.addEventListener("change", () => {
          const shown = new Set(boards[0].show(state.cols));
          if (box.checked) shown.add(box.value); else shown.delete(box.value);
          if (shown.size) choose(shown); else box.checked = true;
        });
        label.append(box, head.dataset.title);
        field.append(label);
      }
      sheet.append(field);
    }
  }

  function choose(columns) {
    const look = boards[0].look;
    state.cols = columns.size === look.size && [...look].every((id) => columns.has(id)) ? null : columns;
    columned();
    write();
  }

  /* Side by side: the cells of the chosen rows, a line a metric. */
  function compared() {
    if (!compare) return;
    const board = boards[0], rows = state.compare.map((name) => board.rows.find((row) => row.dataset.name === name));
    for (const box of $$(".pick input", board.table)) {
      box.checked = state.compare.includes(box.value);
      box.disabled = !box.checked && rows.length >= MOST;
    }
    for (const box of boards.slice(1).flatMap((other) => $$(".pick", other.table))) box.hidden = true;
    compare.hidden = rows.length < 2;
    if (compare.hidden) return;
    const table = make("table"), head = table.createTHead().insertRow(), body = table.createTBody();
    head.append(make("th", "Metric", { scope: "col" }));
    for (const row of rows) {
      const cell = make("th", undefined, { scope: "col" });
      const copy = row.cells[0].cloneNode(true);
      $(".pick", copy).remove();
      cell.append(...copy.childNodes);
      head.append(cell);
    }
    let family = "";
    board.heads.forEach((own, at) => {
      if (!at || rows.every((row) => row.cells[at].dataset.v === undefined)) return;
      if (own.dataset.family !== family) {
        const line = body.insertRow();
        line.className = "family";
        line.append(make("th", (family = own.dataset.family), { scope: "rowgroup", colspan: rows.length + 1 }));
      }
      const line = body.insertRow(), title = make("th", own.dataset.title, { scope: "row" });
      const arrow = $(".arrow", own);
      if (arrow) title.append(" ", arrow.cloneNode(true));
      line.append(title);
      const cells = rows.map((row) => row.cells[at].cloneNode(true)), winner = ahead(cells, own.dataset.better);
      if (winner) winner.classList.add("ahead");
      line.append(...cells);
    });
    $(".scroll", compare).replaceChildren(table);
  }

  /* The cell whose interval lies beyond all others of equal n; none where one of them has no interval. */
  function ahead(cells, better) {
    const read = cells.map((cell) => {
      const text = cell.textContent.replaceAll("\u2212", "-"), ends = text.match(/\[(\S+), (\S+)\]/), n = text.match(/n\s(\d+)/);
      return ends && n ? { cell, low: Number(ends[1]), high: Number(ends[2]), n: n[1] } : null;
    });
    if (!better || read.some((entry) => !entry || entry.n !== read[0].n)) return null;
    const wins = (a, b) => a === b || (better === "up" ? a.low > b.high : a.high < b.low);
    const first = read.find((a) => read.every((b) => wins(a, b)));
    return first ? first.cell : null;
  }

  function everything() {
    if (form) {
      for (const key of ["q", "tier", "division", "family"]) if (form.elements[key]) form.elements[key].value = state[key];
      if (form.elements.refs) form.elements.refs.checked = state.refs;
    }
    sorted();
    filtered();
    columned();
    compared();
  }

  if (form) {
    form.addEventListener("submit", (event) => event.preventDefault());
    form.addEventListener("input", (event) => {
      const { name, value, checked } = event.target;
      if (!(name in state)) return;
      state[name] = name === "refs" ? checked : value;
      filtered();
      write();
    });
    $("#reset").addEventListener("click", () => { state = fresh(); everything(); write(); });
  }
  if (sheet) {
    columnSheet();
    const details = $("#columns");
    document.addEventListener("click", (event) => { if (details.open && !details.contains(event.target)) details.open = false; });
    details.addEventListener("keydown", (event) => { if (event.key === "Escape") { details.open = false; $("summary", details).focus(); } });
  }
  if (compare) {
    boards[0].table.addEventListener("change", (event) => {
      if (!event.target.closest(".pick")) return;
      const name = event.target.value;
      state.compare = event.target.checked ? [...state.compare, name].slice(0, MOST) : state.compare.filter((other) => other !== name);
      compared();
      write();
    });
    $("#clear").addEventListener("click", () => { state.compare = []; compared(); write(); });
  }
  addEventListener("hashchange", () => { if (location.hash === "" || location.hash.includes("=")) { read(); everything(); } });
  read();
  everything();
})();
