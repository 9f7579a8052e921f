// A trained generator's forward pass, one sample at a time: the layers that latent_explorer.py exports.

// IEEE 754 half precision to single
export function halves(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Float32Array.from({ length: bytes.byteLength / 2 }, (_, i) => {
    const bits = view.getUint16(2 * i, true);
    const [sign, exponent, fraction] = [bits & 0x8000 ? -1 : 1, (bits >> 10) & 31, bits & 1023];
    if (exponent === 31) return fraction ? NaN : sign * Infinity;
    return sign * (exponent ? 2 ** (exponent - 15) * (1 + fraction / 1024) : 2 ** -24 * fraction);
  });
}

// x: a map of rows × cols pixels and channels, or a vector (1 × 1 × size); weights: kernel, then bias
const LAYERS = {
  dense({ size, bias }, x, weights) {
    const y = new Float32Array(size);
    if (bias) y.set(weights.subarray(x.data.length * size));
    x.data.forEach((value, i) => {
      if (value !== 0) for (let j = 0, k = i * size; j < size; j++) y[j] += value * weights[k++];
    });
    return { rows: 1, cols: 1, channels: size, data: y };
  },

  reshape: ({ shape: [rows, cols, channels] }, x) => ({ rows, cols, channels, data: x.data }),

  // y = a x + b in each channel: BatchNorm that has no layer before it to be folded into, or a change of scale
  affine(_, x, weights) {
    const n = x.channels;
    return { ...x, data: x.data.map((value, k) => weights[k % n] * value + weights[n + (k % n)]) };
  },

  conv({ kernel: [high, wide], strides: [down, right], before: [top, left], output: [rows, cols, channels], bias }, x, weights) {
    const y = start(rows, cols, channels, bias, weights);
    for (let row = 0; row < rows; row++) {
      for (let ky = 0; ky < high; ky++) {
        const from = row * down + ky - top;
        if (from < 0 || from >= x.rows) continue;
        for (let col = 0; col < cols; col++) {
          for (let kx = 0; kx < wide; kx++) {
            const at = col * right + kx - left;
            if (at < 0 || at >= x.cols) continue;
            spread(x, from * x.cols + at, y, row * cols + col, channels, weights, ky * wide + kx);
          }
        }
      }
    }
    return { rows, cols, channels, data: y };
  },

  // each pixel is spread over a kernel's width of the output
  transposed({ kernel: [high, wide], strides: [down, right], before: [top, left], output: [rows, cols, channels], bias }, x, weights) {
    const y = start(rows, cols, channels, bias, weights);
    for (let from = 0; from < x.rows; from++) {
      for (let ky = 0; ky < high; ky++) {
        const row = from * down + ky - top;
        if (row < 0 || row >= rows) continue;
        for (let at = 0; at < x.cols; at++) {
          for (let kx = 0; kx < wide; kx++) {
            const col = at * right + kx - left;
            if (col < 0 || col >= cols) continue;
            spread(x, from * x.cols + at, y, row * cols + col, channels, weights, ky * wide + kx);
          }
        }
      }
    }
    return { rows, cols, channels, data: y };
  },

  upsample({ size: [down, right], bilinear }, x) {
    const [rows, cols, n] = [x.rows * down, x.cols * right, x.channels];
    const data = new Float32Array(rows * cols * n);
    // where a pixel of the output lies in the input, pixel centres at halves
    const source = (at, factor, size) => {
      if (!bilinear) return [Math.floor(at / factor), Math.floor(at / factor), 0];
      const exact = Math.min(size - 1, Math.max(0, (at + 0.5) / factor - 0.5));
      return [Math.floor(exact), Math.min(size - 1, Math.floor(exact) + 1), exact - Math.floor(exact)];
    };
    for (let row = 0, k = 0; row < rows; row++) {
      const [above, below, v] = source(row, down, x.rows);
      for (let col = 0; col < cols; col++) {
        const [before, after, h] = source(col, right, x.cols);
        const pixel = (r, c, channel) => x.data[(r * x.cols + c) * n + channel];
        for (let c = 0; c < n; c++) {
          const first = (1 - h) * pixel(above, before, c) + h * pixel(above, after, c);
          data[k++] = v ? (1 - v) * first + v * ((1 - h) * pixel(below, before, c) + h * pixel(below, after, c)) : first;
        }
      }
    }
    return { rows, cols, channels: n, data };
  },

  activation({ name, slope }, x) {
    const value = {
      leaky_relu: (v) => (v > 0 ? v : slope * v),
      relu: (v) => (v > 0 ? v : 0),
      tanh: Math.tanh,
      sigmoid: (v) => 1 / (1 + Math.exp(-v)),
      elu: (v) => (v > 0 ? v : Math.expm1(v)),
      selu: (v) => 1.0507009873554805 * (v > 0 ? v : 1.6732632423543772 * Math.expm1(v)),
      softplus: (v) => Math.max(v, 0) + Math.log1p(Math.exp(-Math.abs(v))),
      silu: (v) => v / (1 + Math.exp(-v)),
    }[name];
    return { ...x, data: x.data.map(value) };
  },
};

function start(rows, cols, channels, bias, weights) {
  const y = new Float32Array(rows * cols * channels);
  if (bias) for (let k = 0; k < y.length; k++) y[k] = weights[weights.length - channels + (k % channels)];
  return y;
}

// a pixel of x times one place of the kernel (channels in × channels out), added to a pixel of y
function spread(x, from, y, to, channels, weights, place) {
  for (let c = 0, k = place * x.channels * channels; c < x.channels; c++) {
    const value = x.data[from * x.channels + c];
    if (value === 0) k += channels;
    else for (let j = 0, m = to * channels; j < channels; j++) y[m++] += value * weights[k++];
  }
}

// the sample of one latent: values of rows × cols × channels, in the generator's own range
export function generate(layers, weights, latent) {
  let x = { rows: 1, cols: 1, channels: latent.length, data: Float32Array.from(latent) };
  for (const layer of layers) x = LAYERS[layer.kind](layer, x, weights.subarray(...layer.weights));
  return x;
}

// --- latents

const length = (z) => Math.hypot(...z);

// between two latents: along the line, or along the great circle with the length changing evenly
export function between(a, b, t, way) {
  const angle = Math.acos(Math.min(1, Math.max(-1, a.reduce((sum, x, i) => sum + x * b[i], 0) / (length(a) * length(b)))));
  if (way === "lerp" || Math.sin(angle) < 1e-6) return a.map((x, i) => (1 - t) * x + t * b[i]);
  const [u, v] = [Math.sin((1 - t) * angle) / Math.sin(angle), Math.sin(t * angle) / Math.sin(angle)];
  const size = (1 - t) * length(a) + t * length(b);
  return a.map((x, i) => size * ((u * x) / length(a) + (v * b[i]) / length(b)));
}

// the nearest of some images by root mean square difference: [index, distance], nearest first
export function nearest(image, images, count) {
  const size = image.length;
  const found = Array.from({ length: images.length / size }, (_, i) => {
    let total = 0;
    for (let k = 0; k < size; k++) total += (image[k] - images[i * size + k]) ** 2;
    return [i, Math.sqrt(total / size)];
  });
  return found.sort((a, b) => a[1] - b[1]).slice(0, count);
}
