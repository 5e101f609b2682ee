/** The code file, which `latentloop edit` and `latentloop studio` open; docs/code-file.md describes it. */

import type { Quad } from "../faces/quads";
import { floats, integers, npz, text } from "./npy";

/** A photo's code, and where it comes from. */
export interface Code {
  readonly wPlus: Float32Array;
  readonly numWs: number;
  readonly wDim: number;
  /** Name of the generator, and the fingerprint of its latent space. */
  readonly generator: string;
  readonly fingerprint: string;
  readonly quad: Quad;
  /** Width and height of the upright photo, in pixels. */
  readonly size: readonly [number, number];
  /** Name of the photo and edit, as JSON values. */
  readonly details: Readonly<Record<string, unknown>>;
}

/** Encode a code as version 1 of the code file. */
export function codeFile(code: Code): Uint8Array<ArrayBuffer> {
  return npz({
    version: integers([1], []),
    w_plus: floats(code.wPlus, [code.numWs, code.wDim]),
    space: text("w+"),
    generator: text(code.generator),
    fingerprint: text(code.fingerprint),
    quad: floats(Float64Array.from(code.quad.flat()), [4, 2]),
    original_size: integers(code.size, [2]),
    losses: floats(new Float32Array(), [0]),
    steps: integers([0], []),
    details: text(JSON.stringify(code.details)),
  });
}
