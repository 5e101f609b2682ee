/** Files of the site, counted while they arrive, and checked. */

import { UserError } from "../errors";
import type { Site } from "../site";

/** Told of bytes that have arrived, and of how many there will be. */
export type OnBytes = (arrived: number, total: number) => void;

/** Fetches files of a site, and counts the bytes of all of them. */
export class Downloads {
  private arrived = 0;
  private readonly total: number;

  /**
   * @param base Address of the page.
   * @param paths The files that will be fetched.
   */
  constructor(
    private readonly site: Site,
    private readonly base: string,
    paths: readonly string[],
    private readonly onBytes: OnBytes,
  ) {
    this.total = paths.reduce((sum, path) => sum + (site.files[path]?.bytes ?? 0), 0);
  }

  /** Fetch a file whole, and once more past all caches if it arrives damaged. */
  async fetch(path: string): Promise<Uint8Array<ArrayBuffer>> {
    const wanted = this.site.files[path];
    if (!wanted) throw new UserError(`${path} is not a file of this site; make the site again.`);
    for (const cache of ["no-cache", "reload"] as const) {
      const content = await this.arriving(path, cache);
      if (content.length === wanted.bytes && (await sha256(content)) === wanted.sha256) return content;
      this.arrived -= content.length;
    }
    throw new UserError(`${path} arrived damaged; load the page again.`);
  }

  private async arriving(path: string, cache: RequestCache): Promise<Uint8Array<ArrayBuffer>> {
    const response = await fetch(new URL(path, this.base), { cache }).catch(() => null);
    if (!response?.ok || !response.body) throw new UserError(`${path} did not arrive; is the connection there?`);
    return this.counted(response.body);
  }

  private async counted(body: ReadableStream<Uint8Array>): Promise<Uint8Array<ArrayBuffer>> {
    const parts: Uint8Array[] = [];
    const reader = body.getReader();
    for (let next = await reader.read(); !next.done; next = await reader.read()) {
      parts.push(next.value);
      this.arrived += next.value.length;
      this.onBytes(Math.min(this.arrived, this.total), this.total);
    }
    const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
    let at = 0;
    for (const part of parts) {
      whole.set(part, at);
      at += part.length;
    }
    return whole;
  }
}

/** Checksum of bytes, in hexadecimal. */
export async function sha256(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  if (!globalThis.crypto?.subtle) throw new UserError("This page needs https, or an address on this computer.");
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return [...digest].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Unpack gzip. */
export async function unzipped(content: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> {
  const stream = new Blob([content]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}
