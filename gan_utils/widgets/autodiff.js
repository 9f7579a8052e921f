// Reverse-mode differentiation of matrices, small enough to read. Every derivative is made of the same operations,
// so a gradient can be differentiated again, which a gradient penalty needs. All numbers are float64.

class Tensor {
  // pull(g, need): what arrives at this tensor, sent on to each parent that is needed
  constructor(rows, cols, data, parents = [], pull = null) {
    Object.assign(this, { rows, cols, data, parents, pull });
  }
}

export function tensor(rows, cols, data) {
  if (data.length !== rows * cols) throw new Error(`${data.length} numbers; expected ${rows} × ${cols}`);
  return new Tensor(rows, cols, data instanceof Float64Array ? data : Float64Array.from(data));
}

// The derivatives of one number by each of the inputs, as tensors that can be differentiated themselves.
export function gradient(output, inputs) {
  const leads = new Map(inputs.map((input) => [input, true]));
  const order = [];
  const visit = (node) => {
    if (leads.has(node)) return leads.get(node);
    leads.set(node, false); // no cycles: every operation makes a new tensor
    const found = node.parents.map(visit).some(Boolean);
    leads.set(node, found);
    if (found) order.push(node);
    return found;
  };
  visit(output);
  const arrived = new Map([[output, tensor(1, 1, [1])]]);
  for (const node of order.reverse()) {
    const need = node.parents.map((parent) => leads.get(parent));
    node.pull(arrived.get(node), need).forEach((part, i) => {
      const parent = node.parents[i];
      if (need[i]) arrived.set(parent, arrived.has(parent) ? add(arrived.get(parent), part) : part);
    });
  }
  return inputs.map(
    (input) => arrived.get(input) ?? tensor(input.rows, input.cols, new Float64Array(input.data.length)),
  );
}

// --- shapes

// repeat a row, a column or a number
export function expand(a, rows, cols) {
  if (a.rows === rows && a.cols === cols) return a;
  const data = new Float64Array(rows * cols);
  const [down, right] = [a.rows === 1 ? 0 : a.cols, a.cols === 1 ? 0 : 1];
  for (let i = 0, k = 0; i < rows; i++) for (let j = 0; j < cols; j++, k++) data[k] = a.data[i * down + j * right];
  return new Tensor(rows, cols, data, [a], (g) => [reduce(g, a.rows, a.cols)]);
}

// the sum over what `expand` would repeat
export function reduce(a, rows, cols) {
  if (a.rows === rows && a.cols === cols) return a;
  const data = new Float64Array(rows * cols);
  const [down, right] = [rows === 1 ? 0 : cols, cols === 1 ? 0 : 1];
  for (let i = 0, k = 0; i < a.rows; i++) for (let j = 0; j < a.cols; j++, k++) data[i * down + j * right] += a.data[k];
  return new Tensor(rows, cols, data, [a], (g) => [expand(g, a.rows, a.cols)]);
}

export function transpose(a) {
  const data = new Float64Array(a.data.length);
  for (let i = 0, k = 0; i < a.rows; i++) for (let j = 0; j < a.cols; j++, k++) data[j * a.rows + i] = a.data[k];
  return new Tensor(a.cols, a.rows, data, [a], (g) => [transpose(g)]);
}

export const sum = (a) => reduce(a, 1, 1);
export const mean = (a) => scale(sum(a), 1 / a.data.length);

// --- element by element; of two operands, one may be a row, a column or a number

function map(a, value, pull) {
  const data = new Float64Array(a.data.length);
  for (let k = 0; k < data.length; k++) data[k] = value(a.data[k]);
  return new Tensor(a.rows, a.cols, data, [a], pull);
}

// both operands as wide as the wider, and room for the result
function pair(a, b) {
  const [rows, cols] = [Math.max(a.rows, b.rows), Math.max(a.cols, b.cols)];
  return [expand(a, rows, cols), expand(b, rows, cols), new Float64Array(rows * cols)];
}

// These have loops of their own: with a function called for each number, a whole step takes 1.7 times as long.

export function add(a, b) {
  const [left, right, data] = pair(a, b);
  const [x, y] = [left.data, right.data];
  for (let k = 0; k < data.length; k++) data[k] = x[k] + y[k];
  return new Tensor(left.rows, left.cols, data, [left, right], (g) => [g, g]);
}

export function mul(a, b) {
  const [left, right, data] = pair(a, b);
  const [x, y] = [left.data, right.data];
  for (let k = 0; k < data.length; k++) data[k] = x[k] * y[k];
  const pull = (g, need) => [need[0] && mul(g, right), need[1] && mul(g, left)];
  return new Tensor(left.rows, left.cols, data, [left, right], pull);
}

export function scale(a, factor) {
  const [x, data] = [a.data, new Float64Array(a.data.length)];
  for (let k = 0; k < data.length; k++) data[k] = factor * x[k];
  return new Tensor(a.rows, a.cols, data, [a], (g) => [scale(g, factor)]);
}

// x above 0, else slope · x: its derivative is constant on each side
export function leaky(a, slope) {
  const [x, data, slopes] = [a.data, new Float64Array(a.data.length), new Float64Array(a.data.length)];
  for (let k = 0; k < data.length; k++) {
    slopes[k] = x[k] > 0 ? 1 : slope;
    data[k] = slopes[k] * x[k];
  }
  return new Tensor(a.rows, a.cols, data, [a], (g) => [mul(g, new Tensor(a.rows, a.cols, slopes))]);
}

export const shift = (a, by) =>
  map(
    a,
    (x) => x + by,
    (g) => [g],
  );
export const negative = (a) => scale(a, -1);
export const sub = (a, b) => add(a, negative(b));
export const square = (a) =>
  map(
    a,
    (x) => x * x,
    (g) => [scale(mul(g, a), 2)],
  );

export function reciprocal(a) {
  const made = map(
    a,
    (x) => 1 / x,
    (g) => [negative(mul(g, square(made)))],
  );
  return made;
}

export function sqrt(a) {
  const made = map(a, Math.sqrt, (g) => [scale(mul(g, reciprocal(made)), 0.5)]);
  return made;
}

export function tanh(a) {
  const made = map(a, Math.tanh, (g) => [mul(g, shift(negative(square(made)), 1))]);
  return made;
}

export function sigmoid(a) {
  const made = map(
    a,
    (x) => 1 / (1 + Math.exp(-x)),
    (g) => [mul(g, mul(made, shift(negative(made), 1)))],
  );
  return made;
}

export const softplus = (a) =>
  map(
    a,
    (x) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x))),
    (g) => [mul(g, sigmoid(a))],
  );

// --- products

export function matmul(a, b) {
  if (a.cols !== b.rows) throw new Error(`shapes ${a.rows} × ${a.cols} and ${b.rows} × ${b.cols} do not fit`);
  const [n, size, left, right] = [b.cols, a.cols, a.data, b.data];
  const data = new Float64Array(a.rows * n);
  for (let i = 0; i < a.rows; i++) {
    const [row, to] = [i * size, i * n];
    let k = 0;
    for (; k + 3 < size; k += 4) {
      // four rows of b at once: a quarter of the passes over the result, which takes half the time
      const [w, x, y, z] = [left[row + k], left[row + k + 1], left[row + k + 2], left[row + k + 3]];
      for (let j = 0, l = k * n; j < n; j++, l++) {
        data[to + j] += w * right[l] + x * right[l + n] + y * right[l + 2 * n] + z * right[l + 3 * n];
      }
    }
    for (; k < size; k++) {
      const x = left[row + k];
      for (let j = 0, l = k * n; j < n; j++, l++) data[to + j] += x * right[l];
    }
  }
  const pull = (g, need) => [need[0] && matmul(g, transpose(b)), need[1] && matmul(transpose(a), g)];
  return new Tensor(a.rows, b.cols, data, [a, b], pull);
}
