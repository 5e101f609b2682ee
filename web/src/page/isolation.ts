/** The service worker: it keeps the page for use without a connection, and isolates it so that threads can run. */

/** Milliseconds after which the page goes on without it. */
const PATIENCE = 8000;
const TRIED = "latentloop-isolation-tried";

/**
 * Start the service worker, and load the page once more if that is what isolates it.
 *
 * @returns Whether the page can go on; false if it is being loaded again.
 */
export async function isolated(): Promise<boolean> {
  const workers = navigator.serviceWorker as ServiceWorkerContainer | undefined;
  if (!workers) return true; // no https: one thread, and no use without a connection
  const controlled = workers.controller !== null;
  const registered = await workers.register(new URL("service_worker.js", document.baseURI)).catch(() => null);
  if (!registered || crossOriginIsolated || sessionStorage.getItem(TRIED)) return true;
  if (!controlled && !(await tookOver(workers))) return true;
  sessionStorage.setItem(TRIED, "1"); // once: a browser that isolates no page would load it for ever
  location.reload();
  return false;
}

async function tookOver(workers: ServiceWorkerContainer): Promise<boolean> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(workers.controller !== null), PATIENCE);
    workers.addEventListener("controllerchange", () => {
      clearTimeout(timer);
      resolve(true);
    });
  });
}
