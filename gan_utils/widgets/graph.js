// A network's forward pass, one sample at a time: the steps that graph.py exports. A value is { shape, data }; its
// shape has no batch axis, its channels are last.

const count = (shape) => shape.reduce((product, n) => product * n, 1);
const last = (shape) => shape[shape.length - 1];

// a map's depth, rows, columns and channels; of a map with fewer axes the first are 1
function map(shape) {
  return [...Array(4 - shape.length).fill(1), ...shape];
}

const ACTIVATIONS = {
  leaky_relu: (slope) => (v) => (v > 0 ? v : slope * v),
  relu: () => (v) => Math.max(v, 0),
  tanh: () => Math.tanh,
  sigmoid: () => (v) => 1 / (1 + Math.exp(-v)),
  elu: () => (v) => (v > 0 ? v : Math.expm1(v)),
  selu: () => (v) => 1.0507009873554805 * (v > 0 ? v : 1.6732632423543772 * Math.expm1(v)),
  softplus: () => (v) => Math.max(v, 0) + Math.log1p(Math.exp(-Math.abs(v))),
  silu: () => (v) => v / (1 + Math.exp(-v)),
  gelu: () => (v) => 0.5 * v * (1 + erf(v / Math.SQRT2)),
  exponential: () => Math.exp,
};

// Abramowitz and Stegun 1964, 7.1.26: the error is below 1.5e-7
function erf(x) {
  const t = 1 / (1 + 0.3275911 * Math.abs(x));
  const sum = ((((1.061405429 * t - 1.453152027) * t + 1.421413741) * t - 0.284496736) * t + 0.254829592) * t;
  return Math.sign(x) * (1 - sum * Math.exp(-x * x));
}

const COMBINE = {
  add: (a, b) => a + b,
  subtract: (a, b) => a - b,
  multiply: (a, b) => a * b,
  maximum: Math.max,
};

const STEPS = {
  dense({ size, bias }, [x], weights) {
    const width = last(x.shape);
    const rows = x.data.length / width;
    const data = new Float32Array(rows * size);
    if (bias) for (let row = 0; row < rows; row++) data.set(weights.subarray(width * size), row * size);
    for (let row = 0; row < rows; row++) product(x.data, row * width, width, data, row * size, size, weights, 0);
    return { shape: [...x.shape.slice(0, -1), size], data };
  },

  conv({ kernel, strides, dilation, before, shape, bias }, [x], weights) {
    const [depth, rows, cols, channels] = map(shape);
    const [deep, high, wide, width] = map(x.shape);
    const data = filled(shape, bias, weights);
    for (let d = 0; d < depth; d++) {
      for (let kd = 0; kd < kernel[0]; kd++) {
        const z = d * strides[0] + kd * dilation[0] - before[0];
        if (z < 0 || z >= deep) continue;
        for (let r = 0; r < rows; r++) {
          for (let kr = 0; kr < kernel[1]; kr++) {
            const y = r * strides[1] + kr * dilation[1] - before[1];
            if (y < 0 || y >= high) continue;
            for (let c = 0; c < cols; c++) {
              for (let kc = 0; kc < kernel[2]; kc++) {
                const from = c * strides[2] + kc * dilation[2] - before[2];
                if (from < 0 || from >= wide) continue;
                const place = (kd * kernel[1] + kr) * kernel[2] + kc;
                const [source, target] = [
                  ((z * high + y) * wide + from) * width,
                  ((d * rows + r) * cols + c) * channels,
                ];
                product(x.data, source, width, data, target, channels, weights, place * width * channels);
              }
            }
          }
        }
      }
    }
    return { shape, data };
  },

  // each pixel is spread over a kernel's width of the output
  transposed({ kernel, strides, before, shape, bias }, [x], weights) {
    const [depth, rows, cols, channels] = map(shape);
    const [deep, high, wide, width] = map(x.shape);
    const data = filled(shape, bias, weights);
    for (let z = 0; z < deep; z++) {
      for (let kd = 0; kd < kernel[0]; kd++) {
        const d = z * strides[0] + kd - before[0];
        if (d < 0 || d >= depth) continue;
        for (let y = 0; y < high; y++) {
          for (let kr = 0; kr < kernel[1]; kr++) {
            const r = y * strides[1] + kr - before[1];
            if (r < 0 || r >= rows) continue;
            for (let from = 0; from < wide; from++) {
              for (let kc = 0; kc < kernel[2]; kc++) {
                const c = from * strides[2] + kc - before[2];
                if (c < 0 || c >= cols) continue;
                const place = (kd * kernel[1] + kr) * kernel[2] + kc;
                const [source, target] = [
                  ((z * high + y) * wide + from) * width,
                  ((d * rows + r) * cols + c) * channels,
                ];
                product(x.data, source, width, data, target, channels, weights, place * width * channels);
              }
            }
          }
        }
      }
    }
    return { shape, data };
  },

  activation({ name, slope }, [x]) {
    if (name === "softmax") return softmax(x);
    return { shape: x.shape, data: x.data.map(ACTIVATIONS[name](slope)) };
  },

  // a slope for each element, or for each channel of all pixels
  prelu({ shape, slopes }, [x], weights) {
    const slope = STEPS.combine({ operation: "add" }, [
      { shape, data: new Float32Array(count(shape)) },
      { shape: slopes, data: weights },
    ]);
    return { shape, data: x.data.map((value, k) => (value > 0 ? value : slope.data[k] * value)) };
  },

  // over the pixels and channels of a group, or over the channels of each pixel
  norm({ groups, over, epsilon }, [x], weights) {
    const n = last(x.shape);
    const [pixels, width] = [x.data.length / n, n / groups];
    const data = new Float32Array(x.data.length);
    const block = (from, to, first) => {
      let [sum, squares] = [0, 0];
      for (let p = from; p < to; p++) for (let k = first; k < first + width; k++) sum += x.data[p * n + k];
      const mean = sum / ((to - from) * width);
      for (let p = from; p < to; p++)
        for (let k = first; k < first + width; k++) squares += (x.data[p * n + k] - mean) ** 2;
      const scale = 1 / Math.sqrt(squares / ((to - from) * width) + epsilon);
      for (let p = from; p < to; p++) {
        for (let k = first; k < first + width; k++)
          data[p * n + k] = (x.data[p * n + k] - mean) * scale * weights[k] + weights[n + k];
      }
    };
    if (over === "channels") for (let p = 0; p < pixels; p++) block(p, p + 1, 0);
    else for (let g = 0; g < groups; g++) block(0, pixels, g * width);
    return { shape: x.shape, data };
  },

  // vectors of length one along the channels
  unit({ size }, [x]) {
    const data = x.data.slice();
    for (let from = 0; from < data.length; from += size) {
      const part = data.subarray(from, from + size);
      const length = Math.sqrt(
        Math.max(
          part.reduce((sum, v) => sum + v * v, 0),
          1e-12,
        ),
      );
      part.forEach((v, k) => (part[k] = v / length));
    }
    return { shape: x.shape, data };
  },

  // a scale and a shift for each channel
  affine(_, [x], weights) {
    const n = last(x.shape);
    return { shape: x.shape, data: x.data.map((value, k) => weights[k % n] * value + weights[n + (k % n)]) };
  },

  scale: ({ factor }, [x]) => ({ shape: x.shape, data: x.data.map((value) => factor * value) }),

  embedding({ size }, [x], weights) {
    const data = new Float32Array(x.data.length * size);
    x.data.forEach((index, k) => data.set(weights.subarray(index * size, (index + 1) * size), k * size));
    return { shape: [...x.shape, size], data };
  },

  // element by element; an axis of 1 is repeated
  combine({ operation }, [a, b]) {
    const apply = COMBINE[operation];
    if (a.data.length === b.data.length)
      return { shape: a.shape, data: a.data.map((value, k) => apply(value, b.data[k])) };
    const rank = Math.max(a.shape.length, b.shape.length);
    const [one, other] = [a, b].map((x) => [...Array(rank - x.shape.length).fill(1), ...x.shape]);
    const shape = one.map((n, axis) => Math.max(n, other[axis]));
    const data = new Float32Array(count(shape));
    const steps = [one, other].map((own) => own.map((n, axis) => (n === 1 ? 0 : count(own.slice(axis + 1)))));
    walk(shape, (k, place) => {
      const [i, j] = steps.map((own) => own.reduce((sum, step, axis) => sum + step * place[axis], 0));
      data[k] = apply(a.data[i], b.data[j]);
    });
    return { shape, data };
  },

  concatenate({ axis, shape }, parts) {
    const data = new Float32Array(count(shape));
    const [outer, width] = [count(shape.slice(0, axis)), count(shape.slice(axis))];
    let offset = 0;
    for (const part of parts) {
      const own = count(part.shape.slice(axis));
      for (let k = 0; k < outer; k++) data.set(part.data.subarray(k * own, (k + 1) * own), k * width + offset);
      offset += own;
    }
    return { shape, data };
  },

  reshape: ({ shape }, [x]) => ({ shape, data: x.data }),

  permute({ order, shape }, [x]) {
    const steps = order.map((axis) => count(x.shape.slice(axis + 1)));
    const data = new Float32Array(x.data.length);
    walk(shape, (k, place) => {
      data[k] = x.data[steps.reduce((sum, step, axis) => sum + step * place[axis], 0)];
    });
    return { shape, data };
  },

  repeat({ shape }, [x]) {
    const data = new Float32Array(count(shape));
    for (let k = 0; k < shape[0]; k++) data.set(x.data, k * x.data.length);
    return { shape, data };
  },

  depth_to_space({ block, shape }, [x]) {
    const [, high, wide, width] = map(x.shape);
    const channels = last(shape);
    const data = new Float32Array(x.data.length);
    for (let r = 0; r < high * block; r++) {
      for (let c = 0; c < wide * block; c++) {
        const [y, z] = [Math.floor(r / block), Math.floor(c / block)];
        const from = (y * wide + z) * width + ((r % block) * block + (c % block)) * channels;
        data.set(x.data.subarray(from, from + channels), (r * wide * block + c) * channels);
      }
    }
    return { shape, data };
  },

  pad({ before, shape }, [x]) {
    const [, rows, cols] = map(shape);
    const [deep, high, wide, n] = map(x.shape);
    const data = new Float32Array(count(shape));
    for (let z = 0; z < deep; z++) {
      for (let y = 0; y < high; y++) {
        const to = (((z + before[0]) * rows + y + before[1]) * cols + before[2]) * n;
        data.set(x.data.subarray((z * high + y) * wide * n, (z * high + y + 1) * wide * n), to);
      }
    }
    return { shape, data };
  },

  pool({ largest, window, strides, before, shape }, [x]) {
    const [depth, rows, cols, n] = map(shape);
    const [deep, high, wide] = map(x.shape);
    const data = new Float32Array(count(shape));
    const range = (at, axis, size) => {
      const start = at * strides[axis] - before[axis];
      return [Math.max(0, start), Math.min(size, start + window[axis])];
    };
    for (let d = 0, k = 0; d < depth; d++) {
      const [z0, z1] = range(d, 0, deep);
      for (let r = 0; r < rows; r++) {
        const [y0, y1] = range(r, 1, high);
        for (let c = 0; c < cols; c++) {
          const [x0, x1] = range(c, 2, wide);
          const places = (z1 - z0) * (y1 - y0) * (x1 - x0); // TensorFlow's average leaves out what is padded
          for (let channel = 0; channel < n; channel++, k++) {
            let value = largest ? -Infinity : 0;
            for (let z = z0; z < z1; z++) {
              for (let y = y0; y < y1; y++) {
                for (let at = x0; at < x1; at++) {
                  const found = x.data[((z * high + y) * wide + at) * n + channel];
                  value = largest ? Math.max(value, found) : value + found;
                }
              }
            }
            data[k] = largest ? value : value / places;
          }
        }
      }
    }
    return { shape, data };
  },

  upsample({ size, bilinear, shape }, [x]) {
    const [depth, rows, cols, n] = map(shape);
    const [, high, wide] = map(x.shape);
    const data = new Float32Array(count(shape));
    // where a pixel of the output lies in the input, pixel centres at halves
    const source = (at, factor, extent) => {
      if (!bilinear) return [Math.floor(at / factor), Math.floor(at / factor), 0];
      const exact = Math.min(extent - 1, Math.max(0, (at + 0.5) / factor - 0.5));
      return [Math.floor(exact), Math.min(extent - 1, Math.floor(exact) + 1), exact - Math.floor(exact)];
    };
    for (let d = 0, k = 0; d < depth; d++) {
      const z = Math.floor(d / size[0]);
      for (let r = 0; r < rows; r++) {
        const [above, below, v] = source(r, size[1], high);
        for (let c = 0; c < cols; c++) {
          const [left, right, h] = source(c, size[2], wide);
          const pixel = (y, at, channel) => x.data[((z * high + y) * wide + at) * n + channel];
          for (let channel = 0; channel < n; channel++) {
            const first = h
              ? (1 - h) * pixel(above, left, channel) + h * pixel(above, right, channel)
              : pixel(above, left, channel);
            if (!v) data[k++] = first;
            else
              data[k++] =
                (1 - v) * first + v * ((1 - h) * pixel(below, left, channel) + h * pixel(below, right, channel));
          }
        }
      }
    }
    return { shape, data };
  },
};

// the places of a shape in order, with their number
function walk(shape, visit) {
  const place = shape.map(() => 0);
  for (let k = 0; k < count(shape); k++) {
    visit(k, place);
    for (let axis = shape.length - 1; axis >= 0 && ++place[axis] === shape[axis]; axis--) place[axis] = 0;
  }
}

function softmax(x) {
  const n = last(x.shape);
  const data = new Float32Array(x.data.length);
  for (let from = 0; from < data.length; from += n) {
    const part = x.data.subarray(from, from + n);
    const most = Math.max(...part);
    const total = part.reduce((sum, value) => sum + Math.exp(value - most), 0);
    part.forEach((value, k) => (data[from + k] = Math.exp(value - most) / total));
  }
  return { shape: x.shape, data };
}

// a map that holds the bias, which stands behind the kernel
function filled(shape, bias, weights) {
  const data = new Float32Array(count(shape));
  const n = last(shape);
  if (bias) for (let k = 0; k < data.length; k += n) data.set(weights.subarray(weights.length - n), k);
  return data;
}

// a vector of x times one place of a kernel (channels in × channels out), added to a vector of y; numbers of x that are
// not 0 are taken four at a time, so that y is read and written once for four
function product(x, from, width, y, to, channels, weights, start) {
  let n = 0;
  let [i, j, k] = [0, 0, 0]; // where the kernel has what belongs to the first three
  let [p, q, r] = [0, 0, 0]; // those three
  for (let at = start, c = from; c < from + width; c++, at += channels) {
    const value = x[c];
    if (value === 0) continue;
    n += 1;
    if (n === 1) {
      i = at;
      p = value;
    } else if (n === 2) {
      j = at;
      q = value;
    } else if (n === 3) {
      k = at;
      r = value;
    } else {
      n = 0;
      for (let o = 0; o < channels; o++) {
        y[to + o] += p * weights[i + o] + q * weights[j + o] + r * weights[k + o] + value * weights[at + o];
      }
    }
  }
  if (n > 0) for (let o = 0; o < channels; o++) y[to + o] += p * weights[i + o];
  if (n > 1) for (let o = 0; o < channels; o++) y[to + o] += q * weights[j + o];
  if (n > 2) for (let o = 0; o < channels; o++) y[to + o] += r * weights[k + o];
}

// a scale and shift right behind a layer with a kernel that nobody else reads goes into the kernel: a pass less
function folded(steps, outputs, inputs, weights) {
  const readers = new Map();
  steps.forEach((step) => step.reads.forEach((value) => readers.set(value, (readers.get(value) ?? 0) + 1)));
  outputs.forEach((value) => readers.set(value, (readers.get(value) ?? 0) + 1));
  const made = steps.map((step) => ({ ...step, weights: weights.subarray(...step.weights) }));
  made.forEach((step, at) => {
    const before = made[step.reads[0] - inputs];
    const linear = before && ["dense", "conv", "transposed"].includes(before.kind);
    if (step.kind !== "affine" || !linear || before.folded || readers.get(step.reads[0]) !== 1) return;
    const n = step.weights.length / 2;
    const kernel = before.weights.length - (before.bias ? n : 0);
    const joined = new Float32Array(kernel + n);
    // a transposed kernel too has the channels that it makes last
    for (let k = 0; k < kernel; k++) joined[k] = before.weights[k] * step.weights[k % n];
    for (let k = 0; k < n; k++)
      joined[kernel + k] = step.weights[k] * (before.bias ? before.weights[kernel + k] : 0) + step.weights[n + k];
    Object.assign(before, { weights: joined, bias: true, folded: true });
    made[at] = { kind: "reshape", reads: step.reads, keeps: true };
  });
  return made;
}

// what runs a network with these weights: from a value for each input, { shape, data } or plain numbers, to its outputs
export function network({ inputs, steps, outputs }, weights) {
  const made = folded(steps, outputs, inputs.length, weights);
  const uses = new Map();
  made.forEach((step, at) => step.reads.forEach((value) => uses.set(value, at)));
  return (given) => {
    const values = inputs.map(({ shape }, k) => ({ shape, data: Float32Array.from(given[k].data ?? given[k]) }));
    made.forEach((step, at) => {
      const read = step.reads.map((value) => values[value]);
      values.push(step.keeps ? read[0] : STEPS[step.kind](step, read, step.weights));
      for (const value of step.reads) if (uses.get(value) === at && !outputs.includes(value)) values[value] = null;
    });
    return outputs.map((value) => values[value]);
  };
}
