/** Face detection by MTCNN's cascade over an image pyramid (Zhang et al., arXiv:1604.02878). */

import { areaAverages } from "../imaging/area";
import type { Photo, Region } from "../imaging/planes";
import { type Box, type Corrections, areaOf, corrected, squared, suppressed } from "./boxes";
import type { Landmarks, Point } from "./quads";

/** Side and spacing of the windows that the proposal network judges, in pixels. */
const [WINDOW, STRIDE] = [12, 2];
/** Scale of each level of the image pyramid relative to the one before. */
const PYRAMID_STEP = 0.709;
/** Least face probability that passes the proposal, refinement and output networks. */
const THRESHOLDS = [0.6, 0.7, 0.7] as const;
/** Smallest face to look for, in pixels and as a share of the photo's shorter side; the larger counts. */
const [SMALLEST_FACE, SMALLEST_FACE_FRACTION] = [20, 0.03];
/** Most times that a photo may be as long as wide. */
const LONGEST = 100;
/** Factor from [-1, 1] to the range that the networks were trained on. */
const INPUT_SCALE = 127.5 / 128;
/** Most windows that a network judges at once, which bounds the memory that it takes. */
const BATCH = 64;

/** What the proposal network says of an image: scores (h, w) and corrections (4, h, w). */
export interface Proposals {
  readonly height: number;
  readonly width: number;
  readonly scores: Float32Array;
  readonly corrections: Float32Array;
}

/** What the later networks say of windows: scores (N,), corrections (N, 4) and landmarks (N, 5, 2), if they do. */
export interface Judgements {
  readonly scores: Float32Array;
  readonly corrections: Float32Array;
  readonly landmarks?: Float32Array;
}

/** The three networks of the cascade. */
export interface Cascade {
  propose(image: Float32Array, height: number, width: number): Promise<Proposals>;
  refine(windows: Float32Array, count: number): Promise<Judgements>;
  judge(windows: Float32Array, count: number): Promise<Judgements>;
}

/** A face as the detector found it, in the photo's pixels. */
export interface Face extends Box {
  readonly landmarks: Landmarks;
}

interface Corrected extends Box {
  readonly corrections: Corrections;
}

/** Find the faces of a photo that stand upright, the largest first. */
export async function detect(photo: Photo, cascade: Cascade): Promise<Face[]> {
  if (!canShowFaces(photo)) return [];
  const proposed = await propose(photo, cascade);
  const refined = await refine(photo, proposed, cascade);
  const faces = await judge(photo, refined, cascade);
  return faces.sort((a, b) => areaOf(b) - areaOf(a));
}

/** Whether a photo is large enough to show a face, and not far longer than wide. */
export function canShowFaces({ width, height }: Photo): boolean {
  const [shorter, longer] = [Math.min(width, height), Math.max(width, height)];
  return shorter >= WINDOW && longer <= LONGEST * shorter;
}

async function propose(photo: Photo, cascade: Cascade): Promise<Box[]> {
  const found: Corrected[] = [];
  for (const scale of pyramid(Math.min(photo.width, photo.height))) {
    found.push(...(await proposeAt(photo, scale, cascade)));
  }
  return suppressed(found, 0.7).map((box) => squared(corrected(box, box.corrections)));
}

async function proposeAt(photo: Photo, scale: number, cascade: Cascade): Promise<Corrected[]> {
  const [height, width] = [Math.trunc(photo.height * scale + 1), Math.trunc(photo.width * scale + 1)];
  const image = new Float32Array(3 * height * width);
  areaAverages(photo, wholeOf(photo), height, width, INPUT_SCALE, image);
  const proposals = await cascade.propose(image, height, width);
  const boxes: Corrected[] = [];
  const size = proposals.height * proposals.width;
  const place = (at: number): number => Math.floor(Math.fround(at / Math.fround(scale)));
  for (let i = 0; i < size; i++) {
    if (proposals.scores[i] < THRESHOLDS[0]) continue;
    const [x, y] = [STRIDE * (i % proposals.width), STRIDE * Math.floor(i / proposals.width)];
    boxes.push({
      left: place(x + 1),
      top: place(y + 1),
      right: place(x + WINDOW),
      bottom: place(y + WINDOW),
      score: proposals.scores[i],
      corrections: [0, 1, 2, 3].map((side) => proposals.corrections[side * size + i]) as unknown as Corrections,
    });
  }
  return suppressed(boxes, 0.5);
}

async function refine(photo: Photo, boxes: readonly Box[], cascade: Cascade): Promise<Box[]> {
  const judged = await judgedWindows(photo, boxes, 24, (windows, count) => cascade.refine(windows, count));
  const passed = judged.filter((box) => box.score >= THRESHOLDS[1]);
  return suppressed(passed, 0.7).map((box) => squared(corrected(box, box.corrections)));
}

async function judge(photo: Photo, boxes: readonly Box[], cascade: Cascade): Promise<Face[]> {
  const judged = await judgedWindows(photo, boxes, 48, (windows, count) => cascade.judge(windows, count));
  const passed = judged
    .filter((box) => box.score >= THRESHOLDS[2])
    .map((box) => corrected({ ...box, landmarks: placedLandmarks(box) }, box.corrections));
  return suppressed(passed, 0.7, true).map(({ left, top, right, bottom, score, landmarks }) => {
    return { left, top, right, bottom, score, landmarks };
  });
}

interface Judged extends Corrected {
  /** Landmarks (5, 2) as fractions of the window; empty where the network finds none. */
  readonly fractions: Float32Array;
}

/** What a network says of the windows of boxes, a batch at a time. */
async function judgedWindows(
  photo: Photo,
  boxes: readonly Box[],
  size: number,
  network: (windows: Float32Array, count: number) => Promise<Judgements>,
): Promise<Judged[]> {
  const judged: Judged[] = [];
  for (let start = 0; start < boxes.length; start += BATCH) {
    const some = boxes.slice(start, start + BATCH);
    const { scores, corrections, landmarks } = await network(windowsOf(photo, some, size), some.length);
    some.forEach((box, i) => {
      judged.push({
        ...box,
        score: scores[i],
        corrections: [...corrections.slice(4 * i, 4 * i + 4)] as unknown as Corrections,
        fractions: landmarks?.slice(10 * i, 10 * i + 10) ?? new Float32Array(),
      });
    });
  }
  return judged;
}

/** Crop the part of each box that lies in the photo, resized to (B, 3, size, size). */
function windowsOf(photo: Photo, boxes: readonly Box[], size: number): Float32Array {
  const out = new Float32Array(boxes.length * 3 * size * size);
  boxes.forEach((box, i) => {
    const left = Math.min(Math.max(box.left - 1, 0), photo.width - 1);
    const top = Math.min(Math.max(box.top - 1, 0), photo.height - 1);
    const right = Math.min(Math.max(box.right, left + 1), photo.width);
    const bottom = Math.min(Math.max(box.bottom, top + 1), photo.height);
    const target = out.subarray(i * 3 * size * size, (i + 1) * 3 * size * size);
    areaAverages(photo, { left, top, right, bottom }, size, size, INPUT_SCALE, target);
  });
  return out;
}

function placedLandmarks(box: Judged): Landmarks {
  const [width, height] = [box.right - box.left + 1, box.bottom - box.top + 1];
  const point = (i: number): Point => [
    box.fractions[2 * i] * width + box.left - 1,
    box.fractions[2 * i + 1] * height + box.top - 1,
  ];
  return [point(0), point(1), point(2), point(3), point(4)];
}

/** Scales at which faces from the smallest to the whole photo fill the window. */
function pyramid(shorter: number): number[] {
  const scale = WINDOW / Math.max(SMALLEST_FACE, SMALLEST_FACE_FRACTION * shorter);
  const scales = [scale];
  for (let next = scale * PYRAMID_STEP; shorter * next >= WINDOW; next *= PYRAMID_STEP) scales.push(next);
  return shorter * scale >= WINDOW ? scales : [WINDOW / shorter];
}

function wholeOf({ width, height }: Photo): Region {
  return { left: 0, top: 0, right: width, bottom: height };
}
