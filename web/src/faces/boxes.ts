/** Boxes around faces, as MTCNN's cascade handles them (Zhang et al., arXiv:1604.02878). */

/** A box, with the probability of a face in it, and what was found beside it. */
export interface Box {
  readonly left: number;
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
  readonly score: number;
}

/** How far each side of a box moves, as fractions of its size: left, top, right and bottom. */
export type Corrections = readonly [number, number, number, number];

/** Select the boxes that no better box overlaps too much, best first.
 *
 * @param overlap Intersection over union above which the worse of two boxes is dropped.
 * @param ofSmaller Divide the intersection by the smaller box's area, not by the union.
 */
export function suppressed<B extends Box>(boxes: readonly B[], overlap: number, ofSmaller = false): B[] {
  let rest = [...boxes].sort((a, b) => b.score - a.score);
  const kept: B[] = [];
  while (rest.length) {
    const best = rest[0];
    kept.push(best);
    rest = rest.slice(1).filter((other) => {
      const shared = sharedArea(best, other);
      const [area, areas] = [areaOf(best), areaOf(other)];
      return shared <= overlap * (ofSmaller ? Math.min(area, areas) : area + areas - shared);
    });
  }
  return kept;
}

export function areaOf(box: Box): number {
  return (box.right - box.left + 1) * (box.bottom - box.top + 1);
}

function sharedArea(a: Box, b: Box): number {
  const width = Math.min(a.right, b.right) - Math.max(a.left, b.left) + 1;
  const height = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) + 1;
  return Math.max(width, 0) * Math.max(height, 0);
}

/** Move each side of a box by its correction. */
export function corrected<B extends Box>(box: B, [left, top, right, bottom]: Corrections): B {
  const [width, height] = [box.right - box.left + 1, box.bottom - box.top + 1];
  return {
    ...box,
    left: box.left + left * width,
    top: box.top + top * height,
    right: box.right + right * width,
    bottom: box.bottom + bottom * height,
  };
}

/** Grow a box to a square about its centre, on whole pixels. */
export function squared<B extends Box>(box: B): B {
  const [width, height] = [box.right - box.left, box.bottom - box.top];
  const side = Math.max(width, height);
  const [left, top] = [box.left + 0.5 * (width - side), box.top + 0.5 * (height - side)];
  return {
    ...box,
    left: Math.trunc(left),
    top: Math.trunc(top),
    right: Math.trunc(left + side),
    bottom: Math.trunc(top + side),
  };
}
