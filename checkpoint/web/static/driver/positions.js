// Sharing this phone's position, when the driver agrees. Law: nothing is asked of the phone before the driver says yes, a no
// is kept as well as a yes, and the line below the switch says what is really happening: sent when, how many wait, or why not.

import * as queue from "./queue.js";
import { now } from "./clock.js";

const KEY = "positions:agreed";
const BATCH = 100;
const EVERY_MS = 30_000; // a fix at least so often while the phone moves; the truck's loop is judged in minutes
const NEAR_M = 60; // ... or when it has moved so far
const RETRY_MS = 15_000;

const switch_ = document.querySelector("#share");
const line = document.querySelector("#share-state");
let watching = null;
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
  // The receiver's own time of the fix, put right by what is known of this phone's clock.
  const fixedMs = Math.min(position.timestamp + (now() - Date.now()), now());
  const fix = { fixed_at: new Date(fixedMs).toISOString(), lat: coords.latitude, lon: coords.longitude };
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
  watching = navigator.geolocation.watchPosition(took, refused, { enableHighAccuracy: true, maximumAge: 10_000, timeout: 60_000 });
  tell();
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
  addEventListener("online", send);
  setInterval(send, RETRY_MS);
  send();
}
