/** Directions: changes of a code that change one attribute of its image. */

import { UserError } from "../errors";

/** Share of a direction's length below which what is kept leaves nothing of it but rounding error. */
const NOTHING = 1e-3;
/** Share of a vector's length below which it lies in the span of others. */
const DEPENDENT = 1e-9;

/** A direction of the generator's latent space. */
export interface Direction {
  readonly name: string;
  /** What strength 1 adds to each of the styles that change, (w_dim,), or to the style of each layer, (num_ws, w_dim). */
  readonly vector: Float32Array;
  /** Layers that change, in ascending order. */
  readonly layers: readonly number[];
  /** Effect of positive strengths; empty if unknown. */
  readonly positive: string;
}

/** The shape of a generator's codes. */
export interface CodeShape {
  readonly numWs: number;
  readonly wDim: number;
}

/** What the sliders and boxes say. */
export interface Edit {
  /** Strengths of the directions that change something, by name; none of them is 0. */
  readonly strengths: Readonly<Record<string, number>>;
  /** Directions whose attributes should not change. */
  readonly keep: readonly string[];
}

/**
 * Move a code (num_ws, w_dim) along directions, all at once.
 *
 * @throws UserError if nothing is left of a direction with what is kept.
 */
export function edited(
  wPlus: Float32Array<ArrayBuffer>,
  edit: Edit,
  known: readonly Direction[],
  shape: CodeShape,
): Float32Array<ArrayBuffer> {
  const kept = known.filter((one) => edit.keep.includes(one.name));
  const result = wPlus.slice();
  for (const [name, strength] of Object.entries(edit.strengths)) {
    const direction = known.find((one) => one.name === name);
    if (!direction || !strength) continue;
    const change = restricted(direction, kept, shape);
    for (let i = 0; i < result.length; i++) result[i] += strength * change[i];
  }
  return result;
}

/**
 * What strength 1 adds to a code, (num_ws, w_dim), without the part in the span of directions that are kept.
 *
 * This is the conditional manipulation of InterFaceGAN (Shen et al., arXiv:1907.10786, section 2.2), on the layers that
 * the direction changes.
 */
export function restricted(direction: Direction, kept: readonly Direction[], shape: CodeShape): Float32Array {
  const change = onLayers(direction, direction.layers, shape);
  const length = norm(change);
  for (const basis of orthonormal(kept.map((one) => onLayers(one, direction.layers, shape)))) remove(change, basis);
  if (kept.length && norm(change) <= NOTHING * length) {
    throw new UserError(`${direction.name}: nothing is left to change, with what is kept as it is.`);
  }
  const whole = new Float32Array(shape.numWs * shape.wDim);
  direction.layers.forEach((layer, i) => {
    whole.set(change.subarray(i * shape.wDim, (i + 1) * shape.wDim), layer * shape.wDim);
  });
  return whole;
}

/** A direction's vector on some layers, one after the other. */
function onLayers({ vector }: Direction, layers: readonly number[], { wDim }: CodeShape): Float64Array {
  const all = new Float64Array(layers.length * wDim);
  layers.forEach((layer, i) => {
    const from = vector.length === wDim ? 0 : layer * wDim;
    all.set(vector.subarray(from, from + wDim), i * wDim);
  });
  return all;
}

/** An orthonormal basis of the span of vectors (modified Gram-Schmidt, twice for the sake of rounding). */
function orthonormal(vectors: readonly Float64Array[]): Float64Array[] {
  const basis: Float64Array[] = [];
  for (const vector of vectors) {
    const [rest, length] = [vector.slice(), norm(vector)];
    for (const other of [...basis, ...basis]) remove(rest, other);
    const left = norm(rest);
    if (left > DEPENDENT * length) basis.push(rest.map((one) => one / left));
  }
  return basis;
}

/** Remove from a vector its part along a unit vector, in place. */
function remove(vector: Float64Array, unit: Float64Array): void {
  let along = 0;
  for (let i = 0; i < vector.length; i++) along += vector[i] * unit[i];
  for (let i = 0; i < vector.length; i++) vector[i] -= along * unit[i];
}

function norm(vector: Float64Array): number {
  return Math.sqrt(vector.reduce((sum, one) => sum + one * one, 0));
}
