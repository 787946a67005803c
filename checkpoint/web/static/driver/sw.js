// Keeps the pass at hand with no network. Law: fresh when there is a line, what was last seen when there is none; only this
// phone's own pages are kept, and all of them go when the phone is no longer bound.

const CACHE = "driver-1";
const SHELL = [
  "/driver",
  "/driver/sheet",
  "/driver/manifest.webmanifest",
  "/static/tokens.css",
  "/static/icon.svg",
  "/static/web/driver/driver.css",
  "/static/web/driver/driver.js",
  "/static/web/driver/chain.js",
  "/static/web/driver/clock.js",
  "/static/web/driver/code.js",
  "/static/web/driver/positions.js",
  "/static/web/driver/queue.js",
  "/static/vendor/@noble/hashes/sha2.js",
  "/static/vendor/@noble/hashes/_md.js",
  "/static/vendor/@noble/hashes/_u64.js",
  "/static/vendor/@noble/hashes/utils.js",
  "/static/vendor/lean-qr/index.mjs",
];
const PATIENCE_MS = 4000; // a line that is up but dead must not keep a driver waiting at a gate

self.addEventListener("install", (event) => {
  event.waitUntil(caches.open(CACHE).then((cache) => cache.addAll(SHELL)).then(() => self.skipWaiting()));
});

self.addEventListener("activate", (event) => {
  event.waitUntil((async () => {
    for (const name of await caches.keys()) if (name !== CACHE) await caches.delete(name);
    await self.clients.claim();
  })());
});

self.addEventListener("fetch", (event) => {
  const url = new URL(event.request.url);
  if (event.request.method !== "GET" || url.origin !== location.origin) return;
  if (SHELL.includes(url.pathname) || url.pathname === "/driver/card") event.respondWith(answer(event.request, url));
});

async function answer(request, url) {
  const cache = await caches.open(CACHE);
  const kept = () => cache.match(url.pathname, { ignoreVary: true });
  const fresh = fetch(request).then(async (response) => {
    if (response.status === 401 || response.status === 403) await caches.delete(CACHE);
    else if (response.ok && !response.redirected) await cache.put(url.pathname, response.clone());
    return response;
  });
  const late = new Promise((resolve) => setTimeout(resolve, PATIENCE_MS));
  try {
    const first = await Promise.race([fresh, late]);
    return first ?? (await kept()) ?? (await fresh);
  } catch (error) {
    fresh.catch(() => {});
    const found = await kept();
    if (found) return found;
    throw error;
  }
}
