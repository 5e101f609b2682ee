/** Reading image files: what the browser can decode, upright, on white. */

import { UserError } from "../errors";
import type { Photo } from "../imaging/planes";

/** Most pixels of a photo; more take more memory than browsers give. */
export const MAX_PIXELS = 50_000_000;

/**
 * Decode an image file.
 *
 * @param name Name of the file, with which error messages begin.
 */
export async function decode(file: Blob, name: string): Promise<Photo> {
  if (!file.size) throw new UserError(`${name}: the file is empty.`);
  const head = new Uint8Array(await file.slice(0, 1 << 18).arrayBuffer());
  const claimed = sizeIn(head);
  if (claimed && claimed[0] * claimed[1] > MAX_PIXELS) throw tooLarge(name, ...claimed);
  const bitmap = await createImageBitmap(file).catch(() => null);
  if (!bitmap) throw new UserError(`${name}: ${reasonIn(head)}`);
  try {
    if (bitmap.width * bitmap.height > MAX_PIXELS) throw tooLarge(name, bitmap.width, bitmap.height);
    return pixelsOf(bitmap, name);
  } finally {
    bitmap.close();
  }
}

function pixelsOf(bitmap: ImageBitmap, name: string): Photo {
  const { width, height } = bitmap;
  const context = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
  if (!context) throw new UserError(`${name}: ${width} x ${height} pixels are more than this browser can take.`);
  context.fillStyle = "white"; // under transparent pixels
  context.fillRect(0, 0, width, height);
  context.drawImage(bitmap, 0, 0);
  const { data } = context.getImageData(0, 0, width, height);
  return { width, height, data: data as Uint8ClampedArray<ArrayBuffer> };
}

function tooLarge(name: string, width: number, height: number): UserError {
  const most = MAX_PIXELS / 1e6;
  return new UserError(`${name}: ${width} x ${height} pixels; this page takes up to ${most} million. Make it smaller.`);
}

/** Why the browser does not decode a file that begins so. */
function reasonIn(head: Uint8Array): string {
  const brand = String.fromCharCode(...head.subarray(4, 12));
  if (/^ftyp(heic|heix|hevc|heim|heis|mif1|msf1)/.test(brand)) {
    return "this browser cannot read HEIC pictures; save it as JPEG or PNG.";
  }
  const known = isPng(head) || isJpeg(head);
  return known ? "the picture is damaged." : "not a picture that this browser can read; save it as JPEG or PNG.";
}

/** Width and height that a PNG or JPEG file claims, before it is decoded. */
export function sizeIn(head: Uint8Array): readonly [number, number] | null {
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
  if (isPng(head) && head.length >= 24) return [view.getUint32(16), view.getUint32(20)];
  if (!isJpeg(head)) return null;
  for (let at = 2; at + 9 < head.length && head[at] === 0xff; at += 2 + view.getUint16(at + 2)) {
    const marker = head[at + 1];
    const frame = marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker);
    if (frame) return [view.getUint16(at + 7), view.getUint16(at + 5)];
  }
  return null;
}

function isPng(head: Uint8Array): boolean {
  return head[0] === 0x89 && head[1] === 0x50 && head[2] === 0x4e && head[3] === 0x47;
}

function isJpeg(head: Uint8Array): boolean {
  return head[0] === 0xff && head[1] === 0xd8;
}
