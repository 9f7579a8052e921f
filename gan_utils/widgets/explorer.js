// The page of an Explorer: a control for each input of a network, the network, a view of each output. Controls and
// views are parts: a control has { element, value() }, a view { element, show(value) }.
import { button, canvas, choice, make, onTheme, predicted, slider } from "./controls.js";
import { network } from "./graph.js";
import { normals, random } from "./random.js";
import { heldBytes, weights, whenSeen } from "./weights.js";

const WIDE = 224; // of a picture, in CSS pixels
const SMALL = 48; // of a picture in a tray

const elements = (shape) => shape.reduce((product, n) => product * n, 1);

// values in [-1, 1] to a canvas of their own size
function bitmap(values, [rows, cols, channels]) {
  const data = new ImageData(cols, rows);
  for (let k = 0; k < rows * cols; k++) {
    for (let c = 0; c < 3; c++)
      data.data[4 * k + c] = Math.round(127.5 * (1 + values[k * channels + (channels === 3 ? c : 0)]));
    data.data[4 * k + 3] = 255;
  }
  const small = make("canvas", { width: cols, height: rows });
  small.getContext("2d").putImageData(data, 0, 0);
  return small;
}

function pictureOf(values, shape, width, label) {
  const [rows, cols] = shape;
  const shown = canvas(width, Math.round((width * rows) / cols), label);
  const paint = (now) =>
    shown.paint((context, wide, high) => {
      context.imageSmoothingEnabled = false;
      context.drawImage(bitmap(now, shape), 0, 0, wide, high);
    });
  paint(values);
  return { element: shown.element, paint };
}

const CONTROLS = {
  latent({ label, shape, seed }, changed) {
    let own = seed;
    const input = make("input", {
      type: "number",
      min: 0,
      max: 4294967295,
      value: own,
      "aria-label": `seed of ${label}`,
    });
    const take = (value) => {
      own = value;
      input.value = value;
      changed();
    };
    input.addEventListener("change", () => {
      const wanted = Number(input.value);
      const fits = input.value !== "" && Number.isInteger(wanted) && wanted >= 0 && wanted < 2 ** 32;
      input.setCustomValidity(fits ? "" : "a whole number from 0 to 4294967295");
      if (input.reportValidity()) take(wanted);
    });
    const draw = button(`New ${label}`, () => take(Math.floor(Math.random() * 2 ** 32)));
    const row = make("label", { className: "gan-row" }, make("span", { textContent: `seed of ${label}` }), input);
    return { element: make("div", {}, draw, row), value: () => normals(random(own, 0), elements(shape)) };
  },

  choice({ label, shape, options, start, hot }, changed) {
    let at = start;
    const { row } = choice(label, options, options[start], (name) => {
      at = options.indexOf(name);
      changed();
    });
    const value = () => (hot ? options.map((_, k) => Number(k === at)) : Array(elements(shape)).fill(at));
    return { element: row, value };
  },

  sliders({ label, names, values, start }, changed) {
    const at = names.map(() => start);
    const rows = names.map((name, k) => {
      const { row } = slider(name, values, start, (i) => {
        at[k] = i;
        changed();
      });
      return row;
    });
    return {
      element: make("div", { role: "group", "aria-label": label }, ...rows),
      value: () => at.map((i) => values[i]),
    };
  },

  tray({ label, shape, names, sheet }, changed) {
    const [rows, cols, channels] = shape;
    let pictures = null;
    let at = 0;
    const wall = make("div", { className: "gan-wall", role: "group", "aria-label": label });
    const press = (k) => {
      at = k;
      [...wall.children].forEach((each, other) => each.setAttribute("aria-pressed", other === k));
      changed();
    };
    const load = async () => {
      const image = await createImageBitmap(new Blob([heldBytes(sheet)], { type: "image/png" }));
      const whole = make("canvas", { width: image.width, height: image.height });
      const context = whole.getContext("2d", { willReadFrequently: true });
      context.drawImage(image, 0, 0);
      pictures = names.map((_, k) => {
        const { data } = context.getImageData(0, k * rows, cols, rows);
        return Float32Array.from(
          { length: rows * cols * channels },
          (_, i) => data[4 * Math.floor(i / channels) + (i % channels)] / 127.5 - 1,
        );
      });
      wall.append(
        ...pictures.map((values, k) => {
          const small = pictureOf(values, shape, SMALL, "");
          small.element.setAttribute("aria-hidden", "true");
          return make(
            "button",
            { type: "button", onclick: () => press(k), "aria-label": names[k], "aria-pressed": k === 0 },
            small.element,
          );
        }),
      );
      changed();
    };
    load();
    return { element: wall, value: () => pictures?.[at] ?? null };
  },

  drawing({ label, shape, start }, changed) {
    const [rows, cols, channels] = shape;
    const values = Float32Array.from(start);
    const shown = pictureOf(values, shape, WIDE, `${label}: arrow keys move the pen, the space bar draws`);
    const pad = shown.element;
    pad.tabIndex = 0;
    pad.style.touchAction = "none";
    let [row, col, held] = [Math.floor(rows / 2), Math.floor(cols / 2), false];
    const mark = () => {
      shown.paint(values);
      const context = pad.getContext("2d");
      context.strokeStyle = "#d55e00";
      context.strokeRect((col * WIDE) / cols, (row * WIDE) / cols, WIDE / cols, WIDE / cols);
    };
    const draw = (r, c) => {
      for (let channel = 0; channel < channels; channel++) values[(r * cols + c) * channels + channel] = 1;
      shown.paint(values);
      changed();
    };
    const at = (event) => {
      const box = pad.getBoundingClientRect();
      const place = (value, extent) => Math.min(extent - 1, Math.max(0, Math.floor(value * extent)));
      return [place((event.clientY - box.top) / box.height, rows), place((event.clientX - box.left) / box.width, cols)];
    };
    pad.addEventListener("pointerdown", (event) => {
      held = true;
      pad.setPointerCapture(event.pointerId);
      draw(...at(event));
    });
    pad.addEventListener("pointermove", (event) => held && draw(...at(event)));
    pad.addEventListener("pointerup", () => (held = false));
    pad.addEventListener("keydown", (event) => {
      const step = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
      if (!step && event.key !== " ") return;
      event.preventDefault();
      if (step)
        [row, col] = [Math.min(rows - 1, Math.max(0, row + step[0])), Math.min(cols - 1, Math.max(0, col + step[1]))];
      else draw(row, col);
      mark();
    });
    const wipe = button("Clear", () => {
      values.fill(-1);
      shown.paint(values);
      changed();
    });
    return {
      element: make("div", {}, make("p", { className: "gan-note", textContent: label }), pad, wipe),
      value: () => values,
    };
  },
};

const VIEWS = {
  picture({ label, shape }) {
    const shown = pictureOf(new Float32Array(elements(shape)), shape, WIDE, label);
    const show = ({ data }) => {
      shown.paint(data);
      const mean = data.reduce((sum, value) => sum + value, 0) / data.length;
      shown.element.setAttribute("aria-label", `${label}, mean brightness ${mean.toFixed(2)}`);
    };
    return { element: shown.element, show };
  },

  bars({ label, names }) {
    const table = make("table", { "aria-label": label });
    const rows = names.map((name) => {
      const [bar, number] = [make("div", { className: "gan-bar" }), make("td")];
      table.append(
        make(
          "tr",
          {},
          make("th", { scope: "row", textContent: name }),
          number,
          make("td", { className: "gan-bars" }, bar),
        ),
      );
      return { bar, number };
    });
    const show = ({ data }) => {
      const most = Math.max(1e-9, ...data.map(Math.abs));
      const signed = data.some((value) => value < 0); // then bars begin in the middle
      rows.forEach(({ bar, number }, k) => {
        const size = ((signed ? 50 : 100) * Math.abs(data[k])) / most;
        number.textContent = data[k].toFixed(2);
        bar.style.width = `${size}%`;
        bar.style.marginLeft = signed ? `${data[k] < 0 ? 50 - size : 50}%` : "0";
      });
    };
    return { element: make("div", {}, make("p", { className: "gan-note", textContent: label }), table), show };
  },

  // solid voxels, farthest first, each with the faces that are seen
  voxels({ label, shape }) {
    const [depth, rows, cols] = shape;
    const shown = canvas(WIDE, WIDE, label);
    let [turn, tilt, solid, dragged] = [0.6, 0.5, new Float32Array(elements(shape)), null];
    const full = (d, r, c) =>
      d >= 0 && r >= 0 && c >= 0 && d < depth && r < rows && c < cols && solid[(d * rows + r) * cols + c] > 0;
    const paint = () =>
      shown.paint((context) => {
        const [cosT, sinT, cosU, sinU] = [Math.cos(turn), Math.sin(turn), Math.cos(tilt), Math.sin(tilt)];
        const scale = WIDE / (1.8 * Math.max(depth, rows, cols));
        const rotate = (d, r, c) => {
          const [x, y, z] = [c - cols / 2, r - rows / 2, d - depth / 2];
          const [u, w] = [cosT * x + sinT * z, cosT * z - sinT * x];
          return [WIDE / 2 + scale * u, WIDE / 2 + scale * (cosU * y + sinU * w), cosU * w - sinU * y];
        };
        const faces = [];
        for (let d = 0; d < depth; d++) {
          for (let r = 0; r < rows; r++) {
            for (let c = 0; c < cols; c++) {
              if (!full(d, r, c)) continue;
              for (const [axis, side] of [
                [0, 0],
                [0, 1],
                [1, 0],
                [1, 1],
                [2, 0],
                [2, 1],
              ]) {
                const step = [0, 0, 0];
                step[axis] = side ? 1 : -1;
                if (full(d + step[0], r + step[1], c + step[2])) continue;
                const corners = [
                  [0, 0],
                  [0, 1],
                  [1, 1],
                  [1, 0],
                ].map(([p, q]) => {
                  const at = [d, r, c];
                  at[axis] += side;
                  at[(axis + 1) % 3] += p;
                  at[(axis + 2) % 3] += q;
                  return rotate(...at);
                });
                faces.push({
                  corners,
                  far: corners.reduce((sum, corner) => sum + corner[2], 0),
                  shade: [0.75, 1, 0.55][axis],
                });
              }
            }
          }
        }
        faces.sort((a, b) => a.far - b.far);
        for (const { corners, shade } of faces) {
          context.fillStyle = `rgb(${213 * shade} ${94 * shade} 0)`;
          context.beginPath();
          corners.forEach(([x, y], k) => (k ? context.lineTo(x, y) : context.moveTo(x, y)));
          context.fill();
        }
      });
    const pad = shown.element;
    pad.tabIndex = 0;
    pad.style.touchAction = "none";
    const move = (x, y) => {
      turn += x;
      tilt = Math.max(-1.5, Math.min(1.5, tilt + y));
      paint();
    };
    pad.addEventListener("pointerdown", (event) => {
      dragged = [event.clientX, event.clientY];
      pad.setPointerCapture(event.pointerId);
    });
    pad.addEventListener("pointermove", (event) => {
      if (!dragged) return;
      move((event.clientX - dragged[0]) / 80, (event.clientY - dragged[1]) / 80);
      dragged = [event.clientX, event.clientY];
    });
    pad.addEventListener("pointerup", () => (dragged = null));
    pad.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: [-0.2, 0], ArrowRight: [0.2, 0], ArrowUp: [0, -0.2], ArrowDown: [0, 0.2] }[event.key];
      if (!step) return;
      event.preventDefault();
      move(...step);
    });
    const show = ({ data }) => {
      solid = data;
      const share = data.reduce((sum, value) => sum + (value > 0), 0) / data.length;
      pad.setAttribute("aria-label", `${label}, ${Math.round(100 * share)} % solid; arrow keys turn it`);
      paint();
    };
    return { element: pad, show };
  },
};

function render({ model, el }) {
  let run = null; // until the network's weights are read
  let waiting = false;
  const changed = () => {
    if (waiting) return;
    waiting = true; // several changes of one moment are one pass
    requestAnimationFrame(() => {
      waiting = false;
      show();
    });
  };
  const controls = model.get("controls").map((told) => CONTROLS[told.kind](told, changed));
  const views = model.get("views").map((told) => ({ ...VIEWS[told.kind](told), output: told.output }));
  const note = make("p", { className: "gan-note" });
  const { max, mean } = model.get("rounding");
  const rounding = `Weights are rounded to half precision, which changes an output by ${mean.toPrecision(2)} on average and ${max.toPrecision(2)} at most.`;
  const stage = make("div", { className: "gan-stage" }, ...views.map((view) => view.element), note);
  const panel = make("div", { className: "gan-panel" }, ...controls.map((control) => control.element));
  const body = make(
    "div",
    {},
    make("div", { className: "gan-columns" }, stage, panel),
    make("p", { className: "gan-note", textContent: rounding }),
  );
  const box = make("section", { className: "gan-widget gan-explorer", "aria-label": "Explorer" });
  box.append(predicted(model.get("predict"), body));
  el.append(box);
  whenSeen(body, async () => {
    run = network(model.get("graph"), await weights(model));
    changed();
  });

  function show() {
    const given = controls.map((control) => control.value());
    if (body.hidden || !run || given.some((value) => value === null)) return;
    const begun = performance.now();
    const outputs = run(given);
    const took = performance.now() - begun;
    box.dataset.milliseconds = took;
    note.textContent = `made in this page in ${took.toFixed(0)} ms`;
    views.forEach((view) => view.show(outputs[view.output]));
  }

  return onTheme(changed);
}

export default { render };
