/** NumPy's arrays as bytes, and archives of them (.npz: a ZIP file without compression). */

/** An array: NumPy's name of its type, its shape, and its bytes in order. */
export interface NumpyArray {
  readonly type: string;
  readonly shape: readonly number[];
  readonly bytes: Uint8Array;
}

export function floats(data: Float32Array | Float64Array, shape: readonly number[]): NumpyArray {
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  return { type: data instanceof Float32Array ? "<f4" : "<f8", shape, bytes };
}

export function integers(values: readonly number[], shape: readonly number[]): NumpyArray {
  return { type: "<i8", shape, bytes: new Uint8Array(BigInt64Array.from(values, BigInt).buffer) };
}

/** A text, as an array of no axes. */
export function text(value: string): NumpyArray {
  const points = Uint32Array.from(value || "\0", (one) => one.codePointAt(0) ?? 0);
  return { type: `<U${points.length}`, shape: [], bytes: new Uint8Array(points.buffer) };
}

/** Encode an array as a .npy file. */
export function npy({ type, shape, bytes }: NumpyArray): Uint8Array {
  const axes = shape.map((size) => `${size},`).join(" ");
  const description = `{'descr': '${type}', 'fortran_order': False, 'shape': (${axes}), }`;
  const start = 10; // magic number, version, and the length of the description
  const padded = description.padEnd(Math.ceil((start + description.length + 1) / 64) * 64 - start - 1) + "\n";
  const head = new Uint8Array(start + padded.length);
  head.set([0x93, ...new TextEncoder().encode("NUMPY"), 1, 0, padded.length & 255, padded.length >> 8]);
  head.set(new TextEncoder().encode(padded), start);
  return joined([head, bytes]);
}

/** Encode arrays by name as a .npz file. */
export function npz(arrays: Readonly<Record<string, NumpyArray>>): Uint8Array<ArrayBuffer> {
  const entries: Uint8Array[] = [];
  const directory: Uint8Array[] = [];
  let offset = 0;
  for (const [name, array] of Object.entries(arrays)) {
    const [content, path] = [npy(array), new TextEncoder().encode(`${name}.npy`)];
    const about = aboutEntry(content, path.length);
    const local = joined([words([0x04034b50], 4), words([20], 2), about, path, content]);
    const central = [words([0x02014b50], 4), words([20, 20], 2), about, words([0, 0, 0], 2), words([0, offset], 4), path];
    entries.push(local);
    directory.push(joined(central));
    offset += local.length;
  }
  const size = directory.reduce((sum, one) => sum + one.length, 0);
  const end = [words([0x06054b50], 4), words([0, 0, entries.length, entries.length], 2), words([size, offset], 4)];
  return joined([...entries, ...directory, ...end, words([0], 2)]);
}

/** What both records of an entry say of it: flags, method, time, date (1 January 1980), checksum, sizes, names' lengths. */
function aboutEntry(content: Uint8Array, pathLength: number): Uint8Array {
  return joined([
    words([0, 0, 0, 33], 2),
    words([crc32(content), content.length, content.length], 4),
    words([pathLength, 0], 2),
  ]);
}

/** The checksum of ZIP files. */
export function crc32(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return (crc ^ 0xffffffff) >>> 0;
}

/** Numbers of so many bytes each, the lowest byte first. */
function words(values: readonly number[], bytes: 2 | 4): Uint8Array {
  const view = new DataView(new ArrayBuffer(values.length * bytes));
  values.forEach((value, i) => (bytes === 2 ? view.setUint16(2 * i, value, true) : view.setUint32(4 * i, value, true)));
  return new Uint8Array(view.buffer);
}

function joined(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
