"use strict";
(() => {
  const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];

  /* A link to a definition or a note opens the list it stands in. */
  function reveal() {
    const target = location.hash.length > 1 && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    const closed = target && target.closest("details:not([open])");
    if (closed) { closed.open = true; target.scrollIntoView(); }
  }

  async function copy(button) {
    const code = button.parentElement.querySelector("code");
    try {
      await navigator.clipboard.writeText(code.textContent);
    } catch {
      getSelection().selectAllChildren(code);
      document.execCommand("copy");
    }
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = "Copy"; }, 1600);
  }

  /* The list of best and worst scenes, for one metric at a time, with a picture of each. */
  function extremes() {
    const select = document.querySelector("#extreme");
    if (!select) return;
    const sheets = new Map($$("img.thumbs").map((image) => [image.dataset.method, image]));
    const draw = async (canvas) => {
      const image = sheets.get(canvas.dataset.method);
      try { await image.decode(); } catch { return; }
      const [width, height] = image.dataset.tile.split(" ").map(Number);
      const place = Number(canvas.dataset.tile), columns = Number(image.dataset.columns);
      const left = (place % columns) * width, top = Math.floor(place / columns) * height;
      canvas.getContext("2d").drawImage(image, left, top, width, height, 0, 0, canvas.width, canvas.height);
    };
    const show = () => {
      for (const row of $$("#table-extremes tbody tr")) {
        row.hidden = row.dataset.metric !== select.value;
        if (!row.hidden) $$("canvas.tiny", row).forEach(draw);
      }
    };
    select.addEventListener("change", show);
    show();
  }

  addEventListener("hashchange", reveal);
  reveal();
  extremes();
  addEventListener("beforeprint", () => { for (const details of $$("details:not(.chooser)")) details.open = true; });
  for (const button of $$("button.copy")) button.addEventListener("click", () => copy(button));
})();
