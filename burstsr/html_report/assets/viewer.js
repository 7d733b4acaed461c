/* Synced, zoomable comparison of images cut into tiles: with a divider, or side by side. Plain JavaScript, works from file://. */
"use strict";
(function () {
  const root = document.getElementById("viewer");
  const source = document.getElementById("pictures");
  if (!root || !source) return;
  const images = JSON.parse(source.textContent).images;
  const pictures = images.filter((image) => !image.map);
  const base = { w: Math.max(...pictures.map((i) => i.levels[0].w), 1), h: Math.max(...pictures.map((i) => i.levels[0].h), 1) };
  const MAX_ZOOM = 32, MOST_TILES = 240;

  function make(tag, attributes, ...children) {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes || {})) element.setAttribute(name, value);
    element.append(...children);
    return element;
  }
  function title(text) { return text.charAt(0).toUpperCase() + text.slice(1); }

  // State: centre in pixels of the largest image, zoom in device pixels per pixel of it
  const last = pictures.length - 1;
  const state = { layout: "divider", left: 0, right: last, shown: images.map((image) => !image.map), at: 50, x: base.w / 2, y: base.h / 2, zoom: 0, fitted: true };
  const single = images.length < 2;

  // Controls
  const canvas = make("canvas", { tabindex: "0", role: "img", "aria-describedby": "keys" });
  const divider = make("div", { class: "divider", role: "slider", tabindex: "0", "aria-label": "Divider", "aria-orientation": "horizontal", "aria-valuemin": "0", "aria-valuemax": "100" });
  const labels = make("div", {});
  const stage = make("div", { class: "stage" }, canvas, labels, divider);
  const zoomed = make("output", { class: "zoomed", "aria-live": "polite" });
  function button(text, label, action, pressed) {
    const b = make("button", { type: "button", "aria-label": label, title: label }, text);
    if (pressed !== undefined) b.setAttribute("aria-pressed", pressed);
    b.addEventListener("click", action);
    return b;
  }
  const layouts = { divider: button("Divider", "Compare two images with a divider", () => layout("divider"), "true"), side: button("Side by side", "Show images side by side", () => layout("side"), "false") };
  function chooser(label, side) {
    const select = make("select", { "aria-label": label });
    images.forEach((image, n) => select.append(make("option", { value: String(n) }, title(image.label))));
    select.addEventListener("change", () => { state[side] = Number(select.value); changed(); });
    return select;
  }
  const selects = { left: chooser("Left image", "left"), right: chooser("Right image", "right") };
  const pair = make("span", { class: "group", role: "group", "aria-label": "Images" }, selects.left, button("⇄", "Swap the images", swap), selects.right);
  const checks = images.map((image, n) => {
    const box = make("input", { type: "checkbox" });
    box.checked = state.shown[n];
    box.addEventListener("change", () => {
      state.shown[n] = box.checked;
      if (!state.shown.some(Boolean)) state.shown[n] = box.checked = true;
      changed();
    });
    return box;
  });
  const panesShown = make("span", { class: "group", role: "group", "aria-label": "Images shown" }, ...checks.map((box, n) => make("label", {}, box, " " + title(images[n].label))));
  const zooms = make("span", { class: "group joined", role: "group", "aria-label": "Zoom" },
    button("−", "Zoom out", () => zoomBy(1 / 1.5)), button("Fit", "Show the whole image", fit), button("1:1", "One image pixel per screen pixel", () => zoomTo(1)),
    button("2:1", "Two screen pixels per image pixel", () => zoomTo(2)), button("+", "Zoom in", () => zoomBy(1.5)));
  const tools = make("div", { class: "bar-tools", role: "group", "aria-label": "View" });
  if (!single) tools.append(make("span", { class: "group joined", role: "group", "aria-label": "Layout" }, layouts.divider, layouts.side), pair, panesShown);
  tools.append(zooms, zoomed);
  const keys = make("p", { class: "keys", id: "keys" });
  keys.innerHTML = "Keys: <kbd>arrows</kbd> move, <kbd>+</kbd> <kbd>−</kbd> zoom, <kbd>0</kbd> fit, <kbd>1</kbd> 1:1, <kbd>2</kbd> 2:1" +
    (single ? "" : ", <kbd>[</kbd> <kbd>]</kbd> divider, <kbd>X</kbd> swap, <kbd>S</kbd> layout") + ". Drag to move; <kbd>Ctrl</kbd> + wheel, or wheel after a click, to zoom; double click for 1:1.";
  root.append(tools, stage, keys);

  // Tiles
  const tiles = new Map(); // url -> image, least recently used first
  function tile(image, level, row, column) {
    const url = image.path + "/" + level + "-" + row + "-" + column + ".jpg";
    let found = tiles.get(url);
    if (found) {
      tiles.delete(url);
    } else {
      found = new Image();
      found.decoding = "async";
      found.onload = found.onerror = draw;
      found.src = url;
    }
    tiles.set(url, found);
    missing += !found.complete;
    return found.complete && found.naturalWidth ? found : null;
  }
  function forget() {
    for (const url of tiles.keys()) {
      if (tiles.size <= MOST_TILES) return;
      tiles.delete(url);
    }
  }

  // Geometry
  const context = canvas.getContext("2d");
  let ratio = 1, width = 0, height = 0;
  function panes() {
    if (single) return [{ image: images[0], x: 0, y: 0, w: width, h: height }];
    if (state.layout === "divider") {
      const split = Math.round((width * state.at) / 100);
      return [{ image: images[state.left], x: 0, y: 0, w: width, h: height, clip: [0, split] }, { image: images[state.right], x: 0, y: 0, w: width, h: height, clip: [split, width] }];
    }
    const shown = images.filter((_, n) => state.shown[n]);
    const across = width >= height * 0.8;
    const gap = Math.round(2 * ratio), size = ((across ? width : height) - gap * (shown.length - 1)) / shown.length;
    return shown.map((image, n) => {
      const start = Math.round(n * (size + gap)), end = Math.round(n * (size + gap) + size);
      return across ? { image, x: start, y: 0, w: end - start, h: height } : { image, x: 0, y: start, w: width, h: end - start };
    });
  }
  function fitZoom() {
    const pane = panes()[0];
    return Math.min(pane.w / base.w, pane.h / base.h);
  }
  function clamp() {
    const least = Math.min(fitZoom(), 1);
    if (state.fitted) state.zoom = fitZoom();
    state.zoom = Math.min(Math.max(state.zoom, least), MAX_ZOOM);
    const pane = panes()[0];
    for (const [axis, length, room] of [["x", base.w, pane.w], ["y", base.h, pane.h]]) {
      const half = room / 2 / state.zoom;
      state[axis] = half * 2 >= length ? length / 2 : Math.min(Math.max(state[axis], half), length - half);
    }
  }

  function drawImage(pane) {
    const image = pane.image, TILE = image.tile, full = image.levels[0];
    const sx = (base.w / full.w) * state.zoom, sy = (base.h / full.h) * state.zoom; // device pixels per pixel of the image
    const left = pane.x + pane.w / 2 - state.x * state.zoom, top = pane.y + pane.h / 2 - state.y * state.zoom;
    const from = pane.clip ? pane.clip[0] : pane.x, to = pane.clip ? pane.clip[1] : pane.x + pane.w;
    if (to <= from) return;
    context.save();
    context.beginPath();
    context.rect(from, pane.y, to - from, pane.h);
    context.clip();
    context.imageSmoothingEnabled = image.map ? sx < 1 : state.zoom < 1.99;
    context.imageSmoothingQuality = "high";
    let wanted = 0;
    while (wanted + 1 < image.levels.length && Math.max(sx, sy) * 2 ** (wanted + 1) <= 1.01) wanted++;
    for (let n = image.levels.length - 1; n >= wanted; n--) {
      if (n !== wanted && n !== image.levels.length - 1) continue; // the smallest level stands in until tiles are there
      const level = image.levels[n], kx = (full.w / level.w) * sx, ky = (full.h / level.h) * sy;
      const column0 = Math.max(Math.floor((from - left) / kx / TILE), 0), column1 = Math.min(Math.ceil((to - left) / kx / TILE), level.columns);
      const row0 = Math.max(Math.floor((pane.y - top) / ky / TILE), 0), row1 = Math.min(Math.ceil((pane.y + pane.h - top) / ky / TILE), level.rows);
      for (let row = row0; row < row1; row++) {
        for (let column = column0; column < column1; column++) {
          const found = tile(image, n, row, column);
          if (!found) continue;
          const x0 = Math.round(left + column * TILE * kx), y0 = Math.round(top + row * TILE * ky);
          const x1 = Math.round(left + Math.min((column + 1) * TILE, level.w) * kx), y1 = Math.round(top + Math.min((row + 1) * TILE, level.h) * ky);
          context.drawImage(found, x0, y0, x1 - x0, y1 - y0);
        }
      }
    }
    context.restore();
  }

  let asked = false, missing = 0;
  function draw() {
    if (asked) return;
    asked = true;
    requestAnimationFrame(() => {
      asked = false;
      context.clearRect(0, 0, width, height);
      missing = 0;
      panes().forEach(drawImage);
      stage.setAttribute("aria-busy", String(missing > 0));
      forget();
    });
  }

  function changed() {
    clamp();
    const divided = !single && state.layout === "divider";
    divider.hidden = !divided;
    pair.hidden = !divided;
    panesShown.hidden = divided;
    for (const [name, b] of Object.entries(layouts)) b.setAttribute("aria-pressed", String(name === state.layout));
    selects.left.value = state.left;
    selects.right.value = state.right;
    divider.style.left = state.at + "%";
    divider.setAttribute("aria-valuenow", String(Math.round(state.at)));
    divider.setAttribute("aria-valuetext", Math.round(state.at) + " % " + images[state.left].label + ", the rest " + images[state.right].label);
    const percent = state.zoom * 100;
    zoomed.textContent = (percent < 10 ? percent.toFixed(1) : Math.round(percent)) + " %";
    canvas.classList.toggle("zoomed-in", state.zoom > fitZoom() * 1.001);
    const shown = panes();
    canvas.setAttribute("aria-label", "Comparison of " + shown.map((p) => p.image.label).join(", ") + " at " + zoomed.textContent);
    labels.replaceChildren(...shown.map((pane, n) => {
      const label = make("span", { class: "pane-label" }, title(pane.image.label));
      if (pane.clip && n) label.style.right = "0"; else label.style.left = pane.x / ratio + "px";
      label.style.top = pane.y / ratio + "px";
      return label;
    }));
    draw();
    remember();
  }

  // Actions
  function layout(name) { state.layout = name; changed(); }
  function swap() { [state.left, state.right] = [state.right, state.left]; changed(); }
  function fit() { state.fitted = true; changed(); }
  function zoomTo(zoom, x, y) { // x, y: device pixels of the canvas that stay where they are
    const pane = panes().find((p) => x >= p.x && x < p.x + p.w && y >= p.y && y < p.y + p.h) || panes()[0];
    const dx = (x === undefined ? 0 : x - pane.x - pane.w / 2), dy = (y === undefined ? 0 : y - pane.y - pane.h / 2);
    zoom = Math.min(Math.max(zoom, Math.min(fitZoom(), 1)), MAX_ZOOM);
    state.x += dx / state.zoom - dx / zoom;
    state.y += dy / state.zoom - dy / zoom;
    state.zoom = zoom;
    state.fitted = Math.abs(zoom / fitZoom() - 1) < 1e-3;
    changed();
  }
  function zoomBy(factor, x, y) { zoomTo(state.zoom * factor, x, y); }
  function move(dx, dy) { state.x -= dx / state.zoom; state.y -= dy / state.zoom; changed(); }
  function divide(at) { state.at = Math.min(Math.max(at, 0), 100); changed(); }

  stage.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const onDivider = event.target === divider, step = 80 * ratio;
    const byKey = {
      "+": () => zoomBy(1.5), "=": () => zoomBy(1.5), "-": () => zoomBy(1 / 1.5), "0": fit, "1": () => zoomTo(1), "2": () => zoomTo(2),
      "[": () => divide(state.at - 2), "]": () => divide(state.at + 2), x: swap, s: () => layout(state.layout === "side" ? "divider" : "side"),
      ArrowLeft: () => (onDivider ? divide(state.at - 2) : move(step, 0)), ArrowRight: () => (onDivider ? divide(state.at + 2) : move(-step, 0)),
      ArrowUp: () => (onDivider ? divide(state.at + 2) : move(0, step)), ArrowDown: () => (onDivider ? divide(state.at - 2) : move(0, -step)),
      PageUp: onDivider && (() => divide(state.at + 10)), PageDown: onDivider && (() => divide(state.at - 10)), Home: onDivider && (() => divide(0)), End: onDivider && (() => divide(100)),
    };
    const action = byKey[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (!action) return;
    event.preventDefault();
    if (!single || !["[", "]", "x", "s"].includes(event.key.toLowerCase())) action();
  });
  function place(event) {
    const box = canvas.getBoundingClientRect();
    return [(event.clientX - box.left) * ratio, (event.clientY - box.top) * ratio];
  }
  canvas.addEventListener("wheel", (event) => {
    if (!event.ctrlKey && !event.metaKey && document.activeElement !== canvas) return; // the page scrolls
    event.preventDefault();
    const lines = event.deltaMode === 1 ? 30 : 1;
    zoomBy(Math.exp(-Math.max(Math.min(event.deltaY * lines, 200), -200) / 300), ...place(event));
  }, { passive: false });
  canvas.addEventListener("dblclick", (event) => (state.fitted || state.zoom < 0.99 ? zoomTo(1, ...place(event)) : fit()));
  const held = new Map(); // pointers
  canvas.addEventListener("pointerdown", (event) => {
    if (event.button) return;
    held.set(event.pointerId, place(event));
    canvas.setPointerCapture(event.pointerId);
    canvas.classList.add("held");
  });
  canvas.addEventListener("pointermove", (event) => {
    const before = held.get(event.pointerId);
    if (!before) return;
    const now = place(event), others = [...held].filter(([id]) => id !== event.pointerId);
    held.set(event.pointerId, now);
    if (!others.length) return move(now[0] - before[0], now[1] - before[1]);
    const other = others[0][1], distance = (p) => Math.max(Math.hypot(p[0] - other[0], p[1] - other[1]), 1);
    zoomBy(distance(now) / distance(before), (now[0] + other[0]) / 2, (now[1] + other[1]) / 2);
  });
  for (const name of ["pointerup", "pointercancel"]) {
    canvas.addEventListener(name, (event) => { held.delete(event.pointerId); canvas.classList.toggle("held", held.size > 0); });
  }
  divider.addEventListener("pointerdown", (event) => { divider.setPointerCapture(event.pointerId); divider.focus({ preventScroll: true }); event.preventDefault(); });
  divider.addEventListener("pointermove", (event) => {
    if (!divider.hasPointerCapture(event.pointerId)) return;
    divide(((place(event)[0] / width) * 100));
  });

  // The address keeps the view, so that it can be sent
  let timer = 0;
  function remember() {
    clearTimeout(timer);
    timer = setTimeout(() => {
      const values = { l: state.layout === "side" ? "side" : "", i: state.left + "-" + state.right, d: Math.round(state.at), z: state.fitted ? "" : state.zoom.toFixed(3), x: Math.round(state.x), y: Math.round(state.y) };
      const hash = Object.entries(values).filter(([key, v]) => v !== "" && !(state.fitted && (key === "x" || key === "y"))).map(([k, v]) => k + "=" + v).join("&");
      try { history.replaceState(null, "", "#" + hash); } catch (error) { /* not allowed everywhere for files */ }
    }, 250);
  }
  function recall() {
    const values = new URLSearchParams(location.hash.slice(1));
    const number = (key, least, most, otherwise) => {
      const value = values.has(key) ? Number(values.get(key)) : NaN;
      return value >= least && value <= most ? value : otherwise;
    };
    const chosen = (values.get("i") || "").split("-").map(Number).filter((n) => n in images);
    if (chosen.length === 2) [state.left, state.right] = chosen;
    if (values.get("l") === "side") state.layout = "side";
    state.at = number("d", 0, 100, 50);
    state.zoom = number("z", 1e-4, MAX_ZOOM, 0);
    state.fitted = state.zoom === 0;
    state.x = number("x", 0, base.w, base.w / 2);
    state.y = number("y", 0, base.h, base.h / 2);
  }

  recall();
  new ResizeObserver(() => {
    ratio = window.devicePixelRatio || 1;
    width = Math.max(Math.round(stage.clientWidth * ratio), 1);
    height = Math.max(Math.round(stage.clientHeight * ratio), 1);
    if (canvas.width !== width || canvas.height !== height) { canvas.width = width; canvas.height = height; }
    changed();
  }).observe(stage);
})();
