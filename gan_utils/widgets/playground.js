// The page of a Playground: settings in, pictures and numbers out. All mathematics is in plane_gan.js.
import { button, calm, canvas, choice, colours, make, onTheme, predicted, toggle, words } from "./controls.js";
import { CELLS, SIDE, arrows, dots, heatMap, latentGrid, lattice, lossChart, marks } from "./plane_drawing.js";
import { HALF_WIDTH, LOSSES, PlaneGAN, SIGMA, STREAMS, check, points, scores } from "./plane_gan.js";
import { random } from "./random.js";

const SHOWN = 200;
const JUDGED = 1000;
const FARTHEST = 20000; // steps a link may ask for
const CORNERS = [
  [-1, -0.5],
  [-1, 0.5],
  [0, 0],
  [1, -0.5],
  [1, 0.5],
]; // what draw-your-own begins with
const LABELS = { critic_steps: "discriminator steps for one of the generator" };
const VIEWS = { heat_map: "Heat map", manifold: "Latent grid", arrows: "Arrows", slow_motion: "Slow motion" };
const inside = (v) => Math.max(-HALF_WIDTH, Math.min(HALF_WIDTH, v));
const number = (x) => (x === null || x === undefined || Number.isNaN(x) ? "–" : x.toFixed(3));

function render({ model, el }) {
  const choices = model.get("choices");
  const initial = model.get("settings");
  const colour = model.get("colours");
  const views = { heat_map: false, manifold: false, arrows: false, slow_motion: false };
  for (const name of model.get("views")) views[name] = true;
  let [gan, seen, history, floor] = [null, {}, [], 0];
  let [playing, goal, cancel] = [false, Infinity, () => {}]; // goal: the step at which to stop
  let [stride, broken] = [1, false]; // every how many steps the losses are kept; whether they are still finite
  let settings = { ...initial };
  let cursor = [0, 0];

  // --- the parts of the page
  const plane = canvas(SIDE, SIDE, "");
  const chart = canvas(SIDE, 150, "losses against steps");
  const status = make("p", { className: "gan-note", role: "status" });
  const fault = make("p", { className: "gan-fault", role: "alert", hidden: true });
  const table = make("table");
  const before = make("p", { className: "gan-note" }); // the run before, to compare with
  const play = button("Play", () => {
    if (!playing) return start();
    pause();
    finish();
  });
  const once = button("Step", () => {
    pause();
    advance(1);
    finish();
  });
  const hundred = button("+ 100 steps", () => {
    pause();
    start(gan.steps + 100);
  });
  const again = button("Reset", () => begin(settings));
  const link = button("Copy a link to this state", keep);
  const erase = button("Erase the drawing", () => begin({ ...settings, points: [] }));
  const hint = make("p", {
    className: "gan-note",
    id: `gan-hint-${Math.random().toString(36).slice(2)}`,
    textContent: "Draw in the plane: click, drag, or move the cross with the arrow keys and press Enter.",
  });
  plane.element.setAttribute("aria-describedby", hint.id);
  const controls = Object.fromEntries(
    Object.entries(choices).map(([name, values]) => [
      name,
      choice(LABELS[name] ?? name, values, settings[name], (value) => change(name, value), { drawn: "your own" }),
    ]),
  );
  const seed = make("input", { type: "number", min: 0, max: 4294967295, value: settings.seed, "aria-label": "seed" });
  seed.addEventListener("change", () => change("seed", seed.value === "" ? null : Number(seed.value)));
  const shows = Object.keys(views).map((name) =>
    toggle(VIEWS[name], views[name], (on) => {
      views[name] = on;
      paint();
    }),
  );
  const first = ["data", "loss", "critic_steps", "generator_rate", "discriminator_rate"];
  const rest = Object.keys(choices).filter((name) => !first.includes(name));
  const more = make(
    "details",
    {},
    make("summary", { textContent: "More settings" }),
    ...rest.map((name) => controls[name].row),
  );
  const legend = make("p", { className: "gan-note" });
  const panel = make(
    "div",
    { className: "gan-panel" },
    ...first.map((name) => controls[name].row),
    make("label", { className: "gan-row" }, make("span", { textContent: "seed" }), seed),
    more,
    make("p", {
      className: "gan-note",
      textContent: "A change starts again at step 0. The same settings and seed are the same run.",
    }),
    link,
    fault,
    table,
    before,
  );
  const stage = make("div", { className: "gan-stage" }, plane.element, legend, hint, erase, chart.element, status);
  const body = make(
    "div",
    {},
    make("div", {}, play, once, hundred, again, ...shows),
    make("div", { className: "gan-columns" }, stage, panel),
  );
  const box = make("section", { className: "gan-widget gan-playground", "aria-label": "GAN playground" });
  box.append(predicted(model.get("predict"), body, () => paint()));
  el.append(box);

  // --- states
  function say(error) {
    fault.hidden = !error;
    fault.textContent = error ? `${error.message ?? error}.` : "";
  }

  function reflect() {
    for (const [name, control] of Object.entries(controls)) control.set(settings[name]);
    seed.value = settings.seed;
  }

  function change(name, value) {
    const wanted = { ...settings, [name]: value };
    if (name === "data" && value === "drawn" && !wanted.points.length) wanted.points = CORNERS;
    begin(wanted);
  }

  const summary = () => {
    const { loss, critic_steps: steps, generator_rate: generator, discriminator_rate: discriminator } = gan.settings;
    const { covered, modes, js } = seen.scores;
    const heaps = modes ? `${covered} of ${modes} heaps, ` : "";
    return `${words(loss)}, ${steps} to 1, rates ${generator} and ${discriminator}: step ${gan.steps}, ${heaps}Jensen-Shannon ${number(js)}`;
  };

  function begin(wanted) {
    pause();
    try {
      // an empty drawing is no run, but what else is asked for must be right
      const empty = wanted.data === "drawn" && !wanted.points?.length;
      check(empty ? { ...wanted, data: "ring" } : wanted, choices, initial);
      settings = wanted;
      say(null);
    } catch (error) {
      say(error);
      reflect();
      return finish();
    }
    if (gan?.steps) before.textContent = `the run before: ${summary()}`;
    [history, stride, broken] = [[], 1, false];
    reflect();
    const drawn = settings.data === "drawn";
    erase.hidden = hint.hidden = !drawn;
    plane.element.tabIndex = drawn ? 0 : -1;
    plane.element.style.touchAction = drawn ? "none" : "auto";
    plane.element.setAttribute("role", drawn ? "application" : "img");
    gan = drawn && !settings.points.length ? null : new PlaneGAN(settings);
    if (gan) {
      const judged = random(settings.seed, STREAMS.judged);
      const shown = random(settings.seed, STREAMS.shown);
      seen = {
        real: points(settings, SHOWN, shown),
        latents: gan.latents(SHOWN, shown),
        judged: points(settings, 2 * JUDGED, judged),
        judgedLatents: gan.latents(JUDGED, judged),
        heat: lattice(CELLS),
        arrows: lattice(14),
      };
      floor = scores(seen.judged, points(settings, JUDGED, judged), settings.data).js;
    }
    model.set("settings", settings);
    model.save_changes();
    finish();
  }

  // one player's move; when the step is whole its losses are kept, of a long run only every so many
  function move() {
    if (!gan.move()) return false;
    broken = !gan.last.every(Number.isFinite);
    if (gan.steps % stride === 0) history.push([gan.steps, ...gan.last]);
    if (history.length > 600) {
      stride *= 2;
      history = history.filter(([step]) => step % stride === 0);
    }
    if (broken) say("The losses are no longer finite: this run has diverged. Lower the learning rates, then Reset");
    return true;
  }

  // count steps, or as many as fit into the milliseconds
  function advance(count, milliseconds = Infinity) {
    const end = performance.now() + milliseconds;
    for (let i = 0; i < count && !broken && (i === 0 || performance.now() < end); i++) while (!move());
  }

  function frame() {
    if (views.slow_motion && goal === Infinity) {
      move();
      status.textContent = `step ${gan.steps}: the ${gan.turn === "generator" ? "discriminator" : "generator"} has moved`;
      look();
    } else {
      advance(goal - gan.steps, calm() ? 100 : 12);
      look();
    }
    if (broken || gan.steps >= goal) {
      pause();
      return finish();
    }
    const wait = views.slow_motion && goal === Infinity ? 600 : calm() ? 500 : 0;
    if (wait) {
      const id = setTimeout(frame, wait);
      cancel = () => clearTimeout(id);
    } else {
      const id = requestAnimationFrame(frame);
      cancel = () => cancelAnimationFrame(id);
    }
  }

  function start(until = Infinity) {
    [playing, goal] = [true, until];
    play.textContent = "Pause";
    status.setAttribute("aria-live", "off"); // what moves is not read out
    status.textContent = until === Infinity ? "training" : `going to step ${until}`;
    frame();
  }

  function pause() {
    cancel();
    [playing, goal, cancel] = [false, Infinity, () => {}];
    play.textContent = "Play";
    status.setAttribute("aria-live", "polite");
  }

  function look() {
    if (gan) seen.scores = scores(seen.judged, gan.make(seen.judgedLatents), settings.data);
    paint();
  }

  // a picture, and a sentence for those who do not see it
  function finish() {
    look();
    play.disabled = once.disabled = hundred.disabled = !gan || broken;
    link.disabled = !gan;
    if (!gan) status.textContent = "no points yet";
    else {
      const { covered, modes, js } = seen.scores;
      const found = modes ? `, ${covered} of ${modes} heaps reached` : "";
      status.textContent = `step ${gan.steps}${found}, Jensen-Shannon divergence ${number(js)} (two real samples: ${number(floor)})`;
    }
    plane.element.setAttribute(
      "aria-label",
      `the plane: real points (${settings.data}), generated points and the discriminator; ${status.textContent}`,
    );
  }

  // --- pictures
  function paint() {
    if (body.hidden || !box.isConnected) return;
    const { text, dark } = colours(box);
    box.dataset.steps = gan ? gan.steps : 0;
    plane.paint((context) => {
      context.fillStyle = dark ? "#14181e" : "#ffffff";
      context.fillRect(0, 0, SIDE, SIDE);
      if (gan) {
        if (views.heat_map) heatMap(context, gan, seen.heat);
        if (views.manifold) latentGrid(context, gan, text);
        if (views.arrows) arrows(context, gan, seen.arrows, text);
        dots(context, seen.real, colour.real, false, text);
        dots(context, gan.make(seen.latents), colour.fake, true, text);
      }
      const focused = document.activeElement === plane.element;
      if (settings.data === "drawn") marks(context, settings.points, focused ? cursor : null, colour.real, text);
    });
    const sides = settings.loss.startsWith("wasserstein") ? "low · high score" : "taken for generated · for real";
    const notes = {
      manifold: "Thin lines: where a square grid of latents goes.",
      arrows: "Arrows: where the generator's loss moves a sample; cut at one length.",
    };
    const shown = Object.keys(notes)
      .filter((name) => views[name])
      .map((name) => ` ${notes[name]}`);
    const mark = (shade, sign) =>
      make("span", {
        style: `color:${shade};-webkit-text-stroke:0.5px ${text}`,
        textContent: sign,
        "aria-hidden": "true",
      });
    legend.replaceChildren(
      mark(colour.real, "● "),
      "real  ",
      mark(colour.fake, "◆ "),
      "generated  ",
      mark("#e69f00", "■"),
      mark("#0072b2", "■ "),
      `${sides}, no colour: undecided.`,
      ...shown,
    );
    const shades = [dark ? "#56b4e9" : colour.discriminator, colour.generator];
    chart.paint((context, width, height) => {
      lossChart(
        context,
        [width, height],
        history,
        gan ? gan.steps : 0,
        LOSSES[settings.loss].equilibrium,
        shades,
        text,
      );
    });
    tell();
  }

  function tell() {
    const { covered, modes, high_quality: good, kl, js } = gan ? seen.scores : {};
    const [discriminator, generator] = gan?.steps ? gan.last : [NaN, NaN];
    const [wanted, target] = LOSSES[settings.loss].equilibrium;
    const rows = [
      ["step", gan ? gan.steps : 0, ""],
      ["discriminator's loss", number(discriminator), `${number(wanted)} at equilibrium`],
      [
        "generator's loss",
        number(generator),
        target === null ? "any constant at equilibrium" : `${number(target)} at equilibrium`,
      ],
      [
        "heaps reached",
        modes ? `${covered} of ${modes}` : "–",
        modes
          ? `of ${JUDGED} samples at least one within 3 σ (σ = ${SIGMA[settings.data]})`
          : "these data have no heaps",
      ],
      [
        "high-quality share",
        modes ? `${Math.round(100 * good)} %` : "–",
        modes ? "samples within 3 σ of a heap; 99 % of real ones" : "",
      ],
      ["Jensen-Shannon", number(js), `how far apart, 0 to 0.693; two real samples: ${number(floor)}`],
      ["KL(generated‖real)", number(kl), "over 20 × 20 cells of the plane, not over heaps"],
    ];
    table.replaceChildren(
      ...rows.map(([name, value, note]) =>
        make(
          "tr",
          {},
          make("th", { scope: "row", textContent: name }),
          make("td", { textContent: value }),
          make("td", { textContent: note }),
        ),
      ),
    );
  }

  // --- drawing one's own data
  let drawing = false;
  function put(x, y) {
    const point = [x, y].map((v) => Math.round(100 * inside(v)) / 100);
    const near = settings.points.some(([a, b]) => Math.hypot(a - point[0], b - point[1]) < 0.04);
    if (near || settings.points.length >= 300) return false;
    settings = { ...settings, points: [...settings.points, point] };
    return true;
  }
  function at(event) {
    const frame = plane.element.getBoundingClientRect();
    const [x, y] = [(event.clientX - frame.left) / frame.width, (event.clientY - frame.top) / frame.height];
    if (put(HALF_WIDTH * (2 * x - 1), HALF_WIDTH * (1 - 2 * y))) drawing = "something";
    paint();
  }
  plane.element.addEventListener("pointerdown", (event) => {
    if (settings.data !== "drawn" || event.button !== 0) return;
    pause();
    drawing = "nothing yet";
    plane.element.setPointerCapture(event.pointerId);
    at(event);
  });
  plane.element.addEventListener("pointermove", (event) => drawing && at(event));
  for (const end of ["pointerup", "pointercancel"]) {
    plane.element.addEventListener(end, () => {
      if (drawing === "something") begin(settings);
      drawing = false;
    });
  }
  plane.element.addEventListener("keydown", (event) => {
    if (settings.data !== "drawn") return;
    const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key];
    if (!step && event.key !== "Enter" && event.key !== " ") return;
    event.preventDefault();
    if (step) cursor = cursor.map((v, i) => inside(v + 0.1 * step[i]));
    else if (put(...cursor)) begin(settings);
    status.textContent = `cross at ${cursor.map((v) => v.toFixed(1)).join(", ")}; ${settings.points.length} of at most 300 points`;
    paint();
  });
  for (const kind of ["focus", "blur"]) plane.element.addEventListener(kind, () => paint());

  // --- a link that restores a state: all settings and the step, from which the run is computed again
  const key = `#${encodeURIComponent(model.get("name"))}=`;
  let kept = "";
  function keep() {
    pause();
    if (gan.turn === "generator") while (!move()); // slow motion may have stopped within a step
    kept = key + encodeURIComponent(JSON.stringify({ ...settings, step: gan.steps }));
    window.history.replaceState(null, "", kept);
    finish();
    const done = `The page's address now leads to step ${gan.steps} of this run`;
    status.textContent = `${done}.`;
    navigator.clipboard?.writeText(location.href).then(
      () => (status.textContent = `${done}; it is copied.`),
      () => {},
    );
  }
  function restore() {
    if (!location.hash.startsWith(key) || location.hash === kept) return false;
    kept = location.hash;
    let asked;
    try {
      asked = JSON.parse(decodeURIComponent(location.hash.slice(key.length)));
    } catch {
      say("The link's settings cannot be read: they are not JSON");
      return false;
    }
    try {
      const object = asked !== null && typeof asked === "object" && !Array.isArray(asked);
      const { step = 0, ...wanted } = object ? asked : {};
      const all = check(object ? wanted : null, choices, initial);
      if (!Number.isInteger(step) || step < 0 || step > FARTHEST)
        throw new Error(`step is ${step}; expected a whole number from 0 to ${FARTHEST}`);
      if (body.hidden) box.querySelector("button").click();
      begin(all);
      if (step) start(step);
      requestAnimationFrame(() => box.scrollIntoView());
      return true;
    } catch (error) {
      say(`The link asks for what cannot be: ${error.message}`);
      return false;
    }
  }

  if (!restore()) {
    const told = [fault.hidden, fault.textContent];
    begin(settings);
    [fault.hidden, fault.textContent] = told;
  }
  const back = () => restore();
  window.addEventListener("hashchange", back);
  const still = onTheme(paint);
  requestAnimationFrame(look); // the colours are known once the element is in the page
  return () => {
    pause();
    still();
    window.removeEventListener("hashchange", back);
  };
}

export default { render };
