/** What the page asks of the worker, and what it is told. */

import type { Edit } from "../codes/directions";
import type { Engine, Site } from "../site";

/** Networks that are ready. */
export interface Loaded {
  readonly engine: Engine;
  readonly threads: number;
  readonly canDrawRandomFaces: boolean;
}

/** A photo that was opened. */
export interface Opened {
  readonly width: number;
  readonly height: number;
  /** The photo, small enough for the page. */
  readonly picture: ImageBitmap;
  /** Its faces as they were aligned, the largest first. */
  readonly faces: readonly ImageBitmap[];
}

/** A face that was drawn. */
export interface Drawn {
  readonly picture: ImageBitmap;
  /** Seconds that the networks took. */
  readonly seconds: number;
}

export type Format = "png" | "jpeg";
/** What can be downloaded: the whole photo, the face, or the code. */
export type Product = "photo" | "face" | "code";

/** A file to download. */
export interface Made {
  readonly name: string;
  readonly content: Blob;
}

/** What the worker does; requests are answered one after the other. */
export interface Workshop {
  load(site: Site, base: string, engine: Engine | "auto"): Promise<Loaded>;
  /** Run the networks once, so that no photo waits for what they do the first time. */
  warmUp(): Promise<void>;
  /** Open a photo, and find its faces. */
  open(file: Blob, name: string): Promise<Opened>;
  /** Go on to a face of the photo, and find its code in one pass. */
  choose(number: number): Promise<Drawn>;
  /** Go on to a random face. */
  random(): Promise<Drawn>;
  /** Take the code of the first look, or of a second one, and draw an edit of it. */
  look(again: boolean, edit: Edit): Promise<Drawn>;
  /** Draw an edit of the face. */
  draw(edit: Edit): Promise<Drawn>;
  /** Draw an edit in the whole photo, small enough for the page; without a photo, the face. */
  whole(edit: Edit): Promise<Drawn>;
  /** Make a file to download, at full size. */
  make(product: Product, edit: Edit, format: Format): Promise<Made>;
}

export type Method = keyof Workshop;

export interface Question {
  readonly id: number;
  readonly method: Method;
  readonly values: readonly unknown[];
}

export type Answer =
  | { readonly id: number; readonly result: unknown }
  | { readonly id: number; readonly error: string; readonly known: boolean }
  | { readonly arrived: number; readonly total: number };
