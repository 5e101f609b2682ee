/** Samples of planes at points between their pixels. */

import { type Planes, plane } from "./planes";

/** Points of a picture: the first one, and the steps from one column and from one row to the next, (x, y) in pixels. */
export interface Grid {
  readonly origin: readonly [number, number];
  readonly across: readonly [number, number];
  readonly down: readonly [number, number];
}

/** Sample planes bilinearly at a grid of points, to (C, height, width); the outermost pixels go on beyond the border. */
export function bilinear(image: Planes, grid: Grid, height: number, width: number): Planes {
  const { channels, data } = image;
  const [right, bottom, size, count] = [image.width - 1, image.height - 1, image.width * image.height, height * width];
  const out = new Float32Array(channels * count);
  for (let row = 0, to = 0; row < height; row++) {
    for (let column = 0; column < width; column++, to++) {
      const x = within(grid.origin[0] + column * grid.across[0] + row * grid.down[0], right);
      const y = within(grid.origin[1] + column * grid.across[1] + row * grid.down[1], bottom);
      const [left, top] = [Math.floor(x), Math.floor(y)];
      const [dx, dy] = [x - left, y - top];
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
 * @param xs Columns of the points, in pixels; the centre of the first pixel is 0.
 * @param ys Rows of the points.
 */
export function bicubic(image: Planes, xs: Float64Array, ys: Float64Array): Float32Array<ArrayBuffer> {
  const [right, bottom] = [image.width - 1, image.height - 1];
  const out = new Float32Array(image.channels * xs.length);
  const all = Array.from({ length: image.channels }, (_, channel) => plane(image, channel));
  const [columns, rows] = [new Int32Array(4), new Int32Array(4)];
  const [across, down] = [new Float64Array(4), new Float64Array(4)];
  for (let i = 0; i < xs.length; i++) {
    const [left, top] = [Math.floor(xs[i]), Math.floor(ys[i])];
    cubicWeights(xs[i] - left, across);
    cubicWeights(ys[i] - top, down);
    for (let j = 0; j < 4; j++) {
      columns[j] = within(left + j - 1, right);
      rows[j] = within(top + j - 1, bottom) * image.width;
    }
    for (let channel = 0; channel < all.length; channel++) {
      const source = all[channel];
      let sum = 0;
      for (let j = 0; j < 4; j++) {
        const row = rows[j];
        sum +=
          down[j] *
          (across[0] * source[row + columns[0]] +
            across[1] * source[row + columns[1]] +
            across[2] * source[row + columns[2]] +
            across[3] * source[row + columns[3]]);
      }
      out[channel * xs.length + i] = sum;
    }
  }
  return out;
}

function within(value: number, largest: number): number {
  return Math.min(Math.max(value, 0), largest);
}

/** Weights of the four pixels about a point that lies a fraction behind the second one. */
function cubicWeights(fraction: number, out: Float64Array): void {
  const a = -0.75;
  const far = (x: number): number => ((a * x - 5 * a) * x + 8 * a) * x - 4 * a;
  const near = (x: number): number => ((a + 2) * x - (a + 3)) * x * x + 1;
  out[0] = far(fraction + 1);
  out[1] = near(fraction);
  out[2] = near(1 - fraction);
  out[3] = far(2 - fraction);
}
