/** Area averages of photos, at any size, as PyTorch's adaptive average pooling takes them. */

import type { Photo, Region } from "./planes";

/**
 * Average the areas of a region of a photo, to numbers (3, height, width).
 *
 * @param scale Factor of the result, whose range is [-scale, scale].
 * @param out Where the numbers go.
 */
export function areaAverages(
  photo: Photo,
  region: Region,
  height: number,
  width: number,
  scale: number,
  out: Float32Array,
): void {
  const columns = bounds(region.right - region.left, width);
  const rows = bounds(region.bottom - region.top, height);
  const sums = new Float64Array(3 * (region.right - region.left));
  for (let y = 0; y < height; y++) {
    const top = rows.starts[y];
    const bottom = rows.ends[y];
    addUp(photo, region, region.top + top, region.top + bottom, sums);
    for (let x = 0; x < width; x++) {
      const left = columns.starts[x];
      const right = columns.ends[x];
      const factor = scale / (127.5 * (bottom - top) * (right - left));
      let red = 0;
      let green = 0;
      let blue = 0;
      for (let i = 3 * left; i < 3 * right; i += 3) {
        red += sums[i];
        green += sums[i + 1];
        blue += sums[i + 2];
      }
      const at = y * width + x;
      out[at] = red * factor - scale;
      out[at + height * width] = green * factor - scale;
      out[at + 2 * height * width] = blue * factor - scale;
    }
  }
}

/** Add up rows of a region, column by column, to (columns, 3). */
function addUp(photo: Photo, region: Region, top: number, bottom: number, sums: Float64Array): void {
  sums.fill(0);
  for (let y = top; y < bottom; y++) {
    let from = 4 * (y * photo.width + region.left);
    for (let to = 0; to < sums.length; to += 3, from += 4) {
      sums[to] += photo.data[from];
      sums[to + 1] += photo.data[from + 1];
      sums[to + 2] += photo.data[from + 2];
    }
  }
}

/** Where the area of each of so many outputs begins and ends among so many inputs. */
function bounds(inputs: number, outputs: number): { starts: number[]; ends: number[] } {
  const index = Array.from({ length: outputs }, (_, i) => i);
  return {
    starts: index.map((i) => Math.floor((i * inputs) / outputs)),
    ends: index.map((i) => Math.ceil(((i + 1) * inputs) / outputs)),
  };
}
