/** Resizing with antialiased filters, the weights of which are those of Pillow and of PyTorch. */

import { type Photo, type Planes, type Region, planes, plane, zeros } from "./planes";

/** A filter: its reach at scale 1, and its value at a distance. */
export interface Filter {
  readonly reach: number;
  at(distance: number): number;
}

export const BILINEAR: Filter = { reach: 1, at: (x) => Math.max(1 - Math.abs(x), 0) };

/** Keys' cubic with a = -0.5. */
export const BICUBIC: Filter = {
  reach: 2,
  at(distance) {
    const [a, x] = [-0.5, Math.abs(distance)];
    if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
    return x < 2 ? (((x - 5) * x + 8) * x - 4) * a : 0;
  },
};

/** What an output is the weighted sum of: inputs from `first` on. */
interface Taps {
  readonly first: number;
  readonly weights: Float64Array;
}

/** Resize planes to a height and a width. */
export function resize(image: Planes, height: number, width: number, filter: Filter): Planes {
  const columns = tapsOf(image.width, width, 0, width, filter);
  const rows = tapsOf(image.height, height, 0, height, filter);
  const parts = Array.from({ length: image.channels }, (_, channel) => {
    const narrow = new Float32Array(image.height * width);
    const source = plane(image, channel);
    for (let y = 0; y < image.height; y++) {
      acrossRow(source, y * image.width, 1, columns, narrow, y * width);
    }
    return downColumns(narrow, width, 0, rows);
  });
  const data = new Float32Array(image.channels * height * width);
  parts.forEach((part, channel) => data.set(part, channel * height * width));
  return planes(data, image.channels, height, width);
}

/**
 * Resize a photo to a height and a width bilinearly, and give a region of the result, in [-1, 1].
 *
 * Only what the region needs is computed.
 */
export function resizedRegion(photo: Photo, height: number, width: number, region: Region): Planes {
  const columns = tapsOf(photo.width, width, region.left, region.right, BILINEAR);
  const rows = tapsOf(photo.height, height, region.top, region.bottom, BILINEAR);
  const result = zeros(3, rows.length, columns.length);
  if (!rows.length || !columns.length) return result;
  const last = rows[rows.length - 1];
  const [top, bottom] = [rows[0].first, last.first + last.weights.length];
  for (let channel = 0; channel < 3; channel++) {
    const narrow = new Float32Array((bottom - top) * columns.length);
    for (let y = top; y < bottom; y++) {
      acrossRow(photo.data, 4 * y * photo.width + channel, 4, columns, narrow, (y - top) * columns.length);
    }
    for (let i = 0; i < narrow.length; i++) narrow[i] = narrow[i] / 127.5 - 1;
    plane(result, channel).set(downColumns(narrow, columns.length, top, rows));
  }
  return result;
}

/** Weighted sums along a row that begins at `from`, its numbers `step` apart. */
function acrossRow(
  source: Float32Array | Uint8ClampedArray,
  from: number,
  step: number,
  columns: readonly Taps[],
  out: Float32Array,
  to: number,
): void {
  for (const { first, weights } of columns) {
    let sum = 0;
    for (let i = 0, at = from + step * first; i < weights.length; i++, at += step) sum += weights[i] * source[at];
    out[to++] = sum;
  }
}

/** Weighted sums down the columns of rows of a width, the first of which is row `top`. */
function downColumns(source: Float32Array, width: number, top: number, rows: readonly Taps[]): Float32Array {
  const out = new Float32Array(rows.length * width);
  rows.forEach(({ first, weights }, y) => {
    const target = out.subarray(y * width, (y + 1) * width);
    for (let i = 0; i < weights.length; i++) {
      const weight = weights[i];
      const row = source.subarray((first + i - top) * width, (first + i - top + 1) * width);
      for (let x = 0; x < width; x++) target[x] += weight * row[x];
    }
  });
  return out;
}

/** Taps of the outputs from `start` up to `end` among `outputs` of `inputs` numbers. */
function tapsOf(inputs: number, outputs: number, start: number, end: number, filter: Filter): Taps[] {
  const scale = inputs / outputs;
  const stretch = Math.max(scale, 1);
  const reach = filter.reach * stretch;
  return Array.from({ length: end - start }, (_, i) => {
    const centre = scale * (start + i + 0.5);
    const first = Math.max(Math.trunc(centre - reach + 0.5), 0);
    const last = Math.min(Math.trunc(centre + reach + 0.5), inputs);
    const weights = new Float64Array(last - first).map((_, j) => filter.at((j + first - centre + 0.5) / stretch));
    const sum = weights.reduce((a, b) => a + b, 0);
    return { first, weights: weights.map((weight) => weight / sum) };
  });
}

/** Shrink square planes by area averages of factor x factor pixels. */
export function averaged(image: Planes, factor: number): Planes {
  const [height, width] = [image.height / factor, image.width / factor];
  const result = zeros(image.channels, height, width);
  for (let channel = 0; channel < image.channels; channel++) {
    const [source, target] = [plane(image, channel), plane(result, channel)];
    for (let y = 0; y < image.height; y++) {
      const row = Math.floor(y / factor) * width;
      for (let x = 0; x < image.width; x++) target[row + Math.floor(x / factor)] += source[y * image.width + x];
    }
    for (let i = 0; i < target.length; i++) target[i] /= factor * factor;
  }
  return result;
}
