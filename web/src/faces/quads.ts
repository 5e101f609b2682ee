/**
 * Quads: the squares of photos that become aligned images (Karras et al., arXiv:1812.04948, appendix A).
 *
 * Points are (x, y) in the photo's pixels, with the centre of the first pixel at (0, 0).
 */

export type Point = readonly [number, number];

/** Corners top left, bottom left, bottom right and top right. */
export type Quad = readonly [Point, Point, Point, Point];

/** Left and right eye, nose, left and right mouth corner, as seen in the picture. */
export type Landmarks = readonly [Point, Point, Point, Point, Point];

/** Compute FFHQ's quad of a face. */
export function ffhqQuad([leftEye, rightEye, , leftMouth, rightMouth]: Landmarks): Quad {
  const eyes = middle(leftEye, rightEye);
  const betweenEyes = minus(rightEye, leftEye);
  const eyesToMouth = minus(middle(leftMouth, rightMouth), eyes);
  const axis = minus(betweenEyes, rotated(eyesToMouth));
  const reach = Math.max(2.0 * length(betweenEyes), 1.8 * length(eyesToMouth));
  const x = times(axis, reach / length(axis));
  const y = rotated(x);
  const centre = plus(eyes, times(eyesToMouth, 0.1));
  const [before, after] = [minus(centre, x), plus(centre, x)];
  return [minus(before, y), plus(before, y), plus(after, y), minus(after, y)];
}

/** Side of a quad, in pixels. */
export function sideOf(quad: Quad): number {
  return length(minus(quad[3], quad[0]));
}

/** Move a quad by (x, y) and scale it, about (0, 0), first by a factor. */
export function placed(quad: Quad, scale: number, offset: Point): Quad {
  const [a, b, c, d] = quad.map((corner) => plus(times(corner, scale), offset));
  return [a, b, c, d];
}

/** Angle between the eyes' axis and the photo's rows, 0 to pi. */
export function tiltOf(landmarks: Landmarks): number {
  const [x, y] = minus(landmarks[1], landmarks[0]);
  return Math.abs(Math.atan2(y, x));
}

export function plus(a: Point, b: Point): Point {
  return [a[0] + b[0], a[1] + b[1]];
}

export function minus(a: Point, b: Point): Point {
  return [a[0] - b[0], a[1] - b[1]];
}

export function times(a: Point, factor: number): Point {
  return [a[0] * factor, a[1] * factor];
}

function middle(a: Point, b: Point): Point {
  return times(plus(a, b), 0.5);
}

function length(a: Point): number {
  return Math.hypot(a[0], a[1]);
}

/** Rotate by 90 degrees, so that x to the right becomes y down. */
function rotated([x, y]: Point): Point {
  return [-y, x];
}
