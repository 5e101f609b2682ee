/** Means and maxima over squares of one plane, which the plane's border cuts off. */

/** Average squares of an odd side about each of (height, width) numbers, over the part that lies within. */
export function meanAbout(source: Float32Array, height: number, width: number, side: number): Float32Array {
  const reach = (side - 1) / 2;
  const out = new Float32Array(source.length);
  const columns = new Float64Array(width); // sums of the rows about the present one
  const sums = new Float64Array(width + 1);
  for (let y = -reach; y < height; y++) {
    if (y + reach < height) addRow(columns, source, (y + reach) * width, 1);
    if (y - reach - 1 >= 0) addRow(columns, source, (y - reach - 1) * width, -1);
    if (y < 0) continue;
    const rows = Math.min(y + reach + 1, height) - Math.max(y - reach, 0);
    for (let x = 0; x < width; x++) sums[x + 1] = sums[x] + columns[x];
    for (let x = 0; x < width; x++) {
      const first = Math.max(x - reach, 0);
      const last = Math.min(x + reach + 1, width);
      out[y * width + x] = (sums[last] - sums[first]) / (rows * (last - first));
    }
  }
  return out;
}

function addRow(columns: Float64Array, source: Float32Array, from: number, sign: 1 | -1): void {
  for (let x = 0; x < columns.length; x++) columns[x] += sign * source[from + x];
}

/** Take the maxima of squares of an odd side about each of (height, width) numbers. */
export function maxAbout(source: Float32Array, height: number, width: number, side: number): Float32Array {
  const reach = (side - 1) / 2;
  const along = new Float32Array(source.length).fill(-Infinity);
  const out = new Float32Array(source.length).fill(-Infinity);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      for (let i = Math.max(x - reach, 0); i < Math.min(x + reach + 1, width); i++) {
        along[y * width + x] = Math.max(along[y * width + x], source[y * width + i]);
      }
    }
  }
  for (let y = 0; y < height; y++) {
    for (let i = Math.max(y - reach, 0); i < Math.min(y + reach + 1, height); i++) {
      for (let x = 0; x < width; x++) out[y * width + x] = Math.max(out[y * width + x], along[i * width + x]);
    }
  }
  return out;
}
