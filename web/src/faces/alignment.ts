/** Crops of quads as FFHQ makes them (Karras et al., arXiv:1812.04948, appendix A). */

import { type Photo, type Planes, type Region, clamped, regionOf } from "../imaging/planes";
import { BICUBIC, resize, resizedRegion } from "../imaging/resize";
import { bilinear } from "../imaging/sampling";
import { type Pads, faded, mirrored } from "./border";
import { type Quad, minus, placed, sideOf, times } from "./quads";

/** Samples per pixel of the aligned image along a side, as in FFHQ. */
const SUPERSAMPLING = 4;
/** Samples per pixel of the photo along a side beyond which more show nothing new. */
const DENSE = 2.5;

/**
 * Crop a quad out of a photo as FFHQ does, to an image of a side.
 *
 * Outside the photo the crop shows the photo's mirror image, blurred and faded to its median colour with the distance.
 */
export function cropQuad(photo: Photo, quad: Quad, size: number): Planes {
  const shrink = Math.trunc(sideOf(quad) / size / 2);
  const [shown, where] = shrink > 1 ? around(photo, placed(quad, 1 / shrink, [0, 0]), shrink) : around(photo, quad, 1);
  const fine = size * Math.min(SUPERSAMPLING, Math.ceil((DENSE * sideOf(where)) / size));
  const [across, down] = [minus(where[3], where[0]), minus(where[1], where[0])].map((axis) => times(axis, 1 / fine));
  const origin = [0, 1].map((i) => where[0][i] + 0.5 * (across[i] + down[i])) as [number, number];
  return clamped(resize(bilinear(shown, { origin, across, down }, fine, fine), size, size, BICUBIC));
}

/** The part of a photo, shrunk by a factor, around a quad in its pixels, and the quad in the part's own pixels. */
function around(photo: Photo, quad: Quad, shrink: number): readonly [Planes, Quad] {
  const [width, height] = [halfToEven(photo.width / shrink), halfToEven(photo.height / shrink)];
  const side = sideOf(quad);
  const border = Math.max(halfToEven(0.1 * side), 3);
  const wanted = boundsOf(quad, border);
  const shown: Region = {
    left: Math.max(wanted.left, 0),
    top: Math.max(wanted.top, 0),
    right: Math.min(wanted.right, width),
    bottom: Math.min(wanted.bottom, height),
  };
  const part = shrink > 1 ? resizedRegion(photo, height, width, shown) : regionOf(photo, shown);
  const moved = placed(quad, 1, [-shown.left, -shown.top]);
  const outside: Pads = {
    left: shown.left - wanted.left,
    top: shown.top - wanted.top,
    right: wanted.right - shown.right,
    bottom: wanted.bottom - shown.bottom,
  };
  if (Math.max(outside.left, outside.top, outside.right, outside.bottom) <= border - 4) return [part, moved];
  const pad = (pixels: number): number => Math.max(pixels, halfToEven(0.3 * side));
  const pads = { left: pad(outside.left), top: pad(outside.top), right: pad(outside.right), bottom: pad(outside.bottom) };
  return [faded(mirrored(part, pads), pads, 0.02 * side), placed(moved, 1, [pads.left, pads.top])];
}

/** The pixels that a quad covers, with a border. */
function boundsOf(quad: Quad, border: number): Region {
  const [xs, ys] = [quad.map((corner) => corner[0]), quad.map((corner) => corner[1])];
  return {
    left: Math.floor(Math.min(...xs)) - border,
    top: Math.floor(Math.min(...ys)) - border,
    right: Math.ceil(Math.max(...xs)) + border,
    bottom: Math.ceil(Math.max(...ys)) + border,
  };
}

/** Round a positive number; a half goes to the even neighbour, as in Python. */
export function halfToEven(value: number): number {
  const low = Math.floor(value);
  if (value - low !== 0.5) return Math.round(value);
  return low % 2 ? low + 1 : low;
}
