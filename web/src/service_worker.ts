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

interface Listed {
  readonly bytes: number;
  readonly sha256: string;
}

interface FileList {
  readonly version: string;
  readonly files: Readonly<Record<string, Listed>>;
}

/** Files of earlier versions by their checksums. */
type Earlier = ReadonlyMap<string, () => Promise<Response | undefined>>;

worker.addEventListener("install", (event) => event.waitUntil(install()));
worker.addEventListener("activate", (event) => event.waitUntil(activate()));
worker.addEventListener("fetch", (event) => {
  const address = new URL(event.request.url);
  if (event.request.method === "GET" && address.href.startsWith(PAGE)) event.respondWith(answer(event));
});

/** Keep the page itself, and take what did not change from an earlier version. */
async function install(): Promise<void> {
  const response = await fetch(LIST, { cache: "no-cache" });
  const list = response.ok ? ((await response.clone().json()) as FileList) : null;
  // While a host gets new files it may have another version's list; the browser tries again at the next visit.
  if (list?.version !== VERSION) throw new Error("site.json is of another version, or missing");
  const cache = await caches.open(CACHE);
  await cache.put(LIST, response);
  const earlier = await earlierFiles();
  await Promise.all(Object.entries(list.files).map(([path, listed]) => keep(cache, path, listed, earlier)));
  await worker.skipWaiting();
}

/** Keep a file: an earlier version's if that is the same, else the host's if it is small. */
async function keep(cache: Cache, path: string, listed: Listed, earlier: Earlier): Promise<void> {
  const kept = await earlier.get(listed.sha256)?.();
  let file = kept ? await checked(kept, listed) : null;
  if (!file && listed.bytes <= SMALL) file = await fetched(path, listed);
  if (file) await cache.put(addressOf(path), file);
}

/** Fetch a file, and once more past all caches if it is not what is listed; throws if it is wrong again. */
async function fetched(path: string, listed: Listed): Promise<Response> {
  for (const cache of ["no-cache", "reload"] as const) {
    const response = await fetch(addressOf(path), { cache });
    const file = response.ok ? await checked(response, listed) : null;
    if (file) return file;
  }
  throw new Error(`${path} is not what site.json lists`);
}

/** Read a response whole; null if its content is not what is listed. */
async function checked(response: Response, { bytes, sha256 }: Listed): Promise<Response | null> {
  const content = await response.arrayBuffer();
  if (content.byteLength !== bytes || (await checksum(content)) !== sha256) return null;
  return new Response(content, { headers: response.headers });
}

/** SHA-256 in hexadecimal. The page has this, too, but this file may import nothing: it is no module. */
async function checksum(content: ArrayBuffer): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", content));
  return [...digest].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Files of earlier versions that are still here, by checksum. */
async function earlierFiles(): Promise<Earlier> {
  const found = new Map<string, () => Promise<Response | undefined>>();
  for (const name of (await caches.keys()).filter((one) => one.startsWith(PREFIX) && one !== CACHE)) {
    const cache = await caches.open(name);
    for (const [path, { sha256 }] of Object.entries(await listedIn(cache))) {
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

/** Answer from what is kept, else from the host, and keep that if it is what is listed. */
async function answer(event: FetchEvent): Promise<Response> {
  const cache = await caches.open(CACHE);
  const asked = event.request.url.replace(/[?#].*$/, "");
  const address = asked === `${PAGE}index.html` ? PAGE : asked;
  const again = event.request.cache === "reload"; // the page got a damaged file
  const kept = again ? undefined : await cache.match(address);
  if (kept) return isolated(kept);
  const [, listed] = Object.entries(await listedIn(cache)).find(([path]) => addressOf(path) === address) ?? [];
  if (!listed) return isolated(await fetch(event.request));
  const response = await fetch(address, { cache: again ? "reload" : "no-cache" });
  if (response.status === 200) event.waitUntil(keepArriving(cache, address, listed, response.clone()));
  return isolated(response);
}

/** Keep a file that the page is being given, once it is there; the page itself asks again for a damaged one. */
async function keepArriving(cache: Cache, address: string, listed: Listed, response: Response): Promise<void> {
  const file = await checked(response, listed).catch(() => null); // the connection broke
  if (file) await cache.put(address, file).catch(() => undefined); // no room is left
}

/** The files that a version lists; none if its list is gone. */
async function listedIn(cache: Cache): Promise<FileList["files"]> {
  const list = (await (await cache.match(LIST))?.json()) as FileList | undefined;
  return list?.files ?? {};
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
