/** A mask of where an edit changed a face. */

import { type Planes, planes } from "../imaging/planes";
import { maxAbout, meanAbout } from "../imaging/pooling";
import { averaged } from "../imaging/resize";

/** Pixels of the side at which faces are compared. */
const SIZE = 128;
/** Colour differences, in units of [-1, 1], up to which a pixel is unchanged and from which it is changed in full. */
const [NONE, FULL] = [0.05, 0.15];
/** Pixels, odd, by which the changed region is widened, and over which its edge is softened; of `SIZE`. */
const [REACH, SOFT] = [9, 17];

/** Compute a soft mask of where an edit changed a face, (1, 128, 128): 1 where it changed, 0 where it did not. */
export function changed(before: Planes, after: Planes): Planes {
  const [old, now] = [before, after].map((face) => averaged(face, face.width / SIZE).data);
  const size = SIZE * SIZE;
  const difference = new Float32Array(size);
  for (let i = 0; i < old.length; i++) difference[i % size] += Math.abs(now[i] - old[i]) / 3;
  const smooth = meanAbout(difference, SIZE, SIZE, 5);
  const share = smooth.map((one) => Math.min(Math.max((one - NONE) / (FULL - NONE), 0), 1));
  const soft = meanAbout(maxAbout(share, SIZE, SIZE, REACH), SIZE, SIZE, SOFT);
  return planes(
    Float32Array.from(soft, (one) => one * one * (3 - 2 * one)),
    1,
    SIZE,
    SIZE,
  );
}
