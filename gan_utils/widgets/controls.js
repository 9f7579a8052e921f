// What the widgets share: labelled controls, the question before the answer, colours that suit the page.

export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name in element && !name.startsWith("aria")) element[name] = value;
    else element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

export const words = (name) => String(name).replaceAll("_", " ");

export const button = (text, press, attributes = {}) =>
  make("button", { type: "button", textContent: text, onclick: press, ...attributes });

// a button that stays pressed
export function toggle(text, pressed, change) {
  const made = button(text, () => {
    const now = made.getAttribute("aria-pressed") !== "true";
    made.setAttribute("aria-pressed", now);
    change(now);
  });
  made.setAttribute("aria-pressed", pressed);
  return made;
}

// a slider over a list of values: its position is an index, what it tells is the value
export function slider(name, values, index, change) {
  const input = make("input", { type: "range", min: 0, max: values.length - 1, step: 1, "aria-label": words(name) });
  input.value = index;
  const output = make("span", { className: "gan-value", "aria-hidden": "true" }); // aria-valuetext says it already
  const tell = () => {
    output.textContent = values[input.value];
    input.setAttribute("aria-valuetext", values[input.value]);
  };
  input.addEventListener("input", () => {
    tell();
    change(Number(input.value));
  });
  tell();
  const row = make("label", { className: "gan-row" }, make("span", { textContent: words(name) }), input, output);
  const set = (position) => {
    input.value = position;
    tell();
  };
  return { row, set };
}

// one of a few names: all in sight, one pressed; the arrow keys move as between radio buttons
export function radio(name, values, index, change) {
  const group = `gan-${Math.random().toString(36).slice(2)}`;
  const inputs = values.map((_, i) =>
    make("input", { type: "radio", name: group, checked: i === index, onchange: () => change(i) }),
  );
  const labels = values.map((value, i) => make("label", {}, inputs[i], ` ${words(value)}`));
  const title = make("span", { textContent: words(name) });
  const row = make("div", { className: "gan-row", role: "radiogroup", "aria-label": words(name) }, title, ...labels);
  return { row, set: (position) => (inputs[position].checked = true) };
}

export function choice(name, values, value, change, called = {}) {
  const options = values.map((v) =>
    make("option", { value: String(v), textContent: called[v] ?? words(v), selected: v === value }),
  );
  const select = make("select", { "aria-label": words(name) }, ...options);
  select.addEventListener("change", () => change(values[select.selectedIndex]));
  const row = make("label", { className: "gan-row" }, make("span", { textContent: words(name) }), select);
  return { row, set: (v) => (select.selectedIndex = values.indexOf(v)) };
}

// the content shows once the reader has committed to an answer
export function predicted(question, content, shown = () => {}) {
  if (!question) return content;
  const gate = make("div", { className: "gan-question" }, make("p", { textContent: `Predict first: ${question}` }));
  content.hidden = true;
  gate.append(
    button("I have an answer, show it", (event) => {
      content.hidden = false;
      event.target.remove();
      content.querySelector("input, select, button, [tabindex]")?.focus();
      shown();
    }),
  );
  return make("div", {}, gate, content);
}

// colours of the text around an element: light text means a dark page
export function colours(element) {
  const text = getComputedStyle(element).color;
  const [r, g, b] = text.match(/[\d.]+/g).map(Number);
  return { text, dark: 0.299 * r + 0.587 * g + 0.114 * b > 128 };
}

// calls `redraw` when the page's theme changes; returns how to stop
export function onTheme(redraw) {
  const observer = new MutationObserver(() => redraw());
  for (const element of [document.documentElement, document.body]) {
    observer.observe(element, { attributes: true, attributeFilter: ["data-theme", "data-jp-theme-light", "class"] });
  }
  const media = matchMedia("(prefers-color-scheme: dark)");
  media.addEventListener("change", redraw);
  return () => {
    observer.disconnect();
    media.removeEventListener("change", redraw);
  };
}

export const calm = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

// a canvas that is sharp on every screen; draw(context, width, height) in CSS pixels
export function canvas(width, height, label) {
  const element = make("canvas", { className: "gan-canvas", role: "img", "aria-label": label });
  const ratio = Math.min(2, window.devicePixelRatio || 1);
  [element.width, element.height] = [width * ratio, height * ratio];
  element.style.width = `${width}px`;
  const context = element.getContext("2d");
  const paint = (draw) => {
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, width, height);
    draw(context, width, height);
  };
  return { element, paint };
}
