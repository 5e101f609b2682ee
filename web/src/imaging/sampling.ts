/** Samples of planes at points between their pixels. */

import type { Planes } from "./planes";

/** Points of a picture: the first one, and the steps from one column and from one row to the next, (x, y) in pixels. */
export interface Grid {
  readonly origin: readonly [number, number];
  readonly across: readonly [number, number];
  readonly down: readonly [number, number];
}

/** Sample planes bilinearly at a grid of points, to (C, height, width); the outermost pixels go on beyond the border. */
export function bilinear(image: Planes, grid: Grid, height: number, width: number): Planes {
  const { channels, data } = image;
  const right = image.width - 1;
  const bottom = image.height - 1;
  const size = image.width * image.height;
  const count = height * width;
  const out = new Float32Array(channels * count);
  for (let row = 0, to = 0; row < height; row++) {
    for (let column = 0; column < width; column++, to++) {
      const x = within(grid.origin[0] + column * grid.across[0] + row * grid.down[0], right);
      const y = within(grid.origin[1] + column * grid.across[1] + row * grid.down[1], bottom);
      const left = Math.floor(x);
      const top = Math.floor(y);
      const dx = x - left;
      const dy = y - top;
      const next = left < right ? 1 : 0;
      const below = top < bottom ? image.width : 0;
      for (let channel = 0, at = top * image.width + left; channel < channels; channel++, at += size) {
        const above = data[at] + dx * (data[at + next] - data[at]);
        const under = data[at + below] + dx * (data[at + below + next] - data[at + below]);
        out[channel * count + to] = above + dy * (under - above);
      }
    }
  }
  return { channels, height, width, data: out };
}

/**
 * Sample planes bicubically, with a = -0.75, at points, to (C, points).
 *
 * @param xs Columns of the points, as fractions of the width.
 * @param ys Rows of the points, as fractions of the height.
 */
export function bicubic(image: Planes, xs: Float64Array, ys: Float64Array): Float32Array<ArrayBuffer> {
  const { channels, data, height, width } = image;
  const size = height * width;
  const count = xs.length;
  const out = new Float32Array(channels * count);
  const rows = new Int32Array(4);
  for (let i = 0; i < count; i++) {
    const x = xs[i] * width - 0.5;
    const y = ys[i] * height - 0.5;
    const left = Math.floor(x);
    const top = Math.floor(y);
    const dx = x - left;
    const dy = y - top;
    const [a, b, c, d] = [far(1 + dx), near(dx), near(1 - dx), far(2 - dx)];
    const [e, f, g, h] = [far(1 + dy), near(dy), near(1 - dy), far(2 - dy)];
    const first = within(left - 1, width - 1);
    const second = within(left, width - 1);
    const third = within(left + 1, width - 1);
    const last = within(left + 2, width - 1);
    for (let j = 0; j < 4; j++) rows[j] = within(top + j - 1, height - 1) * width;
    for (let channel = 0, to = i, from = 0; channel < channels; channel++, to += count, from += size) {
      const [p, q, r, s] = [from + rows[0], from + rows[1], from + rows[2], from + rows[3]];
      out[to] =
        e * (a * data[p + first] + b * data[p + second] + c * data[p + third] + d * data[p + last]) +
        f * (a * data[q + first] + b * data[q + second] + c * data[q + third] + d * data[q + last]) +
        g * (a * data[r + first] + b * data[r + second] + c * data[r + third] + d * data[r + last]) +
        h * (a * data[s + first] + b * data[s + second] + c * data[s + third] + d * data[s + last]);
    }
  }
  return out;
}

/** Weight of a pixel at a distance from 0 to 1. */
function near(x: number): number {
  return (1.25 * x - 2.25) * x * x + 1;
}

/** Weight of a pixel at a distance from 1 to 2. */
function far(x: number): number {
  return ((-0.75 * x + 3.75) * x - 6) * x + 3;
}

function within(value: number, largest: number): number {
  return value < 0 ? 0 : value > largest ? largest : value;
}
