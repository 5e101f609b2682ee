/** The page's entry. */

import { UserError, messageOf } from "../errors";
import { ENGINES, type Engine, type Site, readSite } from "../site";
import type { Loaded } from "../worker/protocol";
import { find } from "./elements";
import { isolated } from "./isolation";
import { Loading } from "./loading";
import { listenForPhotos } from "./opening";
import { Studio } from "./studio";
import { startWorker } from "./worker_client";

const loading = new Loading();
if (await isolated()) {
  await start().catch((error: unknown) => {
    loading.failed(error instanceof UserError ? error.message : `The page cannot start: ${messageOf(error)}`);
  });
}

/** Load the networks; photos that come before them wait. */
async function start(): Promise<void> {
  const base = document.baseURI;
  const site = await readSite(base);
  describe(site);
  const worker = startWorker((arrived, total) => loading.arrived(arrived, total));
  const studio = worker.load(site, base, wantedEngine()).then((loaded) => {
    describeEngine(loaded);
    return new Studio(worker, site, loaded);
  });
  studio.catch(() => undefined); // told below
  listenForPhotos(
    (file, name) => void studio.then((ready) => ready.open(file, name)),
    (error) => void studio.then((ready) => ready.fail(error)),
  );
  await studio;
  loading.done();
  document.body.dataset["ready"] = performance.now().toFixed(0);
  await worker.warmUp();
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
