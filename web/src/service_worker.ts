/**
 * The service worker: keeps the site for use without a connection, and isolates the page from others.
 *
 * Threads of WebAssembly need an isolated page (COOP and COEP headers). The headers are added here, so that any host of
 * plain files will do.
 */

/** The site's version, which `latentloop export web` writes here: another version is another service worker. */
const VERSION = "latentloop-site-version";

const worker = self as unknown as ServiceWorkerGlobalScope;
const PREFIX = `latentloop ${worker.registration.scope} `;
const CACHE = PREFIX + VERSION;
const LIST = new URL("site.json", worker.registration.scope).href;
const PAGE = new URL("./", worker.registration.scope).href;
/** Files up to this many bytes are kept at once; the networks come with their first use, which shows how far it is. */
const SMALL = 1 << 20;

/** What scripts of the site may do: ask this host alone, so that nothing can leave the computer. Workers take it, too. */
const POLICY = [
  "default-src 'none'",
  "script-src 'self' 'wasm-unsafe-eval'",
  "worker-src 'self'",
  "connect-src 'self'",
  "img-src 'self' data: blob:",
  "style-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
].join("; ");

interface FileList {
  readonly files: Readonly<Record<string, { readonly bytes: number; readonly sha256: string }>>;
}

worker.addEventListener("install", (event) => event.waitUntil(install()));
worker.addEventListener("activate", (event) => event.waitUntil(activate()));
worker.addEventListener("fetch", (event) => {
  const address = new URL(event.request.url);
  if (event.request.method === "GET" && address.href.startsWith(PAGE)) event.respondWith(answer(event));
});

/** Keep the page itself, and take what did not change from an earlier version. */
async function install(): Promise<void> {
  const cache = await caches.open(CACHE);
  const list = await fetch(LIST, { cache: "no-cache" });
  await cache.put(LIST, list.clone());
  const { files } = (await list.json()) as FileList;
  const earlier = await earlierFiles();
  const wanted = Object.entries(files).map(async ([path, { bytes, sha256 }]) => {
    const kept = await earlier.get(sha256)?.();
    if (kept) return cache.put(addressOf(path), kept);
    return bytes <= SMALL ? keep(cache, path) : undefined;
  });
  await Promise.all(wanted);
  await worker.skipWaiting();
}

async function keep(cache: Cache, path: string): Promise<void> {
  const response = await fetch(addressOf(path), { cache: "no-cache" });
  if (!response.ok) throw new Error(`${path}: ${response.status}`);
  await cache.put(addressOf(path), response);
}

/** Files of earlier versions that are still here, by checksum. */
async function earlierFiles(): Promise<Map<string, () => Promise<Response | undefined>>> {
  const found = new Map<string, () => Promise<Response | undefined>>();
  for (const name of (await caches.keys()).filter((one) => one.startsWith(PREFIX) && one !== CACHE)) {
    const cache = await caches.open(name);
    const list = (await (await cache.match(LIST))?.json()) as FileList | undefined;
    for (const [path, { sha256 }] of Object.entries(list?.files ?? {})) {
      found.set(sha256, () => cache.match(addressOf(path)));
    }
  }
  return found;
}

/** Forget earlier versions, and take over the pages that are open. */
async function activate(): Promise<void> {
  const old = (await caches.keys()).filter((name) => name.startsWith(PREFIX) && name !== CACHE);
  await Promise.all(old.map((name) => caches.delete(name)));
  await worker.clients.claim();
}

/** Answer from what is kept, else from the host, and keep that. */
async function answer(event: FetchEvent): Promise<Response> {
  const cache = await caches.open(CACHE);
  const address = event.request.url.replace(/[?#].*$/, "");
  const kept = await cache.match(address === `${PAGE}index.html` ? PAGE : address);
  if (kept) return isolated(kept);
  const response = await fetch(event.request);
  if (response.ok && response.status === 200 && (await isListed(cache, event.request.url))) {
    event.waitUntil(cache.put(new URL(event.request.url), response.clone()).catch(() => undefined)); // no room is left
  }
  return isolated(response);
}

async function isListed(cache: Cache, url: string): Promise<boolean> {
  const list = (await (await cache.match(LIST))?.json()) as FileList | undefined;
  return Object.keys(list?.files ?? {}).some((path) => addressOf(path) === url);
}

/** Address of a file of the site; the page's own is the folder's. */
function addressOf(path: string): string {
  return path === "index.html" ? PAGE : new URL(path, PAGE).href;
}

/** A response with the headers that isolate the page, and bind its scripts. */
function isolated(response: Response): Response {
  if (response.type === "opaque" || response.type === "opaqueredirect") return response;
  const headers = new Headers(response.headers);
  headers.set("Cross-Origin-Opener-Policy", "same-origin");
  headers.set("Cross-Origin-Embedder-Policy", "require-corp");
  headers.set("Cross-Origin-Resource-Policy", "same-origin");
  headers.set("Content-Security-Policy", POLICY);
  const { status, statusText } = response;
  return new Response(response.body, { headers, status, statusText });
}
