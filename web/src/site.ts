/** What `latentloop export web` wrote beside the page: which files there are, and what the networks are. */

import type { Direction } from "./codes/directions";
import { UserError } from "./errors";

export type Engine = "wasm" | "webgpu";
export const ENGINES: readonly Engine[] = ["wasm", "webgpu"];

/** The files that hold networks: see `src/networks/pack.ts`. */
export type PackName = "detection" | "embedding" | "drawing";
export const PACKS: readonly PackName[] = ["detection", "embedding", "drawing"];

/** A file of the site. */
export interface SiteFile {
  readonly bytes: number;
  readonly sha256: string;
}

/** The generator that draws the faces. */
export interface GeneratorFacts {
  readonly name: string;
  readonly resolution: number;
  readonly num_ws: number;
  readonly w_dim: number;
  readonly z_dim: number;
  readonly fingerprint: string;
  readonly licence: string;
}

/** A direction as the site has it: its vector as little-endian float32 in base64. */
interface StoredDirection {
  readonly name: string;
  readonly positive: string;
  readonly layers: readonly number[];
  readonly vector: string;
}

export interface Site {
  /** Checksum of all files. */
  readonly version: string;
  /** Release of latentloop. */
  readonly release: string;
  readonly generator: GeneratorFacts;
  readonly directions: readonly StoredDirection[];
  /** Every file of the page by its path, this one and the service worker excepted. */
  readonly files: Readonly<Record<string, SiteFile>>;
}

/** Path of the file that holds networks, and of ONNX Runtime's two files. */
export const packPath = (name: PackName): string => `models/${name}.bin`;
export const runtimePath = (engine: Engine): string => `runtime/${engine}.bin`;
export const gluePath = (engine: Engine): string => `runtime/${engine}.js`;

/** Read what the site is; `base` is the address of the page. */
export async function readSite(base: string): Promise<Site> {
  const response = await fetch(new URL("site.json", base), { cache: "no-cache" }).catch(() => null);
  if (!response?.ok) throw new UserError("The networks are missing here; make the site with latentloop export web.");
  return (await response.json()) as Site;
}

/** Decode the directions of a site. */
export function directionsOf(site: Site): Direction[] {
  return site.directions.map(({ name, positive, layers, vector }) => {
    const bytes = Uint8Array.from(atob(vector), (one) => one.charCodeAt(0));
    return { name, positive, layers, vector: new Float32Array(bytes.buffer) };
  });
}
