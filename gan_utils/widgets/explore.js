// Frames under sliders. The model's state holds all frames as one run of PNG bytes.
function render({ model, el }) {
  const controls = model.get("controls");
  const offsets = model.get("offsets");
  const bytes = model.get("frames");
  const data = new Uint8Array(bytes.buffer ?? bytes, bytes.byteOffset ?? 0, bytes.byteLength);
  const urls = new Map();

  const url = (index) => {
    if (!urls.has(index)) {
      const part = data.slice(offsets[index], offsets[index + 1]);
      urls.set(index, URL.createObjectURL(new Blob([part], { type: "image/png" })));
    }
    return urls.get(index);
  };

  const box = document.createElement("div");
  box.className = "gan-explore";
  const picture = document.createElement("img");
  picture.style.cssText = "max-width:100%;height:auto;background:#fff;display:block";
  const show = () => {
    const position = model.get("position");
    const index = controls.reduce((sum, c, i) => sum * c.values.length + position[i], 0);
    picture.src = url(index);
    const state = controls.map((c, i) => `${c.name} ${c.values[position[i]]}`).join(", ");
    picture.alt = `${model.get("alt")}: ${state}`;
  };

  const panel = document.createElement("div");
  controls.forEach((control, i) => {
    const label = document.createElement("label");
    label.style.cssText = "display:flex;gap:.6em;align-items:center;flex-wrap:wrap;margin:.3em 0";
    const slider = document.createElement("input");
    slider.type = "range";
    slider.min = 0;
    slider.max = control.values.length - 1;
    slider.value = model.get("position")[i];
    slider.style.cssText = "flex:1 1 10em;min-height:24px";
    slider.setAttribute("aria-label", control.name);
    const value = document.createElement("output");
    const tell = () => {
      value.textContent = control.values[slider.value];
      slider.setAttribute("aria-valuetext", control.values[slider.value]);
    };
    slider.addEventListener("input", () => {
      const position = [...model.get("position")];
      position[i] = Number(slider.value);
      model.set("position", position);
      model.save_changes();
      tell();
      show();
    });
    tell();
    const name = document.createElement("span");
    name.textContent = control.name.replaceAll("_", " ");
    label.append(name, slider, value);
    panel.append(label);
  });

  const frames = document.createElement("div");
  frames.append(panel, picture);
  if (model.get("predict")) {
    const question = document.createElement("p");
    question.textContent = `Predict first: ${model.get("predict")}`;
    const reveal = document.createElement("button");
    reveal.type = "button";
    reveal.textContent = "I have an answer, show it";
    reveal.style.cssText = "min-height:2.2em;padding:.2em 1em";
    frames.hidden = true;
    reveal.addEventListener("click", () => {
      frames.hidden = false;
      reveal.remove();
      panel.querySelector("input")?.focus();
    });
    box.append(question, reveal);
  }
  box.append(frames);
  el.append(box);
  show();
  return () => urls.forEach((u) => URL.revokeObjectURL(u));
}
export default { render };
