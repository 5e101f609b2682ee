/** The page's own geometry, against what PyTorch makes of the same images (scripts/web_reference.py). */

import { describe, expect, it } from "vitest";
import { type Direction, edited, restricted } from "../src/codes/directions";
import { cropQuad, halfToEven } from "../src/faces/alignment";
import { lowerMedian, mirrorIndices } from "../src/faces/border";
import { suppressed } from "../src/faces/boxes";
import { changed } from "../src/faces/change";
import { pasteBack } from "../src/faces/pasting";
import { type Landmarks, type Quad, ffhqQuad } from "../src/faces/quads";
import { areaAverages } from "../src/imaging/area";
import { type Photo, type Planes, clamped, turned } from "../src/imaging/planes";
import { resizedRegion } from "../src/imaging/resize";
import reference from "./reference.json";

const [HEIGHT, WIDTH] = [40, 48];
const WHOLE = { left: 0, top: 0, right: WIDTH, bottom: HEIGHT };

const photo: Photo = {
  width: WIDTH,
  height: HEIGHT,
  data: new Uint8ClampedArray(
    Array.from({ length: HEIGHT * WIDTH }, (_, i) => [...reference.photo.slice(3 * i, 3 * i + 3), 255]).flat(),
  ),
};

function expectAlike(ours: ArrayLike<number>, theirs: readonly number[], tolerance: number): void {
  expect(ours.length).toBe(theirs.length);
  const worst = theirs.reduce((most, value, i) => Math.max(most, Math.abs(value - ours[i])), 0);
  expect(worst).toBeLessThanOrEqual(tolerance);
}

describe("resizing", () => {
  it("antialiases as PyTorch does", () => {
    const all = { left: 0, top: 0, right: 17, bottom: 13 };
    expectAlike(resizedRegion(photo, 13, 17, all).data, reference.resized, 1e-5);
  });

  it("averages areas as PyTorch does", () => {
    const out = new Float32Array(3 * 13 * 17);
    areaAverages(photo, WHOLE, 13, 17, 1, out);
    expectAlike(out, reference.area, 1e-5);
  });
});

describe.each(Object.entries(reference.faces))("a face %s", (_, face) => {
  const quad = ffhqQuad(face.landmarks as unknown as Landmarks);

  it("has FFHQ's quad", () => expectAlike(quad.flat(), face.quad, 1e-5));

  it("is cropped as in PyTorch", () => {
    expectAlike(cropQuad(photo, quad, 12).data, face.crop, 2e-4);
    expectAlike(cropQuad(photo, quad, 3).data, face.tiny, 2e-4);
  });

  it("is pasted back as in PyTorch", () => {
    const before = cropQuad(photo, quad, 128);
    const after = withPattern(before);
    const where = changed(before, after);
    const seen = Array.from({ length: 256 }, (_unused, i) => where.data[8 * Math.floor(i / 16) * 128 + 8 * (i % 16)]);
    expectAlike(seen, face.changed, 1e-3);
    const pasted = pasteBack(photo, after, quad, before, where);
    expectAlike(planesOf(pasted), face.pasted, 1);
  });
});

/** A face of 128 pixels with a pattern in its middle, as scripts/web_reference.py has it. */
function withPattern(face: Planes): Planes {
  const data = face.data.slice();
  for (let i = 0; i < 3 * 1600; i++) {
    const [channel, y, x] = [Math.floor(i / 1600), Math.floor((i % 1600) / 40), i % 40];
    data[channel * 128 * 128 + (50 + y) * 128 + 80 + x] += ((5 * channel + 3 * y + 7 * x) % 11) / 22;
  }
  return clamped({ ...face, data });
}

function planesOf({ data }: Photo): number[] {
  return [0, 1, 2].flatMap((channel) => [...data].filter((_, i) => i % 4 === channel));
}

describe("boxes", () => {
  it.each(["union", "smaller"] as const)("are suppressed by their %s as in PyTorch", (name) => {
    const { boxes, scores } = reference.suppression;
    const all = scores.map((score, i) => {
      const [left, top, right, bottom] = boxes.slice(4 * i, 4 * i + 4);
      return { left, top, right, bottom, score, i };
    });
    const kept = suppressed(all, 0.4, name === "smaller").map(({ i }) => i);
    expect(kept).toEqual(reference.suppression[name]);
  });
});

describe("directions", () => {
  const { layers, vectors, change, kept } = reference.directions;
  const shape = { numWs: 4, wDim: 4 };
  const all = (["a", "b", "c"] as const).map((name): Direction => {
    return { name, vector: Float32Array.from(vectors[name]), layers: layers[name], positive: "" };
  });

  it("change their layers alone", () => expectAlike(restricted(all[0], [], shape), change, 1e-6));

  it("leave alone what is kept", () => expectAlike(restricted(all[0], all.slice(1), shape), kept, 1e-5));

  it("say when nothing is left", () => {
    const edit = { strengths: { a: 1 }, keep: ["again"] };
    const known = [all[0], { ...all[0], name: "again" }];
    expect(() => edited(new Float32Array(16), edit, known, shape)).toThrow("nothing is left");
  });
});

describe("small things", () => {
  it("mirrors without repeating the border", () => {
    expect([...mirrorIndices(3, 4, 3)]).toEqual([0, 1, 2, 1, 0, 1, 2, 1, 0, 1]);
    expect([...mirrorIndices(1, 2, 1)]).toEqual([0, 0, 0, 0]);
  });

  it("rounds halves to even", () => expect([0.5, 1.5, 2.5, 2.6].map(halfToEven)).toEqual([0, 2, 2, 3]));

  it("finds the lower median", () => {
    expect(lowerMedian(Float32Array.of(5, 1, 4, 2))).toBe(2);
    expect(lowerMedian(Float32Array.of(7, 3, 3))).toBe(3);
  });

  it("turns four quarters to where it began", () => {
    const back = turned(turned(turned(photo, 1), 1), 2);
    expect(back).toEqual(photo);
  });

  it("has a quad of four corners", () => {
    const quad: Quad = ffhqQuad(reference.faces.inside.landmarks as unknown as Landmarks);
    expect(quad).toHaveLength(4);
  });
});
