/** Images in memory: photos as bytes, and what is computed with as planes of floating-point numbers. */

/** A photo: opaque RGBA bytes, row by row. */
export interface Photo {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8ClampedArray<ArrayBuffer>;
}

/** Planes of numbers (C, H, W), one after the other; those of an image are red, green and blue, in [-1, 1]. */
export interface Planes {
  readonly channels: number;
  readonly height: number;
  readonly width: number;
  readonly data: Float32Array<ArrayBuffer>;
}

/** A rectangle of pixels: columns from left up to right, rows from top up to bottom, the last ones excluded. */
export interface Region {
  readonly left: number;
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
}

/** Make planes of zeros. */
export function zeros(channels: number, height: number, width: number): Planes {
  return { channels, height, width, data: new Float32Array(channels * height * width) };
}

/** Wrap numbers (C, H, W) as planes. */
export function planes(data: Float32Array<ArrayBuffer>, channels: number, height: number, width: number): Planes {
  if (data.length !== channels * height * width) {
    throw new RangeError(`planes must have ${channels} x ${height} x ${width} numbers, got ${data.length}`);
  }
  return { channels, height, width, data };
}

/** Give one plane as a view, (H * W). */
export function plane(image: Planes, channel: number): Float32Array<ArrayBuffer> {
  const size = image.height * image.width;
  return image.data.subarray(channel * size, (channel + 1) * size);
}

/** Turn a region of a photo into an image in [-1, 1]. */
export function regionOf(photo: Photo, region: Region): Planes {
  const width = region.right - region.left;
  const image = zeros(3, region.bottom - region.top, width);
  for (let channel = 0; channel < 3; channel++) {
    const target = plane(image, channel);
    for (let y = 0; y < image.height; y++) {
      let from = 4 * ((y + region.top) * photo.width + region.left) + channel;
      for (let to = y * width; to < (y + 1) * width; to++, from += 4) target[to] = photo.data[from] / 127.5 - 1;
    }
  }
  return image;
}

/** Turn an image in [-1, 1] into opaque RGBA bytes, clamped and rounded. */
export function toPhoto(image: Planes): Photo {
  const size = image.height * image.width;
  const data = new Uint8ClampedArray(4 * size); // rounds and clamps what is written to it
  for (let i = 0; i < size; i++) {
    for (let channel = 0; channel < 3; channel++) data[4 * i + channel] = (image.data[channel * size + i] + 1) * 127.5;
    data[4 * i + 3] = 255;
  }
  return { width: image.width, height: image.height, data };
}

/** Clamp an image to [-1, 1], in place. */
export function clamped(image: Planes): Planes {
  const { data } = image;
  for (let i = 0; i < data.length; i++) data[i] = Math.min(Math.max(data[i], -1), 1);
  return image;
}

/** Turn a photo counter-clockwise by a number of quarters. */
export function turned(photo: Photo, quarters: 1 | 2 | 3): Photo {
  const { width, height } = photo;
  const source = new Uint32Array(photo.data.buffer, photo.data.byteOffset, width * height);
  const target = new Uint32Array(width * height);
  const [columns, rows] = quarters === 2 ? [width, height] : [height, width];
  for (let y = 0; y < rows; y++) {
    for (let x = 0; x < columns; x++) {
      const [fromX, fromY] = placeBefore(x, y, width, height, quarters);
      target[y * columns + x] = source[fromY * width + fromX];
    }
  }
  return { width: columns, height: rows, data: new Uint8ClampedArray(target.buffer) };
}

/** Find where a point of a turned photo lies in the photo of this width and height that is not turned. */
export function placeBefore(
  x: number,
  y: number,
  width: number,
  height: number,
  quarters: 1 | 2 | 3,
): readonly [number, number] {
  if (quarters === 1) return [width - 1 - y, x];
  return quarters === 2 ? [width - 1 - x, height - 1 - y] : [y, height - 1 - x];
}
