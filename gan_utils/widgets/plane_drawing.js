// Pictures of a GAN in the plane and of its losses, on a canvas whose units are CSS pixels.
import { tensor } from "./autodiff.js";
import { make } from "./controls.js";
import { HALF_WIDTH } from "./plane_gan.js";

export const SIDE = 400; // of the plane
export const CELLS = 40; // of the heat map, a side

const across = (x) => ((x + HALF_WIDTH) / (2 * HALF_WIDTH)) * SIDE;
const up = (y) => SIDE - across(y);

// the middles of count × count cells of the plane, row by row from the top
export function lattice(count) {
  const at = (k) => -HALF_WIDTH + ((k + 0.5) * 2 * HALF_WIDTH) / count;
  const cells = Array.from({ length: count * count }, (_, i) => [at(i % count), at(count - 1 - Math.floor(i / count))]);
  return tensor(count * count, 2, cells.flat());
}

// how certain the discriminator is, from -1 (generated) to 1 (real)
function certainty(logits, loss) {
  if (loss.startsWith("wasserstein")) {
    const [low, high] = [Math.min(...logits), Math.max(...logits)];
    return logits.map((d) => (high > low ? (2 * d - low - high) / (high - low) : 0));
  }
  if (loss === "hinge") return logits.map((d) => Math.max(-1, Math.min(1, d)));
  if (loss === "least_squares") return logits.map((d) => Math.max(-1, Math.min(1, 2 * d - 1)));
  return logits.map((d) => 2 / (1 + Math.exp(-d)) - 1);
}

// the discriminator's verdict at the cells of a lattice
export function heatMap(context, gan, cells) {
  const image = new ImageData(CELLS, CELLS);
  certainty(gan.judge(cells).data, gan.settings.loss).forEach((t, i) => {
    image.data.set([...(t > 0 ? [0, 114, 178] : [230, 159, 0]), Math.round(170 * Math.abs(t))], 4 * i);
  });
  const small = make("canvas", { width: CELLS, height: CELLS });
  small.getContext("2d").putImageData(image, 0, 0);
  context.drawImage(small, 0, 0, SIDE, SIDE);
}

// where the generator sends the lines of a square grid of latents, from -2 to 2
export function latentGrid(context, gan, text) {
  const [lines, along] = [9, 33];
  const latents = [];
  for (const swap of [false, true]) {
    for (let i = 0; i < lines; i++) {
      for (let k = 0; k < along; k++) {
        const pair = [-2 + (4 * i) / (lines - 1), -2 + (4 * k) / (along - 1)];
        latents.push(...(swap ? pair.reverse() : pair));
      }
    }
  }
  const made = gan.make(tensor(latents.length / 2, 2, latents)).data;
  Object.assign(context, { strokeStyle: text, lineWidth: 1, globalAlpha: 0.45 });
  for (let line = 0; line < 2 * lines; line++) {
    context.beginPath();
    for (let k = 0; k < along; k++) {
      const at = 2 * (line * along + k);
      context.lineTo(across(made[at]), up(made[at + 1]));
    }
    context.stroke();
  }
  context.globalAlpha = 1;
}

// where the generator's loss would move a sample from each place; long arrows are cut
export function arrows(context, gan, places, text) {
  const pulls = gan.pulls(places);
  Object.assign(context, { strokeStyle: text, lineWidth: 1.2 });
  for (let i = 0; i < places.rows; i++) {
    const [x, y] = [across(places.data[2 * i]), up(places.data[2 * i + 1])];
    const size = Math.min(24, 24 * Math.hypot(pulls[2 * i], pulls[2 * i + 1]));
    if (size < 1) continue;
    const angle = Math.atan2(-pulls[2 * i + 1], pulls[2 * i]);
    const tip = [x + size * Math.cos(angle), y + size * Math.sin(angle)];
    context.beginPath();
    context.moveTo(x, y);
    context.lineTo(...tip);
    for (const side of [2.6, -2.6]) {
      context.moveTo(...tip);
      context.lineTo(tip[0] + 5 * Math.cos(angle + side), tip[1] + 5 * Math.sin(angle + side));
    }
    context.stroke();
  }
}

// samples as circles or diamonds
export function dots(context, samples, shade, diamond, text) {
  Object.assign(context, { fillStyle: shade, strokeStyle: text, lineWidth: 0.5 });
  for (let i = 0; i < samples.rows; i++) {
    const [x, y] = [across(samples.data[2 * i]), up(samples.data[2 * i + 1])];
    context.beginPath();
    if (diamond)
      [
        [0, -4],
        [4, 0],
        [0, 4],
        [-4, 0],
      ].forEach(([dx, dy]) => context.lineTo(x + dx, y + dy));
    else context.arc(x, y, 2.6, 0, 2 * Math.PI);
    context.closePath();
    context.fill();
    context.stroke();
  }
}

// the reader's own points, and the cross that the arrow keys move
export function marks(context, points, cursor, shade, text) {
  Object.assign(context, { fillStyle: shade, strokeStyle: text, lineWidth: 1.5 });
  for (const [x, y] of points) context.fillRect(across(x) - 2, up(y) - 2, 4, 4);
  if (!cursor) return;
  const [x, y] = [across(cursor[0]), up(cursor[1])];
  context.beginPath();
  context.moveTo(x - 8, y);
  context.lineTo(x + 8, y);
  context.moveTo(x, y - 8);
  context.lineTo(x, y + 8);
  context.stroke();
}

// history: [step, discriminator's loss, generator's loss]; targets: their values at equilibrium, or null
export function lossChart(context, [width, height], history, steps, targets, shades, text) {
  const lines = targets.filter((t) => t !== null);
  const values = [...history.flatMap(([, ...pair]) => pair), ...lines].filter(Number.isFinite).sort((a, b) => a - b);
  // a few spikes must not flatten the rest
  const cut = (share) => values[Math.min(values.length - 1, Math.floor(share * values.length))];
  const [low, high] = [Math.min(cut(0.01), ...lines) - 0.1, Math.max(cut(0.99), ...lines) + 0.1];
  const [left, right, top, bottom] = [40, width - 8, 18, height - 20];
  const x = (step) => left + ((right - left) * step) / Math.max(1, steps);
  const y = (v) => Math.max(top, Math.min(bottom, bottom - ((bottom - top) * (v - low)) / (high - low)));
  const line = (ends, dashes) => {
    context.setLineDash(dashes);
    context.beginPath();
    ends.forEach((end) => context.lineTo(...end));
    context.stroke();
  };
  Object.assign(context, { fillStyle: text, font: "12px sans-serif", lineWidth: 1.5, textBaseline: "middle" });
  for (const v of [low + 0.1, high - 0.1]) context.fillText(v.toFixed(2), 2, y(v));
  context.fillText("0", left, height - 8);
  context.textAlign = "right";
  context.fillText(`step ${steps}`, right, height - 8);
  context.textAlign = "left";
  ["discriminator", "generator"].forEach((player, which) => {
    const [dashes, begin] = [which ? [5, 3] : [], left + 125 * which];
    context.strokeStyle = shades[which];
    context.fillText(player, begin + 26, 8);
    line(
      [
        [begin, 8],
        [begin + 20, 8],
      ],
      dashes,
    );
    line(
      history.map(([step, ...pair]) => [x(step), y(pair[which])]),
      dashes,
    );
    const target = targets[which];
    if (target !== null)
      line(
        [
          [left, y(target)],
          [right, y(target)],
        ],
        [1, 4],
      );
  });
  context.fillText("··· at equilibrium", left + 240, 8);
  context.setLineDash([]);
}
