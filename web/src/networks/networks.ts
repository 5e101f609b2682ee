/** The networks of the page, as functions of images and codes. */

import type { InferenceSession, Tensor } from "onnxruntime-web/wasm";
import type { Cascade, Judgements, Proposals } from "../faces/detection";
import { type Planes, clamped, planes, zeros } from "../imaging/planes";
import { type Engine, PACKS, type PackName, type Site, packPath, runtimePath } from "../site";
import { Downloads, type OnBytes } from "./download";
import { type Pack, unpack } from "./pack";
import { Runtime } from "./runtime";

/** Truncation psi of random faces, as of `latentloop generate`. */
const RANDOM_PSI = 0.7;

type Sessions = Readonly<Record<"proposal" | "refinement" | "output" | "embedder" | "second_look" | "generator", InferenceSession>>;
type Floats = Float32Array<ArrayBuffer>;

/** The networks, loaded. */
export class Networks implements Cascade {
  private constructor(
    private readonly runtime: Runtime,
    private readonly sessions: Sessions,
    private readonly mapping: InferenceSession | null,
    private readonly site: Site,
  ) {}

  /** Load all networks. */
  static async load(site: Site, base: string, engine: Engine, onBytes: OnBytes): Promise<Networks> {
    const paths = [runtimePath(engine), ...PACKS.map(packPath)];
    const downloads = new Downloads(site, base, paths, onBytes);
    const packs = new Map(PACKS.map((name) => [name, downloads.fetch(packPath(name)).then(unpack)]));
    // A file that fails while another one is waited for must not count as an error that nobody handles.
    for (const pack of packs.values()) pack.catch(() => undefined);
    const runtime = await Runtime.start(engine, downloads, base);
    const session = async (pack: PackName, name: string): Promise<InferenceSession> =>
      runtime.session(await (packs.get(pack) as Promise<Pack>), name);
    const sessions: Sessions = {
      proposal: await session("detection", "proposal"),
      refinement: await session("detection", "refinement"),
      output: await session("detection", "output"),
      generator: await session("drawing", "generator"),
      embedder: await session("embedding", "embedder"),
      second_look: await session("embedding", "second_look"),
    };
    const mapping = (await packs.get("drawing"))?.graphs.has("mapping") ? await session("drawing", "mapping") : null;
    return new Networks(runtime, sessions, mapping, site);
  }

  get engine(): Engine {
    return this.runtime.engine;
  }

  /** Whether there is a mapping network, which random faces need. */
  get canDrawRandomFaces(): boolean {
    return this.mapping !== null;
  }

  /** Run each network that the first photo needs; throws if they draw no numbers, as on a GPU that does not work. */
  async warmUp(): Promise<void> {
    const { resolution } = this.site.generator;
    const drawn = await this.draw(await this.embed(zeros(3, resolution, resolution)));
    if (!drawn.data.every(Number.isFinite)) throw new Error("the networks draw no numbers");
    await this.refine(new Float32Array(3 * 24 * 24), 1);
    await this.judge(new Float32Array(3 * 48 * 48), 1);
  }

  /** Find the code (num_ws, w_dim) of an aligned face in one pass. */
  async embed(face: Planes): Promise<Floats> {
    const { w_plus } = await this.sessions.embedder.run({ image: this.image(face) });
    return copied(w_plus);
  }

  /** Improve a code by a second look, at an aligned face and at what the code draws. */
  async lookAgain(face: Planes, first: Floats, drawn: Planes): Promise<Floats> {
    const inputs = { image: this.image(face), drawn: this.image(drawn), first: this.code(first) };
    const { w_plus } = await this.sessions.second_look.run(inputs);
    return copied(w_plus);
  }

  /** Draw a code, (3, R, R) as the network gives it. */
  async draw(wPlus: Floats): Promise<Planes> {
    const { image } = await this.sessions.generator.run({ w_plus: this.code(wPlus) });
    const size = this.site.generator.resolution;
    return planes(copied(image), 3, size, size);
  }

  /** Draw a code, clamped to [-1, 1]. */
  async drawFace(wPlus: Floats): Promise<Planes> {
    return clamped(await this.draw(wPlus));
  }

  /** Give the code of a random face. */
  async randomCode(): Promise<Floats> {
    if (!this.mapping) throw new RangeError("there is no mapping network");
    const z = Float32Array.from({ length: this.site.generator.z_dim }, normal);
    const psi = this.tensor(Float32Array.of(RANDOM_PSI), []);
    const { w_plus } = await this.mapping.run({ z: this.tensor(z, [1, z.length]), truncation_psi: psi });
    return copied(w_plus);
  }

  async propose(image: Float32Array, height: number, width: number): Promise<Proposals> {
    const { scores, corrections } = await this.sessions.proposal.run({
      image: this.tensor(image, [1, 3, height, width]),
    });
    const [, rows, columns] = scores.dims;
    return { height: rows, width: columns, scores: numbers(scores), corrections: numbers(corrections) };
  }

  async refine(windows: Float32Array, count: number): Promise<Judgements> {
    const { scores, corrections } = await this.sessions.refinement.run({
      windows: this.tensor(windows, [count, 3, 24, 24]),
    });
    return { scores: numbers(scores), corrections: numbers(corrections) };
  }

  async judge(windows: Float32Array, count: number): Promise<Judgements> {
    const { scores, corrections, landmarks } = await this.sessions.output.run({
      windows: this.tensor(windows, [count, 3, 48, 48]),
    });
    return { scores: numbers(scores), corrections: numbers(corrections), landmarks: numbers(landmarks) };
  }

  private image(face: Planes): Tensor {
    return this.tensor(face.data, [1, 3, face.height, face.width]);
  }

  private code(wPlus: Floats): Tensor {
    const { num_ws, w_dim } = this.site.generator;
    return this.tensor(wPlus, [1, num_ws, w_dim]);
  }

  private tensor(data: Float32Array, dims: readonly number[]): Tensor {
    return new this.runtime.ort.Tensor("float32", data, dims);
  }
}

function numbers(tensor: Tensor): Float32Array {
  return tensor.data as Float32Array;
}

/** Numbers of a tensor, in memory of their own. */
function copied(tensor: Tensor): Floats {
  return Float32Array.from(numbers(tensor));
}

/** A number of the standard normal distribution (Box and Muller 1958). */
function normal(): number {
  return Math.sqrt(-2 * Math.log(1 - Math.random())) * Math.cos(2 * Math.PI * Math.random());
}
