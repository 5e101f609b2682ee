/** What a crop shows outside its photo: the mirrored photo, blurred and faded to its median colour. */

import { type Planes, plane, zeros } from "../imaging/planes";

/** Pixels that are added on each side. */
export interface Pads {
  readonly left: number;
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
}

/** Continue an image on each side by its mirror image. */
export function mirrored(image: Planes, pads: Pads): Planes {
  const rows = mirrorIndices(image.height, pads.top, pads.bottom);
  const columns = mirrorIndices(image.width, pads.left, pads.right);
  const out = zeros(image.channels, rows.length, columns.length);
  for (let channel = 0, to = 0; channel < image.channels; channel++) {
    const source = plane(image, channel);
    for (const row of rows) {
      for (let x = 0; x < columns.length; x++) out.data[to++] = source[row * image.width + columns[x]];
    }
  }
  return out;
}

/** Which of so many pixels in a row each pixel of the continued row shows. */
export function mirrorIndices(length: number, before: number, after: number): Int32Array {
  const period = Math.max(2 * (length - 1), 1);
  return Int32Array.from({ length: before + length + after }, (_, i) => {
    const index = (((i - before) % period) + period) % period;
    return Math.min(index, period - index);
  });
}

/** Blur the padding, then fade it to the median colour, both more with the distance from the photo; in place. */
export function faded(image: Planes, pads: Pads, blur: number): Planes {
  const distances = distancesFrom(pads, image.height, image.width);
  const kernel = gaussian(blur);
  for (let channel = 0; channel < image.channels; channel++) {
    const shown = plane(image, channel);
    const smooth = blurred(shown, image.height, image.width, kernel);
    for (let i = 0; i < shown.length; i++) {
      shown[i] += Math.min(Math.max(3 * distances[i] + 1, 0), 1) * (smooth[i] - shown[i]);
    }
    const median = lowerMedian(shown);
    for (let i = 0; i < shown.length; i++) {
      shown[i] += Math.min(Math.max(distances[i], 0), 1) * (median - shown[i]);
    }
  }
  return image;
}

/** 1 at the outer edge of the padding, 0 where the photo begins, negative inside it. */
function distancesFrom(pads: Pads, height: number, width: number): Float32Array {
  const out = new Float32Array(height * width);
  const columns = Float64Array.from({ length: width }, (_, x) => Math.min(x / pads.left, (width - 1 - x) / pads.right));
  for (let y = 0, to = 0; y < height; y++) {
    const row = Math.min(y / pads.top, (height - 1 - y) / pads.bottom);
    for (let x = 0; x < width; x++) out[to++] = 1 - Math.min(columns[x], row);
  }
  return out;
}

/** Half of a Gaussian kernel of a standard deviation, from its middle on; the whole kernel sums to 1. */
function gaussian(sigma: number): Float32Array {
  const half = Float32Array.from({ length: Math.round(4 * sigma) + 1 }, (_, i) => Math.exp(-0.5 * (i / sigma) ** 2));
  const sum = 2 * half.reduce((a, b) => a + b, 0) - half[0];
  return half.map((weight) => weight / sum);
}

/** Blur a plane (height, width), mirrored at its border, with a symmetric kernel. */
function blurred(source: Float32Array, height: number, width: number, kernel: Float32Array): Float32Array {
  const reach = kernel.length - 1;
  const rows = mirrorIndices(height, reach, reach);
  const columns = mirrorIndices(width, reach, reach);
  const down = new Float32Array(source.length);
  for (let y = 0; y < height; y++) {
    const target = down.subarray(y * width, (y + 1) * width);
    addScaled(target, rowOf(source, rows[y + reach], width), kernel[0]);
    for (let i = 1; i <= reach; i++) {
      addScaled(target, rowOf(source, rows[y + reach - i], width), kernel[i]);
      addScaled(target, rowOf(source, rows[y + reach + i], width), kernel[i]);
    }
  }
  const out = new Float32Array(source.length);
  const wide = new Float32Array(columns.length);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < columns.length; x++) wide[x] = down[y * width + columns[x]];
    const target = out.subarray(y * width, (y + 1) * width);
    addScaled(target, wide.subarray(reach), kernel[0]);
    for (let i = 1; i <= reach; i++) {
      addScaled(target, wide.subarray(reach - i), kernel[i]);
      addScaled(target, wide.subarray(reach + i), kernel[i]);
    }
  }
  return out;
}

function rowOf(source: Float32Array, row: number, width: number): Float32Array {
  return source.subarray(row * width, (row + 1) * width);
}

function addScaled(target: Float32Array, source: Float32Array, factor: number): void {
  for (let i = 0; i < target.length; i++) target[i] += factor * source[i];
}

/** The lower one of the two middle numbers, without sorting them all (Hoare's selection). */
export function lowerMedian(values: Float32Array): number {
  const numbers = values.slice();
  const wanted = (numbers.length - 1) >> 1;
  let [low, high] = [0, numbers.length - 1];
  while (low < high) {
    const pivot = numbers[(low + high) >> 1];
    let [i, j] = [low, high];
    while (i <= j) {
      while (numbers[i] < pivot) i++;
      while (numbers[j] > pivot) j--;
      if (i <= j) {
        const other = numbers[i];
        numbers[i++] = numbers[j];
        numbers[j--] = other;
      }
    }
    if (wanted <= j) high = j;
    else if (wanted >= i) low = i;
    else return numbers[wanted];
  }
  return numbers[wanted];
}
