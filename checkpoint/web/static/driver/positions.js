// Sharing this phone's position, when the driver agrees. Law: nothing is asked of the phone before the driver says yes, a no
// is kept as well as a yes, and the line below the switch says what is really happening: sent when, how many wait, or why not.
// A fix keeps the pass it was taken under: the truck of another pass is another truck.

import * as queue from "./queue.js";
import { now } from "./clock.js";

const KEY = "positions:agreed";
const BATCH = 100;
const EVERY_MS = 15_000; // a fix so often: a departure is seen within a minute
const NEAR_M = 60; // ... or when it has moved so far
const RETRY_MS = 15_000;
const PATIENCE_MS = 20_000; // a line that is up but dead must not hold up what comes after it
const QUIET_MS = 60_000; // a watch that said nothing for so long may have been put to sleep with the page

const switch_ = document.querySelector("#share");
const line = document.querySelector("#share-state");
let watching = null;
let heardMs = 0;
let last = null;
let sentAt = null;
let trouble = "";
let sending = false;

function words(name, values = {}) {
  let text = line.dataset[name] ?? "";
  for (const [key, value] of Object.entries(values)) text = text.replace(`{${key}}`, value);
  return text;
}

function clockTime(ms) {
  return new Date(ms).toLocaleTimeString(document.documentElement.lang, { hour: "2-digit", minute: "2-digit", hourCycle: "h23", timeZone: line.dataset.zone });
}

async function tell() {
  let count = 0;
  try {
    count = await queue.waiting();
  } catch {
    trouble = "noStore";
  }
  const parts = [];
  if (trouble) parts.push(words(trouble));
  else if (watching === null) parts.push(words("off"));
  else if (last === null) parts.push(words("searching"));
  else parts.push(words("on", { accuracy: Math.round(last.accuracy_m ?? 0) }));
  if (sentAt !== null) parts.push(words("sent", { at: clockTime(sentAt) }));
  if (count) parts.push(words("waiting", { count }));
  line.textContent = parts.join(" ");
  line.classList.toggle("is-bad", Boolean(trouble));
  line.classList.toggle("is-good", !trouble && watching !== null && sentAt !== null && !count);
}

function metres(a, b) {
  const k = Math.PI / 180, r = 6371000;
  const x = (b.lon - a.lon) * k * Math.cos(((a.lat + b.lat) / 2) * k), y = (b.lat - a.lat) * k;
  return Math.hypot(x, y) * r;
}

async function took(position) {
  const { coords } = position;
  heardMs = Date.now();
  // The receiver's own time of the fix, put right by what is known of this phone's clock.
  const fixedMs = Math.min(position.timestamp + (now() - Date.now()), now());
  const fix = { fixed_at: new Date(fixedMs).toISOString(), lat: coords.latitude, lon: coords.longitude, pass_id: line.dataset.pass };
  if (coords.accuracy != null) fix.accuracy_m = coords.accuracy;
  if (coords.speed != null && coords.speed >= 0) fix.speed_kmh = coords.speed * 3.6;
  if (coords.heading != null && !Number.isNaN(coords.heading)) fix.course_deg = coords.heading;
  if (coords.altitude != null) fix.altitude_m = coords.altitude;
  trouble = "";
  if (last !== null && fixedMs - last.ms < EVERY_MS && metres(last, fix) < NEAR_M) return tell();
  last = { ...fix, ms: fixedMs };
  try {
    await queue.keep(fix);
  } catch {
    trouble = "noStore";
  }
  await send();
}

function refused(error) {
  trouble = error.code === error.PERMISSION_DENIED ? "denied" : "noFix";
  if (error.code === error.PERMISSION_DENIED) stop();
  tell();
}

/** Send what waits, oldest first, a batch at a time; what the server did not answer for is kept. */
export async function send() {
  if (sending) return;
  sending = true;
  try {
    for (;;) {
      const batch = await queue.oldest(BATCH);
      if (!batch.length) break;
      const answer = await fetch("/driver/positions", {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify({ fixes: batch.map((kept) => kept.fix) }),
        signal: AbortSignal.timeout(PATIENCE_MS),
      });
      if (answer.status === 401 || answer.status === 403) {
        trouble = "notBound";
        break;
      }
      if (!answer.ok) break;
      await queue.forget(batch.at(-1).number);
      sentAt = now();
    }
  } catch {
    // No network: everything stays where it is, and the line below says how many wait.
  } finally {
    sending = false;
    tell();
  }
}

function start() {
  if (watching !== null) return;
  if (!("geolocation" in navigator) || !window.isSecureContext) {
    trouble = "notHere";
    switch_.checked = false;
    tell();
    return;
  }
  heardMs = Date.now();
  watching = navigator.geolocation.watchPosition(took, refused, { enableHighAccuracy: true, maximumAge: 10_000, timeout: 60_000 });
  tell();
}

/** Phones put the watch of a page to sleep that is not looked at, and some never wake it. */
function woken() {
  if (document.visibilityState !== "visible") return;
  if (watching !== null && Date.now() - heardMs > QUIET_MS) {
    navigator.geolocation.clearWatch(watching);
    watching = null;
    start();
  }
  send();
}

/** Whoever allows the position in the phone's settings need not find the switch again. */
async function allowed() {
  try {
    const permission = await navigator.permissions.query({ name: "geolocation" });
    permission.addEventListener("change", () => {
      if (permission.state !== "granted" || localStorage.getItem(KEY) !== "yes" || watching !== null) return;
      trouble = "";
      switch_.checked = true;
      start();
    });
  } catch {
    // The switch is there for them.
  }
}

function stop() {
  if (watching !== null) navigator.geolocation.clearWatch(watching);
  watching = null;
  last = null;
  switch_.checked = false;
}

/** Set the switch as the driver left it, and begin. */
export function begin() {
  switch_.addEventListener("change", () => {
    localStorage.setItem(KEY, switch_.checked ? "yes" : "no");
    trouble = "";
    if (switch_.checked) {
      navigator.storage?.persist?.();
      start();
    } else {
      stop();
      send();
    }
    tell();
  });
  if (localStorage.getItem(KEY) === "yes") {
    switch_.checked = true;
    start();
  }
  allowed();
  addEventListener("online", send);
  document.addEventListener("visibilitychange", woken);
  setInterval(send, RETRY_MS);
  send();
}
