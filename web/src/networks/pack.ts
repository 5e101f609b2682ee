/**
 * Files of networks, as `latentloop.web_site` packs them.
 *
 * Unzipped, a file begins with the length of its index (4 bytes, lowest first) and the index (JSON): where each ONNX
 * graph lies, and their common weights. Of the weights all bytes at even places come first and those at odd places
 * after them, because float16 numbers pack better so.
 */

import { unzipped } from "./download";

/** ONNX graphs by name, and the weights that they read from the file "weights". */
export interface Pack {
  readonly graphs: ReadonlyMap<string, Uint8Array>;
  readonly weights: Uint8Array;
}

type Span = readonly [start: number, end: number];

interface Index {
  readonly graphs: Readonly<Record<string, Span>>;
  readonly weights: Span;
}

/** Name under which the graphs know their weights. */
export const WEIGHTS = "weights";

/** Unpack a file of networks. */
export async function unpack(content: Uint8Array<ArrayBuffer>): Promise<Pack> {
  const bytes = await unzipped(content);
  const start = 4 + new DataView(bytes.buffer).getUint32(0, true);
  const index = JSON.parse(new TextDecoder().decode(bytes.subarray(4, start))) as Index;
  const part = ([first, last]: Span): Uint8Array => bytes.subarray(start + first, start + last);
  const graphs = Object.entries(index.graphs).map(([name, span]) => [name, part(span).slice()] as const);
  return { graphs: new Map(graphs), weights: interleaved(part(index.weights)) };
}

/** Put bytes back in order: the first half at even places, the second half at odd ones. */
export function interleaved(halves: Uint8Array): Uint8Array {
  const [whole, half] = [new Uint8Array(halves.length), (halves.length + 1) >> 1];
  for (let i = 0; i < half; i++) whole[2 * i] = halves[i];
  for (let i = half; i < halves.length; i++) whole[2 * (i - half) + 1] = halves[i];
  return whole;
}
