/** Pictures for the page, and files to download. */

import { type Photo, type Planes, toPhoto } from "../imaging/planes";
import type { Format } from "./protocol";

/** Largest width or height of a photo on the page, in pixels; downloads have all of them. */
const LONGEST_SIDE = 1600;
const JPEG_QUALITY = 0.95;

/** Make a picture for the page, no larger than the screen needs. */
export async function pictureOf(photo: Photo): Promise<ImageBitmap> {
  const scale = Math.min(1, LONGEST_SIDE / Math.max(photo.width, photo.height));
  const image = imageData(photo);
  if (scale === 1) return createImageBitmap(image);
  const [width, height] = [photo.width, photo.height].map((side) => Math.max(Math.round(side * scale), 1));
  return createImageBitmap(image, { resizeWidth: width, resizeHeight: height, resizeQuality: "high" });
}

/** Make a picture for the page of an image in [-1, 1]. */
export async function pictureOfFace(face: Planes): Promise<ImageBitmap> {
  return createImageBitmap(imageData(toPhoto(face)));
}

/** Encode a photo as a file. */
export async function encoded(photo: Photo, format: Format): Promise<Blob> {
  const canvas = new OffscreenCanvas(photo.width, photo.height);
  canvas.getContext("2d")?.putImageData(imageData(photo), 0, 0);
  return canvas.convertToBlob({ type: `image/${format}`, quality: JPEG_QUALITY });
}

function imageData({ data, width, height }: Photo): ImageData {
  return new ImageData(data, width, height);
}
