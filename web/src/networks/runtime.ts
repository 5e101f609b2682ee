/** ONNX Runtime in this worker, on WebGPU where there is one, else on WebAssembly with SIMD and threads. */

import type { InferenceSession } from "onnxruntime-web/wasm";
import { UserError } from "../errors";
import { type Engine, gluePath, runtimePath } from "../site";
import { type Downloads, unzipped } from "./download";
import { type Pack, WEIGHTS } from "./pack";

/** Most threads that compute: beyond, they wait for each other more than they help. */
const MOST_THREADS = 8;

type OnnxRuntime = typeof import("onnxruntime-web/wasm");

/** ONNX Runtime, ready to make sessions. */
export class Runtime {
  private constructor(
    readonly ort: OnnxRuntime,
    readonly engine: Engine,
  ) {}

  /** Start it on an engine. */
  static async start(engine: Engine, downloads: Downloads, base: string): Promise<Runtime> {
    const [ort, binary] = await Promise.all([library(engine), downloads.fetch(runtimePath(engine)).then(unzipped)]);
    const { wasm } = ort.env;
    ort.env.logLevel = "error";
    wasm.wasmBinary = binary.buffer;
    wasm.wasmPaths = { mjs: new URL(gluePath(engine), base).href };
    wasm.numThreads = crossOriginIsolated ? Math.min(navigator.hardwareConcurrency || 1, MOST_THREADS) : 1;
    return new Runtime(ort, engine);
  }

  /** Make a session of one of a pack's graphs. */
  async session(pack: Pack, name: string): Promise<InferenceSession> {
    const graph = pack.graphs.get(name);
    if (!graph) throw new UserError(`The networks have no ${name}; make the site again.`);
    return this.ort.InferenceSession.create(graph, {
      executionProviders: [this.engine],
      externalData: [{ path: WEIGHTS, data: pack.weights }],
      graphOptimizationLevel: "all",
    });
  }
}

/** Choose the fastest engine that this browser has. */
export async function bestEngine(): Promise<Engine> {
  if (typeof WebAssembly !== "object") throw new UserError("This browser has no WebAssembly, which the networks need.");
  const gpu = (navigator as { gpu?: { requestAdapter(): Promise<unknown> } }).gpu;
  const adapter = await gpu?.requestAdapter().catch(() => null);
  return adapter ? "webgpu" : "wasm";
}

async function library(engine: Engine): Promise<OnnxRuntime> {
  return engine === "webgpu" ? await import("onnxruntime-web/webgpu") : await import("onnxruntime-web/wasm");
}
