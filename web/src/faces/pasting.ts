/** Pasting an aligned face back into the photo that it was cropped from. */

import { type Photo, type Planes, type Region, regionOf } from "../imaging/planes";
import { meanAbout } from "../imaging/pooling";
import { BICUBIC, resize } from "../imaging/resize";
import { bicubic } from "../imaging/sampling";
import { type Quad, minus, sideOf } from "./quads";

/** Most pixels of the face per pixel of the photo, along a side. */
const DENSITY = 1.5;
/** Width of the ellipse around a face as a share of the quad's side, which is its height. */
const FACE_WIDTH = 0.88;
/** Width of the transition from 0 to 1, as a share of the quad's side. */
const FEATHER = 0.15;
/** Colour difference, averaged over a square of `NEIGHBOURS` pixels, below which the photo's finer detail is kept. */
const [ALIKE, NEIGHBOURS] = [0.1, 9];

/** Points of a region of a photo as fractions of a quad's sides, one for each pixel. */
interface Fractions {
  readonly region: Region;
  readonly xs: Float64Array;
  readonly ys: Float64Array;
}

/**
 * Paste a face into a photo, faded along an ellipse, and give the whole photo.
 *
 * @param face What is pasted, (3, S, S).
 * @param cutOut What was cropped there, (3, S, S): where the face still resembles it, the photo's own detail is kept.
 * @param where Further weights from 0 to 1 in the aligned frame, (1, M, M); they multiply the ellipse's.
 */
export function pasteBack(photo: Photo, face: Planes, quad: Quad, cutOut: Planes, where: Planes): Photo {
  const window = windowOf(quad, photo);
  if (!window || !where.data.some((weight) => weight > 0)) return photo;
  const every = weightsAt(fractionsOf(quad, window), where);
  const part = shownPart(every, window);
  if (!part) return photo;
  const pasted: Photo = { ...photo, data: photo.data.slice() };
  const points = fractionsOf(quad, part);
  const weights = partOf(every, window, part);
  const shown = regionOf(photo, part);
  const [drawn, cut] = [sampled(face, points, sideOf(quad)), sampled(cutOut, points, sideOf(quad))];
  blend(pasted, shown, withDetail(drawn, cut, shown), weights, part);
  return pasted;
}

/** The pixels whose centres may lie in a quad. */
function windowOf(quad: Quad, photo: Photo): Region | null {
  const [xs, ys] = [quad.map((corner) => corner[0]), quad.map((corner) => corner[1])];
  const left = Math.max(Math.ceil(Math.min(...xs)), 0);
  const top = Math.max(Math.ceil(Math.min(...ys)), 0);
  const right = Math.min(Math.floor(Math.max(...xs)) + 1, photo.width);
  const bottom = Math.min(Math.floor(Math.max(...ys)) + 1, photo.height);
  return right > left && bottom > top ? { left, top, right, bottom } : null;
}

function fractionsOf(quad: Quad, region: Region): Fractions {
  const [topLeft, bottomLeft, , topRight] = quad;
  const [across, down] = [minus(topRight, topLeft), minus(bottomLeft, topLeft)].map(([x, y]) => {
    const square = x * x + y * y;
    return [x / square, y / square] as const;
  });
  const width = region.right - region.left;
  const count = width * (region.bottom - region.top);
  const [xs, ys] = [new Float64Array(count), new Float64Array(count)];
  for (let row = region.top, to = 0; row < region.bottom; row++) {
    const y = row - topLeft[1];
    for (let column = region.left; column < region.right; column++, to++) {
      const x = column - topLeft[0];
      xs[to] = x * across[0] + y * across[1];
      ys[to] = x * down[0] + y * down[1];
    }
  }
  return { region, xs, ys };
}

/** The ellipse's weights at points, times those of a mask. */
function weightsAt(points: Fractions, where: Planes): Float32Array {
  const weights = new Float32Array(points.xs.length);
  const inside = new Int32Array(weights.length);
  let count = 0;
  for (let i = 0; i < weights.length; i++) {
    const x = (points.xs[i] - 0.5) / FACE_WIDTH;
    const y = points.ys[i] - 0.5;
    const way = Math.min((0.5 - Math.sqrt(x * x + y * y)) / FEATHER, 1);
    if (way <= 0) continue;
    weights[i] = way * way * (3 - 2 * way);
    inside[count++] = i;
  }
  const xs = new Float64Array(count);
  const ys = new Float64Array(count);
  for (let at = 0; at < count; at++) {
    xs[at] = points.xs[inside[at]];
    ys[at] = points.ys[inside[at]];
  }
  const further = bicubic(where, xs, ys);
  for (let at = 0; at < count; at++) weights[inside[at]] *= Math.min(Math.max(further[at], 0), 1);
  return weights;
}

/** The part of a window with all weights that are not 0, and the neighbours that these look at. */
function shownPart(weights: Float32Array, window: Region): Region | null {
  const width = window.right - window.left;
  let left = Infinity;
  let top = Infinity;
  let right = -1;
  let bottom = -1;
  for (let y = 0, i = 0; y < window.bottom - window.top; y++) {
    for (let x = 0; x < width; x++, i++) {
      if (weights[i] <= 0) continue;
      left = Math.min(left, x);
      right = Math.max(right, x);
      top = Math.min(top, y);
      bottom = y;
    }
  }
  if (right < 0) return null;
  const reach = (NEIGHBOURS - 1) / 2;
  return {
    left: window.left + Math.max(left - reach, 0),
    top: window.top + Math.max(top - reach, 0),
    right: Math.min(window.left + right + 1 + reach, window.right),
    bottom: Math.min(window.top + bottom + 1 + reach, window.bottom),
  };
}

function partOf(weights: Float32Array, window: Region, part: Region): Float32Array {
  const [from, width] = [window.right - window.left, part.right - part.left];
  const out = new Float32Array(width * (part.bottom - part.top));
  for (let y = part.top; y < part.bottom; y++) {
    const start = (y - window.top) * from + part.left - window.left;
    out.set(weights.subarray(start, start + width), (y - part.top) * width);
  }
  return out;
}

/** Bicubic samples of a face at points of a quad whose side is so many pixels, (3, points), in [-1, 1]. */
function sampled(face: Planes, points: Fractions, side: number): Float32Array {
  const size = Math.max(Math.round(DENSITY * side), 1);
  const source = size < face.width ? resize(face, size, size, BICUBIC) : face;
  const out = bicubic(source, points.xs, points.ys);
  for (let i = 0; i < out.length; i++) out[i] = Math.min(Math.max(out[i], -1), 1);
  return out;
}

/** A face (3, points) with what a photo has more than what was cut out of it, where the two are alike. */
function withDetail(face: Float32Array, cutOut: Float32Array, photo: Planes): Float32Array {
  const size = photo.width * photo.height;
  const change = new Float32Array(size);
  for (let channel = 0, at = 0; channel < 3; channel++) {
    for (let i = 0; i < size; i++, at++) change[i] += Math.abs(face[at] - cutOut[at]) / 3;
  }
  const kept = meanAbout(change, photo.height, photo.width, NEIGHBOURS);
  for (let i = 0; i < size; i++) kept[i] = Math.exp(-((kept[i] / ALIKE) ** 2));
  for (let channel = 0, at = 0; channel < 3; channel++) {
    for (let i = 0; i < size; i++, at++) {
      face[at] = Math.min(Math.max(face[at] + kept[i] * (photo.data[at] - cutOut[at]), -1), 1);
    }
  }
  return face;
}

/** Mix what was drawn into the pixels of a photo; what has no weight stays as it is. */
function blend(pasted: Photo, shown: Planes, drawn: Float32Array, weights: Float32Array, part: Region): void {
  const size = weights.length;
  for (let y = part.top, i = 0; y < part.bottom; y++) {
    let to = 4 * (y * pasted.width + part.left);
    for (let x = part.left; x < part.right; x++, i++, to += 4) {
      const weight = weights[i];
      if (weight <= 0) continue;
      for (let channel = 0; channel < 3; channel++) {
        const old = shown.data[channel * size + i];
        pasted.data[to + channel] = (old + weight * (drawn[channel * size + i] - old) + 1) * 127.5;
      }
    }
  }
}
