/** Finding faces that lie on their side or upside down, in photos that do not say how they were held. */

import { type Photo, placeBefore, toPhoto, turned } from "../imaging/planes";
import { cropQuad } from "./alignment";
import { type Cascade, type Face, canShowFaces, detect } from "./detection";
import { type Landmarks, type Point, ffhqQuad, minus, plus, tiltOf, times } from "./quads";

/** Face probability from which a face that is not tilted is taken for what it is. */
const CERTAIN = 0.999;
/** Least face probability in a turned photo. */
const LEAST_TURNED = 0.99;
/** Angle of the eyes beyond which another turn of the photo may suit better; half of it calls for a second look. */
const TILTED = Math.PI / 6;
/** Advantage of the photo as it is given, in log-odds. */
const ADVANTAGE = 3;
/** Pixels of an aligned face's side when it is looked at a second time. */
const LOOKED_AT = 256;
/** Face probability beyond which differences say nothing. */
const SUREST = 1 - 1e-5;

/**
 * Find the faces of a photo, whichever of its sides is up, the largest first; in the photo's own pixels.
 *
 * The photo is turned by quarters only if its largest face is tilted or not quite certain.
 */
export async function findFaces(photo: Photo, cascade: Cascade): Promise<Face[]> {
  const given = await detect(photo, cascade);
  if (given.length && given[0].score >= CERTAIN && tiltOf(given[0].landmarks) <= TILTED) return given;
  if (!canShowFaces(photo)) return given;
  let best = given;
  let trust = (await trustIn(photo, given, cascade)) + ADVANTAGE;
  for (const quarters of [1, 2, 3] as const) {
    const found = (await detect(turned(photo, quarters), cascade)).map((face) => turnedBack(face, photo, quarters));
    if (!found.length || found[0].score < LEAST_TURNED) continue;
    const other = await trustIn(photo, found, cascade);
    if (other > trust) [best, trust] = [found, other];
  }
  return best;
}

/** Find the landmarks of a tilted face once more, in its aligned image, where the detector sees it upright. */
export async function lookedAtAgain(photo: Photo, landmarks: Landmarks, cascade: Cascade): Promise<Landmarks> {
  const quarter = Math.PI / 2;
  const turn = (tiltOf(landmarks) + quarter / 2) % quarter;
  if (Math.abs(turn - quarter / 2) <= TILTED / 2) return landmarks;
  const quad = ffhqQuad(landmarks);
  const again = await detect(toPhoto(cropQuad(photo, quad, LOOKED_AT)), cascade);
  if (!again.length) return landmarks;
  const [topLeft, bottomLeft, , topRight] = quad;
  const place = ([x, y]: Point): Point => {
    const across = times(minus(topRight, topLeft), (x + 0.5) / LOOKED_AT);
    return plus(topLeft, plus(across, times(minus(bottomLeft, topLeft), (y + 0.5) / LOOKED_AT)));
  };
  return mapped(again[0].landmarks, place);
}

/** Log-odds that the largest face is one, as it was found and once more as its aligned image shows it. */
async function trustIn(photo: Photo, faces: readonly Face[], cascade: Cascade): Promise<number> {
  if (!faces.length) return -Infinity;
  const again = await detect(toPhoto(cropQuad(photo, ffhqQuad(faces[0].landmarks), LOOKED_AT)), cascade);
  return again.length ? logOdds(faces[0].score) + logOdds(again[0].score) : -Infinity;
}

function logOdds(score: number): number {
  const certain = Math.min(score, SUREST);
  return Math.log(certain / (1 - certain));
}

/** A face of a photo that was turned, in the pixels of the photo that is not turned. */
function turnedBack(face: Face, photo: Photo, quarters: 1 | 2 | 3): Face {
  const back = ([x, y]: Point): Point => placeBefore(x, y, photo.width, photo.height, quarters);
  const [a, b] = [back([face.left, face.top]), back([face.right, face.bottom])];
  return {
    left: Math.min(a[0], b[0]),
    top: Math.min(a[1], b[1]),
    right: Math.max(a[0], b[0]),
    bottom: Math.max(a[1], b[1]),
    score: face.score,
    landmarks: mapped(face.landmarks, back),
  };
}

function mapped([a, b, c, d, e]: Landmarks, place: (point: Point) => Point): Landmarks {
  return [place(a), place(b), place(c), place(d), place(e)];
}
