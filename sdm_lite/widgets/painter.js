// The label painter's page: it draws the map, previews a stroke, and sends gestures. The map itself is Python's
// (painting.py): what comes back in `labels` is drawn, whatever was previewed.

const TOOLS = [["brush", "Brush (B)"], ["rectangle", "Rectangle (R)"], ["fill", "Fill (F)"]];
const BRUSHES = [1, 3, 5, 9];
const LEAP = 4;  // pixels that the cursor moves with Shift
const ANSWER_MS = 6000;
const FOLLOW_MS = 80;  // between two tellings of a stroke that goes on
const SILENT = "Python does not answer: it is busy, or was restarted (then run this cell again).";

function element(tag, attributes, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  made.dataset.lmSuppressShortcuts = "true";  // JupyterLab would take arrow keys and letters from what has the focus
  return made;
}

function render({ model, el }) {
  const height = model.get("height"), width = model.get("width");
  const names = model.get("class_names"), colours = model.get("colours");
  const unique = Math.random().toString(36).slice(2);
  const state = { tool: "brush", label: 0, diameter: 3, cursor: [height >> 1, width >> 1], places: null, keyboard: false };
  let pending = [];  // gestures that Python has not answered
  let timer = 0, told = 0;

  // The parts of the page.
  const canvas = element("canvas", {
    width, height, tabindex: "0", role: "application", class: "sdm-map",
    "aria-label": `Label map of ${height} by ${width} pixels. Arrow keys move the cursor, with Shift by ${LEAP}; space ` +
      "paints with the tool, B brush, R rectangle, F fill, Control Z undo.",
  });
  const cursor = element("div", { class: "sdm-cursor", "aria-hidden": "true" });
  const frame = element("div", { class: "sdm-frame" }, canvas, cursor);
  const factor = Math.max(1, Math.round(320 / Math.max(height, width)));
  canvas.style.width = `${width * factor}px`;
  canvas.style.height = `${height * factor}px`;
  const line = element("div", { role: "status", "aria-live": "polite", class: "sdm-line" });

  const radio = (group, value, text, colour, on) => {
    const input = element("input", { type: "radio", name: `${group}-${unique}`, value });
    input.addEventListener("change", on);
    const swatch = colour ? [element("span", { class: "sdm-swatch", style: `background:${colour}` })] : [];
    return element("label", { class: "sdm-choice" }, input, ...swatch, text);
  };
  const group = (title, ...children) =>
    element("fieldset", { class: "sdm-group" }, element("legend", {}, title), ...children);
  const button = (text, on) => {
    const made = element("button", { type: "button", class: "sdm-button" }, text);
    made.addEventListener("click", on);
    return made;
  };
  const select = (title, options, start) => {
    const made = element("select", { "aria-label": title });
    options.forEach((text, i) => made.append(element("option", { value: i }, text)));
    made.value = String(start);
    return made;
  };

  const classes = group("Class", ...names.map((name, i) => radio("class", i, name, colours[i], () => { state.label = i; })));
  const tools = group("Tool", ...TOOLS.map(([tool, text]) => radio("tool", tool, text, null, () => pick(tool))));
  const brushes = group("Brush", ...BRUSHES.map((d) => radio("brush", d, `${d} px`, null, () => { state.diameter = d; })));
  const undo = button("Undo", () => send({ kind: "undo" }));
  const redo = button("Redo", () => send({ kind: "redo" }));
  const from = select("Class to turn", names, 0), to = select("Class to turn it into", names, Math.min(1, names.length - 1));
  const swap = button("Turn everywhere", () => send({ kind: "swap", old: Number(from.value), new: Number(to.value) }));
  const presets = select("Start from", model.get("presets"), 0);
  const start = button("Start from it", () => send({ kind: "preset", index: Number(presets.value) }));
  const clear = button("Fill all", () => send({ kind: "clear", label: state.label }));
  const controls = element("div", { class: "sdm-controls" },
    classes, tools, brushes,
    element("div", { class: "sdm-row" }, undo, redo, clear),
    element("div", { class: "sdm-row" }, from, " to ", to, swap),
    element("div", { class: "sdm-row" }, presets, start));
  el.classList.add("sdm-painter");
  el.append(element("div", { class: "sdm-parts" }, frame, controls), line);

  // Drawing: the labels that Python knows, then what it has not answered yet, then the stroke under way.
  const context = canvas.getContext("2d");
  const rgb = colours.map((hex) => [1, 3, 5].map((k) => parseInt(hex.slice(k, k + 2), 16)));
  function draw() {
    const view = model.get("labels");
    const labels = new Uint8Array(view.buffer.slice(view.byteOffset, view.byteOffset + view.byteLength));
    for (const gesture of pending) preview(labels, gesture);
    if (state.places) preview(labels, gestureOf(state.places));
    const image = context.createImageData(width, height);
    labels.forEach((label, i) => image.data.set([...(rgb[label] || [0, 0, 0]), 255], 4 * i));
    context.putImageData(image, 0, 0);
    cursor.hidden = !state.keyboard;
    const [row, column] = state.cursor;
    Object.assign(cursor.style, {
      top: `${row * factor}px`, left: `${column * factor}px`, width: `${factor}px`, height: `${factor}px`,
    });
    return labels;
  }

  // The same rule as LabelMap.brush: within half a diameter of the line through the places.
  function preview(labels, { kind, places, label, diameter }) {
    if (kind === "rectangle") {
      const [[r0, c0], [r1, c1]] = places;
      each((r, c) => r >= Math.min(r0, r1) && r <= Math.max(r0, r1) && c >= Math.min(c0, c1) && c <= Math.max(c0, c1));
    } else if (kind === "brush") {
      for (let i = 0; i < Math.max(1, places.length - 1); i++) {
        const [r0, c0] = places[i], [r1, c1] = places[Math.min(i + 1, places.length - 1)];
        const dr = r1 - r0, dc = c1 - c0, length = dr * dr + dc * dc;
        each((r, c) => {
          const along = length ? Math.min(1, Math.max(0, ((r - r0) * dr + (c - c0) * dc) / length)) : 0;
          return Math.hypot(r - r0 - along * dr, c - c0 - along * dc) <= diameter / 2;
        });
      }
    }
    function each(inside) {
      for (let r = 0; r < height; r++) for (let c = 0; c < width; c++) if (inside(r, c)) labels[r * width + c] = label;
    }
  }

  // Gestures.
  function gestureOf(places) {
    const ends = [places[0], places[places.length - 1]];
    const used = { brush: places, rectangle: ends, fill: [ends[1]] }[state.tool];
    return { kind: state.tool, places: used, label: state.label, diameter: state.diameter };
  }
  function send(gesture) {
    const id = model.get("answered") + pending.length + 1;
    pending.push({ ...gesture, id });
    window.clearTimeout(timer);
    timer = window.setTimeout(() => { if (pending.length) say(SILENT); }, ANSWER_MS);
    try {
      model.send({ ...gesture, id });
    } catch (error) {  // the kernel that this page belonged to is gone
      say(SILENT);
    }
    draw();
  }
  function follow() {  // Python draws for the stroke so far; the map is changed when it ends, so nothing is answered
    const now = performance.now();
    if (!model.get("follows") || state.tool === "fill" || now - told < FOLLOW_MS) return;
    told = now;
    try {
      model.send({ ...gestureOf(state.places), unfinished: true });
    } catch (error) {  // told when the stroke ends
    }
  }
  function pick(tool) {
    state.tool = tool;
    tools.querySelector(`input[value="${tool}"]`).checked = true;
  }
  function say(text) { line.textContent = text; }
  function placeOf(event) {
    const box = canvas.getBoundingClientRect();
    return [Math.floor((event.clientY - box.top) / box.height * height), Math.floor((event.clientX - box.left) / box.width * width)];
  }
  function finish() {
    const gesture = gestureOf(state.places);
    state.places = null;
    send(gesture);
  }

  canvas.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    event.preventDefault();
    canvas.focus({ preventScroll: true });
    canvas.setPointerCapture(event.pointerId);
    state.keyboard = false;
    state.places = [placeOf(event)];
    draw();
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!state.places || state.keyboard) return;
    const place = placeOf(event), last = state.places[state.places.length - 1];
    if (place[0] === last[0] && place[1] === last[1]) return;
    state.places.push(place);
    draw();
    follow();
  });
  canvas.addEventListener("pointerup", () => { if (state.places && !state.keyboard) finish(); });
  canvas.addEventListener("pointercancel", () => { state.places = null; draw(); });

  const MOVES = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
  const KEYS = { b: "brush", r: "rectangle", f: "fill" };
  canvas.addEventListener("keydown", (event) => {
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    const command = event.ctrlKey || event.metaKey;
    if (command && key === "z") send({ kind: event.shiftKey ? "redo" : "undo" });
    else if (command && key === "y") send({ kind: "redo" });
    else if (command || event.altKey) return;
    else if (MOVES[key]) moveCursor(MOVES[key], event.shiftKey ? LEAP : 1);
    else if (key === " " || key === "Enter") press();
    else if (key === "Escape" && state.places) { state.places = null; draw(); }
    else if (KEYS[key]) pick(KEYS[key]);
    else return;
    event.preventDefault();
    event.stopPropagation();  // as other notebooks may have
  });
  function moveCursor([down, right], by) {
    const [row, column] = state.cursor, inside = (place, size) => Math.min(size - 1, Math.max(0, place));
    state.cursor = [inside(row + by * down, height), inside(column + by * right, width)];
    state.keyboard = true;
    if (state.places) state.places.push(state.cursor);
    const labels = draw();
    say(`row ${state.cursor[0]}, column ${state.cursor[1]}: ${names[labels[state.cursor[0] * width + state.cursor[1]]]}`);
  }
  function press() {  // a rectangle has two corners: the first press sets one, the second the other
    state.keyboard = true;
    if (state.tool === "rectangle" && !state.places) {
      state.places = [state.cursor];
      say("first corner set; move and press space again");
      draw();
    } else {
      state.places = [...(state.places || []), state.cursor];
      finish();
    }
  }
  canvas.addEventListener("blur", () => {
    state.keyboard = false;
    state.places = null;
    if (line.textContent !== SILENT) say("");
    draw();
  });

  // What Python says.
  const answer = () => {
    pending = pending.filter((gesture) => gesture.id > model.get("answered"));
    if (!pending.length) {
      window.clearTimeout(timer);
      if (line.textContent === SILENT) say("");
    }
    undo.disabled = !model.get("can_undo");
    redo.disabled = !model.get("can_redo");
    draw();
  };
  model.on("change:labels", answer);
  model.on("change:answered", answer);
  model.on("change:can_undo", answer);
  model.on("change:can_redo", answer);
  for (const [part, value] of [[classes, 0], [tools, "brush"], [brushes, 3]]) {
    part.querySelector(`input[value="${value}"]`).checked = true;
  }
  answer();
  return () => {
    window.clearTimeout(timer);
    for (const name of ["labels", "answered", "can_undo", "can_redo"]) model.off(`change:${name}`, answer);
  };
}

export default { render };
