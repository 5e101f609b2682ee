/** A face that is edited, with its codes and what they draw. */

import { type CodeShape, type Direction, type Edit, edited } from "../codes/directions";
import { changed } from "../faces/change";
import { pasteBack } from "../faces/pasting";
import type { Quad } from "../faces/quads";
import { type Photo, type Planes, toPhoto } from "../imaging/planes";
import type { Networks } from "../networks/networks";

type Floats = Float32Array<ArrayBuffer>;

/** A photo with one of its faces. */
export interface Origin {
  readonly photo: Photo;
  readonly quad: Quad;
  /** The face as it was aligned, (3, R, R). */
  readonly aligned: Planes;
}

/** A code with what it draws before any edit. */
interface Look {
  readonly wPlus: Floats;
  readonly drawn: Planes;
}

/** A face that is edited. */
export class OpenFace {
  private again: Look | null = null;
  private shown: Look;
  /** The edit that was drawn last: the whole photo needs what the preview has drawn. */
  private last: { readonly edit: string; readonly face: Planes } | null = null;

  private constructor(
    private readonly networks: Networks,
    readonly origin: Origin | null,
    private readonly first: Look,
  ) {
    this.shown = first;
  }

  /** Find the code of a face in one pass. */
  static async find(networks: Networks, origin: Origin): Promise<OpenFace> {
    const wPlus = await networks.embed(origin.aligned);
    return new OpenFace(networks, origin, { wPlus, drawn: await networks.drawFace(wPlus) });
  }

  /** Open a random face, which has no photo. */
  static async random(networks: Networks): Promise<OpenFace> {
    const wPlus = await networks.randomCode();
    return new OpenFace(networks, null, { wPlus, drawn: await networks.drawFace(wPlus) });
  }

  /** Go on with the code of the first look, or of a second one, which is taken once. */
  async look(again: boolean): Promise<void> {
    if (again && this.origin && !this.again) {
      const drawn = await this.networks.draw(this.first.wPlus); // the network was taught with what is not clamped
      const wPlus = await this.networks.lookAgain(this.origin.aligned, this.first.wPlus, drawn);
      this.again = { wPlus, drawn: await this.networks.drawFace(wPlus) };
    }
    this.shown = (again && this.again) || this.first;
    this.last = null;
  }

  /** The code of an edit, (num_ws, w_dim). */
  code(edit: Edit, known: readonly Direction[], shape: CodeShape): Floats {
    return edited(this.shown.wPlus, edit, known, shape);
  }

  /** Draw an edit, (3, R, R) in [-1, 1]. */
  async draw(edit: Edit, known: readonly Direction[], shape: CodeShape): Promise<Planes> {
    if (!Object.keys(edit.strengths).length) return this.shown.drawn;
    const wanted = JSON.stringify(edit);
    if (this.last?.edit !== wanted) {
      this.last = { edit: wanted, face: await this.networks.drawFace(this.code(edit, known, shape)) };
    }
    return this.last.face;
  }

  /** Put a drawn face into its photo where it differs from the face before the edit; without a photo, give the face. */
  whole(face: Planes): Photo {
    if (!this.origin) return toPhoto(face);
    const { photo, quad, aligned } = this.origin;
    return pasteBack(photo, face, quad, aligned, changed(this.shown.drawn, face));
  }
}
