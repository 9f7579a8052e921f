// IEEE 754 half precision to single: of all 65,536 numbers a table is made on first use
let table = null;

function value(bits) {
  const [sign, exponent, fraction] = [bits & 0x8000 ? -1 : 1, (bits >> 10) & 31, bits & 1023];
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return sign * (exponent ? 2 ** (exponent - 15) * (1 + fraction / 1024) : 2 ** -24 * fraction);
}

export function halves(bytes) {
  table ??= Float32Array.from({ length: 65_536 }, (_, bits) => value(bits));
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Float32Array.from({ length: bytes.byteLength / 2 }, (_, i) => table[view.getUint16(2 * i, true)]);
}
