// A GAN of points in the plane, as a function of its settings and of the number of steps: the same seed, the same run.
import {
  add,
  gradient,
  leaky,
  matmul,
  mean,
  mul,
  negative,
  reduce,
  scale,
  shift,
  softplus,
  sqrt,
  square,
  sub,
  tanh,
  tensor,
} from "./autodiff.js";
import { normals, random } from "./random.js";

// one stream of random numbers for each use, so that no use shifts another
export const STREAMS = { weights: 0, data: 1, latents: 2, alpha: 3, shown: 4, judged: 5 };

// --- data: where the modes are, how wide they are, and points (n × 2)

export const SIGMA = { ring: 0.05, grid: 0.03, moons: 0.04, line: 0.03, drawn: 0.03 };

export function modes(data) {
  if (data === "ring")
    return Array.from({ length: 8 }, (_, k) => [Math.cos((k * Math.PI) / 4), Math.sin((k * Math.PI) / 4)]);
  if (data === "grid") return Array.from({ length: 25 }, (_, k) => [0.5 * Math.floor(k / 5) - 1, 0.5 * (k % 5) - 1]);
  return [];
}

export function points(settings, count, next) {
  const { data } = settings;
  const centres = data === "drawn" ? settings.points : modes(data);
  const middle = new Float64Array(2 * count);
  for (let i = 0; i < count; i++) {
    const u = next();
    let point;
    if (centres.length) point = centres[Math.floor(u * centres.length)];
    else if (data === "line") point = [2 * u - 1, u - 0.5];
    else {
      const angle = Math.PI * ((2 * u) % 1);
      point =
        u < 0.5 ? [Math.cos(angle) - 0.5, Math.sin(angle) - 0.25] : [0.5 - Math.cos(angle), 0.25 - Math.sin(angle)];
      point = point.map((x) => 0.8 * x);
    }
    middle.set(point, 2 * i);
  }
  const noise = normals(next, 2 * count);
  return tensor(
    count,
    2,
    middle.map((x, k) => x + SIGMA[data] * noise[k]),
  );
}

// --- networks: lists of weights and biases; Glorot-uniform weights, biases of 0, as Keras begins

function network(sizes, next) {
  return sizes.slice(1).flatMap((cols, i) => {
    const rows = sizes[i];
    const limit = Math.sqrt(6 / (rows + cols));
    const weights = Float64Array.from({ length: rows * cols }, () => limit * (2 * next() - 1));
    return [tensor(rows, cols, weights), tensor(1, cols, new Float64Array(cols))];
  });
}

const ACTIVATIONS = { leaky_relu: (x) => leaky(x, 0.2), relu: (x) => leaky(x, 0), tanh };

export function forward(weights, x, activation) {
  for (let i = 0; i < weights.length; i += 2) {
    x = add(matmul(x, weights[i]), weights[i + 1]);
    if (i + 2 < weights.length) x = ACTIVATIONS[activation](x);
  }
  return x;
}

// --- losses of logits, with their values at equilibrium; see gan_utils.losses for the papers

const cross_entropy = (real, fake) => add(mean(softplus(negative(real))), mean(softplus(fake)));
const gap = (real, fake) => sub(mean(fake), mean(real));
const half_square = (a, target) => scale(mean(square(shift(a, -target))), 0.5);
const raise = (fake) => negative(mean(fake));
const relu = (a) => leaky(a, 0);
const LOG2 = Math.log(2);

export const LOSSES = {
  minimax: {
    discriminator: cross_entropy,
    generator: (fake) => negative(mean(softplus(fake))),
    equilibrium: [2 * LOG2, -LOG2],
  },
  non_saturating: {
    discriminator: cross_entropy,
    generator: (fake) => mean(softplus(negative(fake))),
    equilibrium: [2 * LOG2, LOG2],
  },
  least_squares: {
    discriminator: (real, fake) => add(half_square(real, 1), half_square(fake, 0)),
    generator: (fake) => half_square(fake, 1),
    equilibrium: [0.25, 0.125],
  },
  hinge: {
    discriminator: (real, fake) => add(mean(relu(shift(negative(real), 1))), mean(relu(shift(fake, 1)))),
    generator: raise,
    equilibrium: [2, null],
  },
  wasserstein_penalty: { discriminator: gap, generator: raise, equilibrium: [0, null] },
  wasserstein_clipping: { discriminator: gap, generator: raise, equilibrium: [0, null] },
};

// (slope of the critic - 1)² at points between real and fake ones (Gulrajani et al. 2017, equation 3)
export function gradient_penalty(critic, real, fake, alpha) {
  const between = add(mul(alpha, real), mul(shift(negative(alpha), 1), fake));
  const [slope] = gradient(reduce(critic(between), 1, 1), [between]);
  return mean(square(shift(sqrt(shift(reduce(square(slope), slope.rows, 1), 1e-12)), -1)));
}

// --- optimizers, as Keras's: each changes the weights in place

const OPTIMIZERS = {
  sgd: () => (weights, slopes, rate) =>
    weights.forEach((w, i) => w.data.forEach((_, k) => (w.data[k] -= rate * slopes[i].data[k]))),
  rmsprop: (weights) => {
    const second = weights.map((w) => new Float64Array(w.data.length));
    return (_, slopes, rate) =>
      weights.forEach((w, i) => {
        const [v, g] = [second[i], slopes[i].data];
        for (let k = 0; k < v.length; k++) {
          v[k] = 0.9 * v[k] + 0.1 * g[k] * g[k];
          w.data[k] -= (rate * g[k]) / Math.sqrt(v[k] + 1e-7);
        }
      });
  },
  adam: (weights) => {
    const [beta1, beta2] = [0.5, 0.999];
    const [first, second] = [0, 1].map(() => weights.map((w) => new Float64Array(w.data.length)));
    let step = 0;
    return (_, slopes, rate) => {
      step += 1;
      // Keras rounds beta2 to float32 here
      const alpha = (rate * Math.sqrt(1 - Math.fround(beta2) ** step)) / (1 - beta1 ** step);
      weights.forEach((w, i) => {
        const [m, v, g] = [first[i], second[i], slopes[i].data];
        for (let k = 0; k < v.length; k++) {
          m[k] += (1 - beta1) * (g[k] - m[k]);
          v[k] += (1 - beta2) * (g[k] * g[k] - v[k]);
          w.data[k] -= (alpha * m[k]) / (Math.sqrt(v[k]) + 1e-7);
        }
      });
    };
  },
};

// --- the GAN

export class PlaneGAN {
  constructor(settings) {
    const hidden = Array(settings.layers).fill(settings.units);
    const weights = random(settings.seed, STREAMS.weights);
    this.settings = settings;
    this.steps = 0;
    this.turn = "discriminator";
    this.last = [NaN, NaN];
    this.generator = network([2, ...hidden, 2], weights);
    this.discriminator = network([2, ...hidden, 1], weights);
    this.loss = LOSSES[settings.loss];
    this.draw = Object.fromEntries(
      Object.entries(STREAMS).map(([name, stream]) => [name, random(settings.seed, stream)]),
    );
    this.update = {
      generator: OPTIMIZERS[settings.optimizer](this.generator),
      discriminator: OPTIMIZERS[settings.optimizer](this.discriminator),
    };
  }

  make(latents) {
    return forward(this.generator, latents, this.settings.activation);
  }

  judge(samples) {
    return forward(this.discriminator, samples, this.settings.activation);
  }

  latents(count, next) {
    return tensor(count, 2, normals(next, 2 * count));
  }

  // one update of the discriminator; returns its loss without the penalty
  discriminate() {
    const { settings: s } = this;
    const real = points(s, s.batch_size, this.draw.data);
    const made = this.make(this.latents(s.batch_size, this.draw.latents));
    const fake = tensor(made.rows, 2, made.data); // no gradient flows into the generator
    const own = this.loss.discriminator(this.judge(real), this.judge(fake));
    let total = own;
    if (s.loss === "wasserstein_penalty") {
      const alpha = tensor(s.batch_size, 1, Float64Array.from({ length: s.batch_size }, this.draw.alpha));
      total = add(
        own,
        scale(
          gradient_penalty((x) => this.judge(x), real, fake, alpha),
          s.penalty,
        ),
      );
    }
    this.update.discriminator(this.discriminator, gradient(total, this.discriminator), s.discriminator_rate);
    if (s.loss === "wasserstein_clipping") {
      for (const w of this.discriminator)
        w.data.forEach((x, k) => (w.data[k] = Math.min(s.clip, Math.max(-s.clip, x))));
    }
    return own.data[0];
  }

  // one update of the generator; returns its loss
  generate() {
    const { settings: s } = this;
    const loss = this.loss.generator(this.judge(this.make(this.latents(s.batch_size, this.draw.latents))));
    this.update.generator(this.generator, gradient(loss, this.generator), s.generator_rate);
    return loss.data[0];
  }

  // one player's move, the discriminator's (critic_steps updates) first; true when the step is whole
  move() {
    if (this.turn === "generator") {
      this.last = [this.last[0], this.generate()];
      this.turn = "discriminator";
      this.steps += 1;
      return true;
    }
    for (let i = 0; i < this.settings.critic_steps; i++) this.last = [this.discriminate(), this.last[1]];
    this.turn = "generator";
    return false;
  }

  // moves until the step is whole; returns the two losses
  step() {
    while (!this.move());
    return this.last;
  }

  // where each sample is sent by the generator's loss: minus its slope, times the number of samples
  pulls(samples) {
    const free = tensor(samples.rows, 2, samples.data);
    const [slope] = gradient(this.loss.generator(this.judge(free)), [free]);
    return slope.data.map((x) => -x * samples.rows);
  }
}

// --- scores

export const HALF_WIDTH = 1.6; // of the square that is drawn and scored
const BINS = 20;

// shares of the square's bins, points outside counted at its edge; half a point is added to each bin
function shares(samples) {
  const counts = new Float64Array(BINS * BINS).fill(0.5);
  const bin = (x) => Math.min(BINS - 1, Math.max(0, Math.floor(((x + HALF_WIDTH) / (2 * HALF_WIDTH)) * BINS)));
  for (let i = 0; i < samples.rows; i++) counts[BINS * bin(samples.data[2 * i + 1]) + bin(samples.data[2 * i])] += 1;
  return counts.map((n) => n / (samples.rows + 0.5 * counts.length));
}

const kl = (p, q) => p.reduce((total, x, k) => total + x * Math.log(x / q[k]), 0);

// KL(fake‖real) and Jensen-Shannon in nats, NaN for samples that are not finite; modes with a sample within 3 sigma; share of samples within 3 sigma of one
export function scores(real, fake, data) {
  const [p, q] = [shares(real), shares(fake)];
  const middle = p.map((x, k) => (x + q[k]) / 2);
  const centres = modes(data);
  const found = new Set();
  let good = 0;
  for (let i = 0; centres.length && i < fake.rows; i++) {
    const away = centres.map(([x, y]) => Math.hypot(fake.data[2 * i] - x, fake.data[2 * i + 1] - y));
    const nearest = away.indexOf(Math.min(...away));
    if (away[nearest] <= 3 * SIGMA[data]) {
      good += 1;
      found.add(nearest);
    }
  }
  const known = centres.length > 0;
  const finite = fake.data.every(Number.isFinite);
  return {
    kl: finite ? kl(q, p) : NaN,
    js: finite ? (kl(p, middle) + kl(q, middle)) / 2 : NaN,
    covered: known ? found.size : null,
    modes: centres.length,
    high_quality: known ? good / fake.rows : null,
  };
}

// --- settings from outside: a link, or Python

export function check(settings, choices, defaults) {
  const asked = (ok, problem) => {
    if (!ok) throw new Error(problem);
  };
  asked(
    settings !== null && typeof settings === "object" && !Array.isArray(settings),
    "the settings are not an object",
  );
  const known = [...Object.keys(choices), "seed", "points"];
  for (const [name, value] of Object.entries(settings)) {
    asked(known.includes(name), `there is no setting ${name}; expected some of ${known.join(", ")}`);
    if (name in choices) {
      asked(
        choices[name].includes(value),
        `${name} is ${JSON.stringify(value)}; expected one of ${choices[name].join(", ")}`,
      );
    }
  }
  const all = { ...defaults, ...settings };
  asked(
    Number.isInteger(all.seed) && all.seed >= 0 && all.seed < 2 ** 32,
    `seed is ${all.seed}; expected a whole number from 0 to 4294967295`,
  );
  const inside = (x) => typeof x === "number" && Math.abs(x) <= HALF_WIDTH;
  asked(
    Array.isArray(all.points) &&
      all.points.length <= 300 &&
      all.points.every((p) => Array.isArray(p) && p.length === 2 && p.every(inside)),
    `points are not at most 300 pairs of numbers from -${HALF_WIDTH} to ${HALF_WIDTH}`,
  );
  asked(all.data !== "drawn" || all.points.length > 0, "data is drawn, but there are no points");
  return all;
}
