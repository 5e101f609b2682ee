/** Means and maxima over squares of one plane, which the plane's border cuts off. */

/** Average squares of an odd side about each of (height, width) numbers, over the part that lies within. */
export function meanAbout(source: Float32Array, height: number, width: number, side: number): Float32Array {
  const narrow = alongRows(source, height, width, side);
  return transposed(alongRows(transposed(narrow, height, width), width, height, side), width, height);
}

/** Take the maxima of squares of an odd side about each of (height, width) numbers. */
export function maxAbout(source: Float32Array, height: number, width: number, side: number): Float32Array {
  const narrow = maxAlongRows(source, height, width, side);
  return transposed(maxAlongRows(transposed(narrow, height, width), width, height, side), width, height);
}

function alongRows(source: Float32Array, height: number, width: number, side: number): Float32Array {
  const [reach, out] = [(side - 1) / 2, new Float32Array(source.length)];
  const sums = new Float64Array(width + 1);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) sums[x + 1] = sums[x] + source[y * width + x];
    for (let x = 0; x < width; x++) {
      const [first, last] = [Math.max(x - reach, 0), Math.min(x + reach + 1, width)];
      out[y * width + x] = (sums[last] - sums[first]) / (last - first);
    }
  }
  return out;
}

function maxAlongRows(source: Float32Array, height: number, width: number, side: number): Float32Array {
  const [reach, out] = [(side - 1) / 2, new Float32Array(source.length)];
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      let largest = -Infinity;
      const last = Math.min(x + reach + 1, width);
      for (let i = Math.max(x - reach, 0); i < last; i++) largest = Math.max(largest, source[y * width + i]);
      out[y * width + x] = largest;
    }
  }
  return out;
}

function transposed(source: Float32Array, height: number, width: number): Float32Array {
  const out = new Float32Array(source.length);
  for (let y = 0; y < height; y++) for (let x = 0; x < width; x++) out[x * height + y] = source[y * width + x];
  return out;
}
