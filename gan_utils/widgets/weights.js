// The weights of a network: in the widget itself, or, in a built page, in a script beside it that is read on first use.
import { halves } from "./halves.js";

const reading = new Map();

// what a widget holds, a view of a buffer or the buffer itself, as bytes
export const heldBytes = (held) => new Uint8Array(held.buffer ?? held, held.byteOffset ?? 0, held.byteLength);

function read(name) {
  const { root } = window.ganNetworks;
  return new Promise((resolve, reject) => {
    const script = document.createElement("script"); // which a page from disk may read too
    script.src = `${root}${name}.js`;
    script.onload = resolve;
    script.onerror = () => reject(new Error(`${script.src} cannot be read`));
    document.head.append(script);
  });
}

// all weights in one row, single precision
export async function weights(model) {
  const [held, name] = [model.get("weights"), model.get("beside")];
  if (!name) return halves(heldBytes(held));
  if (!reading.has(name)) reading.set(name, read(name));
  await reading.get(name);
  return halves(Uint8Array.from(atob(window.ganNetworks[name]), (letter) => letter.charCodeAt(0)));
}

// calls back once an element is in sight, or nearly so; one that is hidden is not
export function whenSeen(element, seen) {
  const observer = new IntersectionObserver(
    (entries) => {
      if (!entries.some((entry) => entry.isIntersecting)) return;
      observer.disconnect();
      seen();
    },
    { rootMargin: "300px" },
  );
  observer.observe(element);
}
