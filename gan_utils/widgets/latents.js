// Latents: the way between two, and the pictures that lie nearest.

const length = (z) => Math.hypot(...z);

// between two latents: along the line, or along the great circle with the length changing evenly
export function between(a, b, t, way) {
  const angle = Math.acos(
    Math.min(1, Math.max(-1, a.reduce((sum, x, i) => sum + x * b[i], 0) / (length(a) * length(b)))),
  );
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
