// Frames under controls. The model's state holds all frames as one run of bytes.
import { button, calm, choice, make, predicted, radio, slider, toggle, words } from "./controls.js";

function render({ model, el }) {
  const controls = model.get("controls");
  const offsets = model.get("offsets");
  const held = model.get("frames");
  const data = new Uint8Array(held.buffer ?? held, held.byteOffset ?? 0, held.byteLength);
  const urls = new Map();
  const picture = make("img", { alt: "" });
  const table = make("table", { hidden: true });
  const telling = make("p", { className: "gan-note", role: "status" });

  // key: the frame's index on the grid, or "computed", of which there is one at a time
  const show = (key, bytes, kind, alt) => {
    picture.hidden = kind !== "image";
    table.hidden = kind !== "table";
    if (kind === "image") {
      if (key === "computed" && urls.has(key)) {
        URL.revokeObjectURL(urls.get(key));
        urls.delete(key);
      }
      if (!urls.has(key)) urls.set(key, URL.createObjectURL(new Blob([bytes], { type: "image/webp" })));
      picture.src = urls.get(key);
      picture.alt = alt;
    } else {
      const { columns, rows } = JSON.parse(new TextDecoder().decode(bytes));
      const cells = (row, tag) => make("tr", {}, ...row.map((text) => make(tag, { textContent: text })));
      table.replaceChildren(cells(columns, "th"), ...rows.map((row) => cells(row, "td")));
      table.setAttribute("aria-label", alt);
    }
  };
  const state = () => controls.map((c, i) => `${words(c.name)} ${c.values[model.get("position")[i]]}`).join(", ");
  const update = () => {
    const index = controls.reduce((sum, c, i) => sum * c.values.length + model.get("position")[i], 0);
    show(
      index,
      data.subarray(offsets[index], offsets[index + 1]),
      model.get("kind"),
      `${state()}: ${model.get("alts")[index]}`,
    );
    telling.textContent = "";
  };
  const move = (i, to) => {
    const position = [...model.get("position")];
    position[i] = to;
    model.set("position", position);
    model.save_changes();
    if (asked.includes(i)) inputs[asked.indexOf(i)].value = onGrid(i);
    update();
  };

  const panel = make("div");
  const parts = controls.map((control, i) => {
    const at = model.get("position")[i];
    if (control.kind === "switch" && control.values.length === 2) {
      const pressed = (index) => control.values[index] === "True";
      const made = toggle(words(control.name), pressed(at), (on) =>
        move(i, control.values.indexOf(on ? "True" : "False")),
      );
      return { row: made, set: (index) => made.setAttribute("aria-pressed", pressed(index)) };
    }
    if (control.kind === "number") return slider(control.name, control.values, at, (to) => move(i, to));
    if (control.values.join("").length <= 60) return radio(control.name, control.values, at, (to) => move(i, to));
    const made = choice(control.name, control.values, control.values[at], (value) =>
      move(i, control.values.indexOf(value)),
    );
    return { row: made.row, set: (index) => made.set(control.values[index]) };
  });
  parts.forEach((part) => panel.append(part.row));

  // play runs once through the first slider
  let timer = 0;
  const first = controls.findIndex((c) => c.kind === "number" && c.values.length > 2);
  const stop = () => {
    clearInterval(timer);
    timer = 0;
    play.textContent = "Play";
  };
  const forward = (to) => {
    const last = controls[first].values.length - 1;
    if (to <= last) {
      parts[first].set(to);
      move(first, to);
    }
    if (to >= last) stop(); // the reader may have moved the slider on meanwhile
  };
  const play = button("Play", () => {
    if (timer) return stop();
    const last = controls[first].values.length - 1;
    play.textContent = "Pause";
    timer = setInterval(() => forward(model.get("position")[first] + 1), calm() ? 1500 : 400);
    if (model.get("position")[first] === last) forward(0);
  });
  if (first >= 0) parts[first].row.append(play);

  // with a kernel: numbers that are not on the grid
  const asked = controls.map((_, i) => i).filter((i) => controls[i].kind === "number");
  const onGrid = (i) => controls[i].values[model.get("position")[i]];
  const inputs = asked.map((i) =>
    make("input", { type: "number", step: "any", value: onGrid(i), "aria-label": `other ${words(controls[i].name)}` }),
  );
  const compute = button("Compute", () => {
    // a field that nobody has changed, or that is empty, stays with its slider
    const edited = asked.map((i, k) => [i, inputs[k].value]).filter(([i, text]) => text !== "" && text !== onGrid(i));
    const numbers = Object.fromEntries(edited.map(([i, text]) => [controls[i].name, Number(text)]));
    telling.textContent = "computing …";
    model.send({ ask: "frame", position: model.get("position"), numbers });
  });
  const others = make("div", { className: "gan-row", hidden: true }, "off the grid: ");
  asked.forEach((i, k) => others.append(make("label", {}, `${words(controls[i].name)} `, inputs[k])));
  others.append(compute);
  model.on("msg:custom", (message, buffers) => {
    if (message.alive && asked.length) others.hidden = false;
    if (message.fault) telling.textContent = message.fault;
    if (!message.kind) return;
    const [view] = buffers;
    const frame = new Uint8Array(view.buffer.slice(view.byteOffset, view.byteOffset + view.byteLength));
    show("computed", frame, message.kind, message.alt);
    telling.textContent = "computed by the kernel";
  });

  const frames = make("div", {}, panel, others, picture, table, telling);
  const box = make("section", { className: "gan-widget gan-explore", "aria-label": "Experiment" });
  box.append(predicted(model.get("predict"), frames));
  el.append(box);
  update();
  try {
    model.send({ ask: "alive" });
  } catch {
    // a static page has nobody to ask
  }
  return () => {
    stop();
    urls.forEach((url) => URL.revokeObjectURL(url));
  };
}

export default { render };
