// Random numbers that are a function of a seed: sfc32 (Doty-Humphrey 2010), with a stream for each use.

export function random(seed, stream) {
  let [a, b, c, counter] = [seed >>> 0, stream >>> 0, 0x9e3779b9, 1];
  const next = () => {
    const t = (a + b + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (c << 21) | (c >>> 11);
    c = (c + t) | 0;
    return ((t >>> 0) + 0.5) / 4294967296; // in (0, 1)
  };
  for (let i = 0; i < 15; i++) next();
  return next;
}

// Box and Muller 1958
export function normals(next, count) {
  const found = new Float64Array(count + (count % 2));
  for (let k = 0; k < count; k += 2) {
    const [radius, angle] = [Math.sqrt(-2 * Math.log(next())), 2 * Math.PI * next()];
    found[k] = radius * Math.cos(angle);
    found[k + 1] = radius * Math.sin(angle);
  }
  return found.subarray(0, count);
}
