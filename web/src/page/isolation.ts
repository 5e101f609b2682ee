/** The service worker: it keeps the page for use without a connection, and isolates it so that threads can run. */

/** Milliseconds after which the page goes on without it. */
const PATIENCE = 8000;
/** When the page was loaded once more, and milliseconds after which it may be again. */
const AGAIN = 60_000;
const TRIED = "latentloop-isolation-tried";

/**
 * Start the service worker, and load the page once more if that is what isolates it.
 *
 * @returns Whether the page can go on; false if it is being loaded again.
 */
export async function isolated(): Promise<boolean> {
  try {
    return !(await willBeLoadedAgain());
  } catch {
    return true; // the browser refuses service workers or storage: one thread, and no use without a connection
  }
}

async function willBeLoadedAgain(): Promise<boolean> {
  const workers = navigator.serviceWorker as ServiceWorkerContainer | undefined;
  if (!workers) return false; // no https
  const controlled = workers.controller !== null;
  const registered = await workers.register(new URL("service_worker.js", document.baseURI));
  if (crossOriginIsolated || Date.now() - Number(sessionStorage.getItem(TRIED)) < AGAIN) return false;
  // Loaded past all caches, the page is not controlled by a worker that is there.
  if (!controlled && !registered.active && !(await tookOver(workers, registered))) return false;
  // Not at once again: a browser that isolates no page would load it for ever.
  sessionStorage.setItem(TRIED, String(Date.now()));
  location.reload();
  return true;
}

/** Wait until the service worker answers for this page; false if it does not, as where files of the site are missing. */
async function tookOver(workers: ServiceWorkerContainer, { installing }: ServiceWorkerRegistration): Promise<boolean> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(false), PATIENCE);
    const end = (took: boolean): void => {
      clearTimeout(timer);
      resolve(took);
    };
    workers.addEventListener("controllerchange", () => end(true));
    installing?.addEventListener("statechange", () => {
      if (installing.state === "redundant") end(false);
    });
  });
}
