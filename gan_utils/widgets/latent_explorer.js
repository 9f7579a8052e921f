// The page of a LatentExplorer: latents in, pictures out. The network itself is in graph.js.
import { button, canvas, choice, make, predicted, slider } from "./controls.js";
import { network } from "./graph.js";
import { between, nearest } from "./latents.js";
import { normals, random } from "./random.js";
import { heldBytes, weights, whenSeen } from "./weights.js";

const SIZE = 224; // of the large picture, in CSS pixels
const TILE = 56;
const REACH = Array.from({ length: 25 }, (_, k) => (k - 12) / 4); // along a direction, in standard deviations
const LENGTHS = Array.from({ length: 16 }, (_, k) => k / 10);
const WAY = Array.from({ length: 21 }, (_, k) => k / 20);
const NEAREST = 5;

function render({ model, el }) {
  const numbers = Math.max(...model.get("graph").steps.map((step) => step.weights[1]));
  let generator = null; // until its weights are read
  const [rows, cols, channels] = model.get("shape");
  const directions = model.get("directions");
  const size = model.get("latent_dim");
  const moved = directions.map(() => 0);
  let [truncation, second, t, way, page, hung] = [1, 1, 0, "slerp", 0, 0];
  let real = null; // real images, values in [-1, 1]

  const seeded = (seed) => [...normals(random(seed, 0), size)];
  const run = (latent) => generator([latent])[0].data;
  const current = (at = t) =>
    between(seeded(model.get("seed")), seeded(second), at, way).map(
      (x, i) => truncation * x + moved.reduce((sum, a, d) => sum + a * directions[d][i], 0),
    );

  // --- the parts of the page
  const picture = canvas(SIZE, Math.round((SIZE * rows) / cols), "the sample");
  const strip = canvas(
    9 * 40,
    Math.round((40 * rows) / cols),
    "nine samples on the way from the first seed to the second",
  );
  const beside = make("div", { className: "gan-row" });
  const note = make("p", { className: "gan-note" });
  const seed = number("first seed", model.get("seed"), choose);
  const other = number("second seed", second, (value) => {
    second = value;
    show();
  });
  const axes = directions.map((_, d) => {
    const share = Math.round(100 * model.get("shares")[d]);
    return slider(`direction ${d + 1} (${share} %)`, REACH, 12, (i) => {
      moved[d] = REACH[i];
      show();
    });
  });
  let hanging = 0;
  const sizes = slider("truncation: latent ×", LENGTHS, 10, (i) => {
    truncation = LENGTHS[i];
    show();
    clearTimeout(hanging);
    hanging = setTimeout(hang, 200);
  });
  const along = slider("from first to second seed", WAY, 0, (i) => {
    t = WAY[i];
    show(false); // the strip shows the whole way
  });
  const ways = choice("way", ["slerp", "lerp"], way, (value) => {
    way = value;
    show();
  });
  const wall = make("div", { className: "gan-wall", role: "group", "aria-label": "36 samples" });
  const panel = make(
    "div",
    { className: "gan-panel" },
    make(
      "div",
      {},
      button("New sample", () => choose(Math.floor(Math.random() * 2 ** 32))),
      button("Reset sliders", straighten),
    ),
    seed.row,
    sizes.row,
    make("p", {
      className: "gan-note",
      textContent: "principal directions (share of the mean squared change of the pixels), added to the latent:",
    }),
    ...axes.map((axis) => axis.row),
    other.row,
    along.row,
    ways.row,
    strip.element,
  );
  const more = button("Another 36", () => {
    page += 1;
    hang();
  });
  const body = make(
    "div",
    {},
    make(
      "div",
      { className: "gan-columns" },
      make("div", { className: "gan-stage" }, picture.element, note, beside),
      panel,
    ),
    make("div", {}, more, " A click on a picture makes it the first seed, all sliders reset but truncation."),
    wall,
    make("p", { className: "gan-note", textContent: rounding() }),
  );
  const box = make("section", { className: "gan-widget gan-latents", "aria-label": "Latent explorer" });
  box.append(predicted(model.get("predict"), body));
  el.append(box);
  whenSeen(body, async () => {
    generator = network(model.get("graph"), await weights(model));
    hang();
    show();
  });

  function number(name, value, change) {
    const input = make("input", { type: "number", min: 0, max: 4294967295, value, "aria-label": name });
    input.addEventListener("change", () => {
      const wanted = Number(input.value);
      const ok = input.value !== "" && Number.isInteger(wanted) && wanted >= 0 && wanted < 2 ** 32;
      input.setCustomValidity(ok ? "" : "a whole number from 0 to 4294967295");
      if (!input.reportValidity()) return;
      change(wanted);
    });
    return { row: make("label", { className: "gan-row" }, make("span", { textContent: name }), input), input };
  }

  function rounding() {
    const { max, mean } = model.get("rounding");
    return (
      `The network runs in this page, its ${numbers.toLocaleString("en")} numbers rounded to half precision. ` +
      `That changes a pixel, on the scale from -1 to 1, by ${mean.toPrecision(2)} on average and ${max.toPrecision(2)} at most (64 samples).`
    );
  }

  function choose(value) {
    t = 0;
    along.set(0);
    if (value === model.get("seed")) return show();
    model.set("seed", value); // which shows it, as a change from Python does
    model.save_changes();
  }

  function picked(value) {
    moved.fill(0);
    axes.forEach((axis) => axis.set(12));
    choose(value);
  }

  function straighten() {
    moved.fill(0);
    axes.forEach((axis) => axis.set(12));
    truncation = 1;
    sizes.set(10);
    choose(model.get("seed"));
    hang();
  }

  // values in [-1, 1] to a small canvas
  function image(values) {
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

  function put(context, values, x, width) {
    context.imageSmoothingEnabled = false;
    context.drawImage(image(values), x, 0, width, (width * rows) / cols);
  }

  function show(whole = true) {
    if (body.hidden || !generator) return;
    const latent = current();
    const begun = performance.now();
    const values = run(latent);
    const milliseconds = performance.now() - begun;
    box.dataset.milliseconds = milliseconds;
    picture.paint((context) => put(context, values, 0, SIZE));
    if (whole) {
      strip.paint((context) => {
        for (let i = 0; i < 9; i++) put(context, run(current(i / 8)), 40 * i, 39);
      });
    }
    const mean = values.reduce((sum, x) => sum + x, 0) / values.length;
    box.dataset.mean = mean;
    note.textContent = `length of the latent ${Math.hypot(...latent).toFixed(2)} (typical: ${Math.sqrt(size).toFixed(2)}); made in ${milliseconds.toFixed(0)} ms`;
    const where = t
      ? `${Math.round(100 * t)} % of the way from seed ${model.get("seed")} to ${second}`
      : `seed ${model.get("seed")}`;
    picture.element.setAttribute("aria-label", `the sample of ${where}, mean brightness ${mean.toFixed(2)}`);
    if (!real) return;
    beside.replaceChildren(
      make("span", {
        textContent: `nearest of ${model.get("real_count")} real images (root mean square difference of pixels; 0 is a copy):`,
      }),
    );
    for (const [index, distance] of nearest(values, real, NEAREST)) {
      const part = real.subarray(index * values.length, (index + 1) * values.length);
      const shown = canvas(
        TILE,
        Math.round((TILE * rows) / cols),
        `real image ${index}, distance ${distance.toFixed(2)}`,
      );
      shown.paint((context) => put(context, part, 0, TILE));
      beside.append(
        make(
          "figure",
          {},
          shown.element,
          make("figcaption", { className: "gan-note", textContent: distance.toFixed(2) }),
        ),
      );
    }
  }

  // the wall is hung a few pictures at a time, so that the page stays alive; a newer wall ends an older one
  function hang() {
    if (body.hidden || !generator) return;
    hung += 1;
    const mine = hung;
    wall.replaceChildren();
    const next = (k) => {
      if (k === 36 || mine !== hung) return;
      const own = 36 * page + k;
      const shown = canvas(TILE, Math.round((TILE * rows) / cols), "");
      shown.element.setAttribute("aria-hidden", "true");
      shown.paint((context) => put(context, run(seeded(own).map((x) => truncation * x)), 0, TILE));
      wall.append(
        make(
          "button",
          { type: "button", onclick: () => picked(own), "aria-label": `sample of seed ${own}` },
          shown.element,
        ),
      );
      if (k % 6 === 5) setTimeout(() => next(k + 1));
      else next(k + 1);
    };
    next(0);
  }

  async function load() {
    const held = heldBytes(model.get("sprite"));
    if (!held.byteLength) return;
    const sheet = await createImageBitmap(new Blob([held], { type: "image/png" }));
    const whole = make("canvas", { width: sheet.width, height: sheet.height });
    const context = whole.getContext("2d", { willReadFrequently: true });
    context.drawImage(sheet, 0, 0);
    const columns = model.get("columns");
    const size = rows * cols * channels;
    real = new Float32Array(model.get("real_count") * size);
    for (let i = 0; i < model.get("real_count"); i++) {
      const { data } = context.getImageData((i % columns) * cols, Math.floor(i / columns) * rows, cols, rows);
      for (let k = 0; k < size; k++)
        real[i * size + k] = data[4 * Math.floor(k / channels) + (k % channels)] / 127.5 - 1;
    }
    show();
  }

  hang();
  show();
  load();
  const follow = () => {
    seed.input.value = model.get("seed");
    show();
  };
  model.on("change:seed", follow);
  return () => {
    hung += 1;
    model.off("change:seed", follow);
  };
}

export default { render };
