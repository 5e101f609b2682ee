/** The worker's desk: the photo and the face that are open, and what the page asks of them. */

import { codeFile } from "../codes/code_file";
import { type CodeShape, type Direction, type Edit } from "../codes/directions";
import { UserError } from "../errors";
import { cropQuad } from "../faces/alignment";
import { ffhqQuad, sideOf } from "../faces/quads";
import { findFaces, lookedAtAgain } from "../faces/upright";
import { type Photo, toPhoto } from "../imaging/planes";
import { sha256 } from "../networks/download";
import { Networks } from "../networks/networks";
import { bestEngine } from "../networks/runtime";
import { type Engine, type Site, directionsOf } from "../site";
import { decode } from "./decoding";
import { encoded, pictureOf, pictureOfFace } from "./encoding";
import { OpenFace, type Origin } from "./open_face";
import type { Drawn, Format, Loaded, Made, Opened, Product, Workshop } from "./protocol";

/** Faces are shown down to this fraction of the largest; smaller ones are passers-by, or none. */
const SMALLEST = 6;
const NO_FACE = "Choose a photo first.";
const NONE_FOUND = "no face found; is it large enough, and seen from the front?";

/** The photo that is open. */
interface OpenPhoto {
  readonly name: string;
  readonly sha256: string;
  readonly faces: readonly Origin[];
}

/** Does what the page asks. */
export class Desk implements Workshop {
  private networks: Networks | null = null;
  private site: Site | null = null;
  private directions: Direction[] = [];
  private photo: OpenPhoto | null = null;
  private face: OpenFace | null = null;

  constructor(private readonly onBytes: (arrived: number, total: number) => void) {}

  async load(site: Site, base: string, engine: Engine | "auto"): Promise<Loaded> {
    [this.site, this.directions] = [site, directionsOf(site)];
    const chosen = engine === "auto" ? await bestEngine() : engine;
    this.networks = await this.loaded(site, base, chosen);
    const { engine: used, canDrawRandomFaces } = this.networks;
    return { engine: used, threads: crossOriginIsolated ? navigator.hardwareConcurrency : 1, canDrawRandomFaces };
  }

  /** Load the networks; where WebGPU fails, on WebAssembly. */
  private async loaded(site: Site, base: string, engine: Engine): Promise<Networks> {
    if (engine === "wasm") return Networks.load(site, base, engine, this.onBytes);
    try {
      const networks = await Networks.load(site, base, engine, this.onBytes);
      await networks.warmUp();
      return networks;
    } catch (error) {
      if (error instanceof UserError) throw error;
      return Networks.load(site, base, "wasm", this.onBytes);
    }
  }

  async warmUp(): Promise<void> {
    await this.ready.warmUp();
  }

  async open(file: Blob, name: string): Promise<Opened> {
    const [networks, image] = [this.ready, await decode(file, name)];
    const found = await findFaces(image, networks);
    if (!found.length) throw new UserError(`${name}: ${NONE_FOUND}`);
    const faces: Origin[] = [];
    for (const { landmarks } of found) {
      const quad = ffhqQuad(await lookedAtAgain(image, landmarks, networks));
      if (faces.length && sideOf(quad) * SMALLEST < sideOf(faces[0].quad)) continue;
      faces.push({ photo: image, quad, aligned: cropQuad(image, quad, this.about.generator.resolution) });
    }
    this.photo = { name, sha256: await sha256(new Uint8Array(await file.arrayBuffer())), faces };
    this.face = null;
    const tiles = await Promise.all(faces.map((face) => pictureOfFace(face.aligned)));
    return { width: image.width, height: image.height, picture: await pictureOf(image), faces: tiles };
  }

  async choose(number: number): Promise<Drawn> {
    const origin = this.photo?.faces[number];
    if (!origin) throw new UserError(NO_FACE);
    return this.timed(async () => {
      this.face = await OpenFace.find(this.ready, origin);
      return this.face.draw({ strengths: {}, keep: [] }, this.directions, this.shape);
    });
  }

  async random(): Promise<Drawn> {
    return this.timed(async () => {
      [this.face, this.photo] = [await OpenFace.random(this.ready), null];
      return this.face.draw({ strengths: {}, keep: [] }, this.directions, this.shape);
    });
  }

  async look(again: boolean, edit: Edit): Promise<Drawn> {
    return this.timed(async () => {
      await this.opened.look(again);
      return this.opened.draw(edit, this.directions, this.shape);
    });
  }

  async draw(edit: Edit): Promise<Drawn> {
    return this.timed(() => this.opened.draw(edit, this.directions, this.shape));
  }

  async whole(edit: Edit): Promise<Drawn> {
    const begun = performance.now();
    const picture = await pictureOf(await this.inPhoto(edit));
    return { picture, seconds: (performance.now() - begun) / 1000 };
  }

  async make(product: Product, edit: Edit, format: Format): Promise<Made> {
    const [stem, suffix] = [stemOf(this.photo?.name ?? "face"), suffixOf(edit)];
    if (product === "code") {
      return { name: `${stem}${suffix}.npz`, content: new Blob([await this.codeFile(edit)]) };
    }
    const drawn = product === "face" ? toPhoto(await this.drawn(edit)) : await this.inPhoto(edit);
    const name = `${stem}${suffix}${product === "face" ? "-face" : ""}.${format === "png" ? "png" : "jpg"}`;
    return { name, content: await encoded(drawn, format) };
  }

  private async codeFile(edit: Edit): Promise<Uint8Array<ArrayBuffer>> {
    const { generator } = this.about;
    const [origin, size] = [this.opened.origin, generator.resolution];
    const [low, high] = [-0.5, size - 0.5];
    const set = Object.entries(edit.strengths).map(([name, strength]) => `${name}=${strength}`);
    const photo = this.photo && { file: this.photo.name, sha256: this.photo.sha256, faces: null };
    return codeFile({
      wPlus: this.opened.code(edit, this.directions, this.shape),
      ...this.shape,
      generator: generator.name,
      fingerprint: generator.fingerprint,
      quad: origin?.quad ?? [[low, low], [low, high], [high, high], [high, low]],
      size: origin ? [origin.photo.width, origin.photo.height] : [size, size],
      details: { ...(photo && { photo }), ...(set.length && { edit: { set, keep: edit.keep, layers: null } }) },
    });
  }

  private async inPhoto(edit: Edit): Promise<Photo> {
    return this.opened.whole(await this.drawn(edit));
  }

  private async drawn(edit: Edit): ReturnType<OpenFace["draw"]> {
    return this.opened.draw(edit, this.directions, this.shape);
  }

  private async timed(work: () => ReturnType<OpenFace["draw"]>): Promise<Drawn> {
    const begun = performance.now();
    const face = await work();
    const seconds = (performance.now() - begun) / 1000;
    return { picture: await pictureOfFace(face), seconds };
  }

  private get shape(): CodeShape {
    return { numWs: this.about.generator.num_ws, wDim: this.about.generator.w_dim };
  }

  private get about(): Site {
    if (!this.site) throw new UserError("The networks are not loaded yet.");
    return this.site;
  }

  private get ready(): Networks {
    if (!this.networks) throw new UserError("The networks are not loaded yet.");
    return this.networks;
  }

  private get opened(): OpenFace {
    if (!this.face) throw new UserError(NO_FACE);
    return this.face;
  }
}

/** A file's name without its ending. */
function stemOf(name: string): string {
  return name.replace(/\.[^.]*$/, "") || "photo";
}

/** Name an edit for files' names, as `latentloop edit` does: "-smile1.5-age-1-keep-gender". */
function suffixOf(edit: Edit): string {
  const parts = Object.entries(edit.strengths).map(([name, strength]) => `${name}${strength}`);
  if (edit.keep.length) parts.push("keep", ...edit.keep);
  return parts.map((part) => `-${part}`).join("");
}
