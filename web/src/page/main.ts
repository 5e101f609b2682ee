/** The page's entry. */

import { UserError, messageOf } from "../errors";
import { ENGINES, type Engine, type Site, readSite } from "../site";
import type { Loaded, Workshop } from "../worker/protocol";
import { find } from "./elements";
import { isolated } from "./isolation";
import { Loading } from "./loading";
import { listenForPhotos } from "./opening";
import { Studio } from "./studio";
import { startWorker } from "./worker_client";

const loading = new Loading();
if (await isolated()) {
  const studio = started();
  listenForPhotos(
    (file, name) => void studio.then((one) => one.open(file, name)).catch(fail),
    (error) => void studio.then((one) => one.fail(error)).catch(fail),
  );
  await studio.catch(fail);
}

/** Start the page, and load the networks; photos that come before them wait. */
async function started(): Promise<Studio> {
  const base = document.baseURI;
  const site = await readSite(base);
  describe(site);
  const worker = startWorker((arrived, total) => loading.arrived(arrived, total));
  const loaded = worker.load(site, base, wantedEngine()); // first, for the worker answers in order
  const studio = new Studio(worker, site, loaded);
  loaded.then((networks) => ready(networks, studio, worker)).catch(fail);
  return studio;
}

function ready(networks: Loaded, studio: Studio, worker: Workshop): void {
  studio.offer(networks);
  describeEngine(networks);
  loading.done();
  document.body.dataset["ready"] = performance.now().toFixed(0);
  worker.warmUp().catch((error: unknown) => studio.fail(error));
}

/** Say above the page why it cannot start. */
function fail(error: unknown): void {
  loading.failed(error instanceof UserError ? error.message : `The page cannot start: ${messageOf(error)}`);
}

/** The engine that the address asks for, as ?engine=wasm does; else the best one. */
function wantedEngine(): Engine | "auto" {
  const asked = new URLSearchParams(location.search).get("engine");
  return ENGINES.find((engine) => engine === asked) ?? "auto";
}

function describe({ generator, release }: Site): void {
  find("generator", HTMLSpanElement).textContent = `${generator.name} (${generator.resolution} pixels)`;
  find("licence", HTMLSpanElement).textContent = generator.licence;
  find("engine", HTMLParagraphElement).textContent = `latentloop ${release}`;
}

function describeEngine({ engine, threads }: Loaded): void {
  const how = engine === "webgpu" ? "WebGPU" : `WebAssembly, ${threads} thread${threads === 1 ? "" : "s"}`;
  find("engine", HTMLParagraphElement).textContent += ` with ONNX Runtime on ${how}`;
}
