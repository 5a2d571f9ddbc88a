"use strict";
(() => {
  const $ = (selector, root = document) => root.querySelector(selector);
  const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];
  const { metrics, traces } = JSON.parse($("#data").textContent);
  const wrap = (degrees) => ((((degrees + 180) % 360) + 360) % 360) - 180;
  const degrees = (value) => {
    const whole = Math.round(value);
    return (whole > 0 ? "+" : whole < 0 ? "\u2212" : "") + Math.abs(whole) + "\u00b0";
  };
  const SECONDS_A_TURN = 6;

  const state = { scene: null, linked: true, crisp: false, metric: metrics[0] || null, spinning: false, seen: true, layer: null };
  const cards = [];

  /* One picture of a turntable: a tile of the sheet, drawn at the size it has on the screen. */
  class Picture {
    constructor(view) {
      this.layer = view.dataset.layer;
      this.canvas = $("canvas", view);
      this.image = $(".sheet", view);
      this.columns = Number(this.image.dataset.columns);
      [this.width, this.height] = this.image.dataset.tile.split(" ").map(Number);
      this.canvas.style.aspectRatio = `${this.width} / ${this.height}`;
    }
    async draw(index) {
      this.index = index;
      if (this.layer !== "rgb" && this.layer !== state.layer) return;
      if (!this.image.complete || !this.image.naturalWidth) {
        try { await this.image.decode(); } catch { return; }
        if (this.index !== index) return;
      }
      const scale = window.devicePixelRatio || 1;
      const width = Math.max(this.width, Math.round(this.canvas.clientWidth * scale));
      const height = Math.round((width * this.height) / this.width);
      if (this.canvas.width !== width || this.canvas.height !== height) Object.assign(this.canvas, { width, height });
      paint(this, this.canvas, index);
    }
  }

  function paint(picture, canvas, index) {
    const context = canvas.getContext("2d");
    context.clearRect(0, 0, canvas.width, canvas.height);
    context.imageSmoothingEnabled = !state.crisp;
    context.imageSmoothingQuality = "high";
    const left = (index % picture.columns) * picture.width;
    const top = Math.floor(index / picture.columns) * picture.height;
    context.drawImage(picture.image, left, top, picture.width, picture.height, 0, 0, canvas.width, canvas.height);
  }

  /* What a method shows of a scene: views in the order of the sheet, and the same by rising azimuth. */
  class Pane {
    constructor(element) {
      this.element = element;
      this.turns = element.classList.contains("kind-turntable");
      const row = $("img.row", element);
      if (row) {
        const [width, height] = row.dataset.tile.split(" ").map(Number);
        this.row = { image: row, columns: Infinity, width, height };
      }
      if (!this.turns) return;
      this.stage = $(".stage", element);
      this.pictures = $$("figure.view", element).map((view) => new Picture(view));
      this.yaws = JSON.parse(element.dataset.yaws);
      this.pitches = JSON.parse(element.dataset.pitches);
      this.order = this.yaws.map((_, view) => view);
      this.order.sort((a, b) => this.yaws[a] - this.yaws[b] || this.pitches[a] - this.pitches[b]);
      this.tilts = Math.max(...this.pitches) - Math.min(...this.pitches) > 1;
      const stops = [...new Set(this.order.map((view) => this.yaws[view]))];
      const gaps = stops.slice(1).map((yaw, place) => yaw - stops[place]).sort((a, b) => a - b);
      this.step = gaps.length ? gaps[gaps.length >> 1] : 360;
      const seam = stops[0] + 360 - stops[stops.length - 1];
      this.circle = stops.length > 2 && Math.max(seam, gaps[gaps.length - 1]) < 2.5 * this.step;
      this.low = this.circle ? -180 : stops[0];
      this.high = this.circle ? 180 : stops[stops.length - 1];
    }
    nearest(target) {
      let best = 0, least = Infinity;
      this.yaws.forEach((yaw, view) => {
        const far = Math.hypot(wrap(yaw - target.yaw), this.pitches[view] - target.pitch);
        if (far < least - 1e-9) [best, least] = [view, far];
      });
      return best;
    }
    clamp(yaw) { return this.circle ? wrap(yaw) : Math.min(this.high, Math.max(this.low, yaw)); }
  }

  class Card {
    constructor(element) {
      this.element = element;
      this.method = element.dataset.method;
      this.panes = new Map($$(".pane", element).map((pane) => [pane.dataset.scene, new Pane(pane)]));
      this.output = $(".yaw", element);
      this.steer = $(".steer", element);
      this.slider = $("input[type=range]", element);
      this.reading = $(".reading", element);
      this.trace = new Trace($("svg.trace", element), this.method);
      this.target = { yaw: 0, pitch: 0 };
      this.direction = 1;
      this.slider.addEventListener("input", () => { rest(); turn(this, { yaw: Number(this.slider.value) }); });
      this.slider.addEventListener("keydown", (event) => this.key(event));
      for (const pane of this.panes.values()) if (pane.turns) this.listen(pane);
    }
    get pane() { return this.panes.get(state.scene); }
    listen(pane) {
      let grip = null;
      const stage = pane.stage;
      stage.addEventListener("pointerdown", (event) => {
        if (event.button) return;
        rest();
        grip = { x: event.clientX, y: event.clientY, ...this.target };
        stage.setPointerCapture(event.pointerId);
        stage.classList.add("turning");
      });
      stage.addEventListener("pointermove", (event) => {
        if (!grip) return;
        const scale = 240 / stage.clientWidth;  /* the surface follows the finger: the camera goes the other way */
        const pitch = pane.tilts && event.pointerType === "mouse" ? grip.pitch + (event.clientY - grip.y) * scale : grip.pitch;
        turn(this, { yaw: pane.clamp(grip.yaw - (event.clientX - grip.x) * scale), pitch });
      });
      const release = () => { grip = null; stage.classList.remove("turning"); this.settle(); };
      for (const name of ["pointerup", "pointercancel", "lostpointercapture"]) stage.addEventListener(name, release);
      stage.addEventListener("keydown", (event) => this.key(event));
    }
    key(event) {
      const pane = this.pane;
      const step = Math.max(pane.step, 1);
      const moves = { ArrowRight: step, ArrowLeft: -step, PageUp: 45, PageDown: -45 };
      const tilt = { ArrowUp: 1, ArrowDown: -1 }[event.key];
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      if (event.key in moves) turn(this, { yaw: pane.clamp(pane.yaws[this.view] + moves[event.key]) });
      else if (event.key === "Home") turn(this, { yaw: pane.clamp(0) });
      else if (event.key === "End") turn(this, { yaw: pane.circle ? -180 : pane.high });
      else if (tilt && pane.tilts) this.tilt(tilt);
      else if (tilt) turn(this, { yaw: pane.clamp(pane.yaws[this.view] + tilt * step) });
      else return;
      rest();
      event.preventDefault();
    }
    tilt(sign) {
      const pane = this.pane, here = pane.pitches[this.view];
      const steps = pane.pitches.map((pitch) => (pitch - here) * sign).filter((step) => step > 0.5);
      if (steps.length) turn(this, { pitch: here + sign * Math.min(...steps) });
    }
    settle() {  /* the next drag starts from the view that is shown */
      if (this.pane.turns) this.target = { yaw: this.pane.yaws[this.view], pitch: this.pane.pitches[this.view] };
    }
    advance() {
      const pane = this.pane;
      if (!pane.turns) return;
      let yaw = pane.yaws[this.view] + this.direction * pane.step;
      if (!pane.circle && (yaw > pane.high + 1e-6 || yaw < pane.low - 1e-6)) {
        this.direction *= -1;
        yaw = pane.yaws[this.view] + this.direction * pane.step;
      }
      return { yaw: pane.clamp(yaw) };
    }
    show() {
      const pane = this.pane;
      for (const [scene, other] of this.panes) other.element.classList.toggle("current", scene === state.scene);
      this.steer.hidden = this.output.hidden = !pane.turns || pane.yaws.length < 2;
      if (!pane.turns) return;
      Object.assign(this.slider, { min: pane.low, max: pane.high });
      this.trace.load(pane);
      this.view = null;
      this.render();
    }
    render() {
      const pane = this.pane;
      if (!pane || !pane.turns) return;
      const view = pane.nearest(this.target);
      const changed = view !== this.view;
      this.view = view;
      const yaw = pane.yaws[view];
      const text = degrees(yaw) + (pane.tilts ? ", " + degrees(pane.pitches[view]) + " up" : "");
      this.slider.value = document.activeElement === this.slider ? this.target.yaw : yaw;
      if (!changed) return;
      for (const picture of pane.pictures) picture.draw(view);
      pane.stage.dataset.view = view;
      this.output.textContent = text;
      for (const control of [pane.stage, this.slider]) {
        control.setAttribute("aria-valuenow", Math.round(yaw));
        control.setAttribute("aria-valuetext", text);
      }
      const value = this.trace.point(yaw);
      this.reading.replaceChildren();
      if (state.metric) {
        const number = document.createElement("b");
        number.textContent = value === null ? "\u2013" : format(value, state.metric);
        this.reading.append(state.metric.title + " here", number);
      }
    }
  }

  const format = (value, metric) => value.toFixed(metric.decimals).replace("-", "\u2212") + (metric.unit ? "\u00a0" + metric.unit : "");

  /* The chosen metric of this scene along the azimuth, other methods in grey behind it. */
  class Trace {
    constructor(svg, method) { this.svg = svg; this.method = method; this.points = []; }
    load(pane) {
      this.svg.replaceChildren();
      const scene = state.metric && (traces[state.metric.id] || {})[state.scene];
      this.points = (scene && scene[this.method]) || [];
      this.svg.classList.toggle("empty", !scene);
      const width = this.svg.clientWidth || 300, height = 46, inset = 8;
      this.svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
      const values = scene ? Object.values(scene).flat().map((point) => point[1]) : [0, 1];
      const low = Math.min(...values), high = Math.max(...values);
      this.x = (yaw) => inset + ((yaw - pane.low) / (pane.high - pane.low || 1)) * (width - 2 * inset);
      this.y = (value) => height - 5 - ((value - low) / (high - low || 1)) * (height - 10);
      this.add("path", { class: "base", d: `M${inset} ${height - .5}H${width - inset}` });
      const line = (points) => "M" + points.map(([yaw, value]) => this.x(yaw).toFixed(1) + " " + this.y(value).toFixed(1)).join("L");
      const around = (points) => (pane.circle && points.length > 2 ? [...points, [points[0][0] + 360, points[0][1]]] : points);
      const within = (points) => around(points).filter(([yaw]) => yaw >= pane.low - 1e-6 && yaw <= pane.high + 1e-6);
      for (const [method, points] of Object.entries(scene || {})) {
        if (method !== this.method && within(points).length > 1) this.add("path", { class: "other", d: line(within(points)) });
      }
      if (within(this.points).length > 1) this.add("path", { d: line(within(this.points)) });
      this.cursor = this.add("path", { class: "cursor" });
      this.dot = this.points.length ? this.add("circle", { r: 4 }) : null;
      this.height = height;
    }
    add(name, attributes) {
      const element = document.createElementNS("http://www.w3.org/2000/svg", name);
      for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
      return this.svg.appendChild(element);
    }
    /* The value nearest to an azimuth; the marker moves there. */
    point(yaw) {
      this.cursor.setAttribute("d", `M${this.x(yaw).toFixed(1)} 0V${this.height}`);
      if (!this.dot) return null;
      let best = this.points[0];
      for (const point of this.points) if (Math.abs(wrap(point[0] - yaw)) < Math.abs(wrap(best[0] - yaw)) - 1e-6) best = point;
      this.dot.setAttribute("cx", this.x(yaw).toFixed(1));
      this.dot.setAttribute("cy", this.y(best[1]).toFixed(1));
      return best[1];
    }
  }

  function turn(card, change) {
    for (const other of state.linked ? cards : [card]) {
      other.target = { ...(state.linked ? card.target : other.target), ...change };
      other.render();
    }
  }

  function showScene(scene) {
    state.scene = scene;
    for (const button of $$(".thumb")) button.setAttribute("aria-pressed", button.dataset.scene === scene);
    for (const legend of $$(".legend.of-scene")) legend.classList.toggle("current", legend.dataset.scene === scene);
    for (const card of cards) card.show();
  }

  function showLayer(name) {
    state.layer = name;
    for (const element of $$(".cards, .legend[data-layer]")) {
      if (element.matches(".cards")) element.dataset.layer = name;
      else element.classList.toggle("chosen", element.dataset.layer === name);
    }
    for (const button of $$("button.layer")) button.setAttribute("aria-pressed", button.dataset.layer === name);
  }

  function repaint() { for (const card of cards) if (card.pane) card.show(); }

  /* A gentle turn until the first touch; never by itself for readers who asked for less motion. */
  let timer = 0;
  function spin(on) {
    state.spinning = on;
    $("#spin").setAttribute("aria-pressed", on);
    clearTimeout(timer);
    if (on) timer = setTimeout(tick, 600);
  }
  function rest() { if (state.spinning) spin(false); }
  function tick() {
    const turning = cards.filter((card) => card.pane.turns);
    if (!state.spinning || !turning.length) return;
    if (state.seen && !document.hidden) {
      const leader = turning.reduce((a, b) => (b.pane.circle && !a.pane.circle ? b : a));
      for (const card of state.linked ? [leader] : turning) turn(card, card.advance());
    }
    const step = Math.min(...turning.map((card) => card.pane.step));
    timer = setTimeout(tick, Math.max(60, (SECONDS_A_TURN * 1000 * step) / 360));
  }

  function thumbnails() {
    for (const button of $$(".thumb")) {
      const panes = cards.map((card) => card.panes.get(button.dataset.scene));
      const pane = panes.find((pane) => pane.turns) || panes.find((pane) => pane.row);
      if (!pane) continue;
      const picture = pane.turns ? pane.pictures[0] : pane.row, canvas = $("canvas", button);
      const view = pane.turns ? pane.nearest({ yaw: 25, pitch: 10 }) : 0;
      canvas.height = Math.round((canvas.width * picture.height) / picture.width);
      picture.image.decode().then(() => paint(picture, canvas, view), () => {});
    }
  }

  function toggle(button, change) {
    button.addEventListener("click", () => {
      const on = button.getAttribute("aria-pressed") !== "true";
      button.setAttribute("aria-pressed", on);
      change(on);
    });
  }

  function begin() {
    cards.push(...$$(".card").map((card) => new Card(card)));
    if (!cards.length) return;
    showLayer($(".cards").dataset.layer);
    for (const button of $$("button.layer")) button.addEventListener("click", () => { showLayer(button.dataset.layer); repaint(); });
    showScene($(".thumb").dataset.scene);
    thumbnails();
    for (const button of $$(".thumb")) button.addEventListener("click", () => showScene(button.dataset.scene));
    toggle($("#spin"), spin);
    toggle($("#link"), (on) => { state.linked = on; if (on) turn(cards.find((card) => card.pane.turns) || cards[0], {}); });
    toggle($("#crisp"), (on) => {
      state.crisp = on;
      document.documentElement.classList.toggle("crisp", on);
      repaint();
      thumbnails();
    });
    const select = $("#trace");
    if (select) {
      const preferred = ["warp_psnr", "geometric_share"].map((id) => metrics.find((metric) => metric.id === id)).find(Boolean);
      const choose = (id) => { state.metric = metrics.find((metric) => metric.id === id); repaint(); };
      if (preferred) { select.value = preferred.id; choose(preferred.id); }
      select.addEventListener("change", () => choose(select.value));
    }
    let width = 0;
    new ResizeObserver(() => {
      const now = $(".cards").clientWidth;
      if (now !== width) { width = now; repaint(); }
    }).observe($(".cards"));
    new IntersectionObserver(([entry]) => { state.seen = entry.isIntersecting; }).observe($(".cards"));
    const still = window.matchMedia("(prefers-reduced-motion: reduce)");
    still.addEventListener("change", () => { if (still.matches) rest(); });
    if (!still.matches && !$("#spin").hidden) spin(true);
  }

  begin();
})();
