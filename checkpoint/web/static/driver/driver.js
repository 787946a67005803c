// The driver's page: the live code, the screen kept awake, the card kept fresh, and the truth about line and clock.

import { bytesOf, Chain, liveText } from "./chain.js";
import * as clock from "./clock.js";
import { draw } from "./code.js";
import * as positions from "./positions.js";

const FRESH_MS = 30_000;
const pass = document.querySelector("#pass");
const canvas = document.querySelector("#code");
const bar = document.querySelector("#step");
const notice = document.querySelector("#pass-notice");
const line = document.querySelector("#line");

const { sealed, seed, anchor, prefix } = pass.dataset;
const steps = Number(pass.dataset.steps);
const stepMs = Number(pass.dataset.stepS) * 1000;
const beginsMs = Number(pass.dataset.begins) * 1000;
const sealedBytes = bytesOf(sealed);

let chain = null;
let drawn = null;
let awake = null;
let seenMs = null;

function store() {
  try {
    return window.localStorage;
  } catch {
    return null;
  }
}

function showPass(force = false) {
  const nowMs = clock.now();
  const step = Math.floor((nowMs - beginsMs) / stepMs);
  const value = chain?.at(step) ?? null;
  const state = chain === null ? "broken" : nowMs < beginsMs ? "early" : value === null ? "over" : "live";
  if (pass.dataset.state !== state) {
    pass.dataset.state = state;
    notice.textContent = state === "live" ? "" : notice.dataset[state];
    notice.hidden = state === "live";
  }
  if (state !== "live") return;
  const share = ((nowMs - beginsMs) % stepMs) / stepMs;
  bar.style.setProperty("--share", (1 - share).toFixed(3));
  const width = canvas.parentElement.clientWidth;
  const wanted = `${step}:${width}:${window.devicePixelRatio}`;
  if (wanted === drawn && !force) return;
  draw(canvas, liveText(prefix, sealedBytes, step, value), width);
  canvas.dataset.step = String(step);
  drawn = wanted;
}

async function keepAwake() {
  if (!("wakeLock" in navigator) || document.visibilityState !== "visible" || awake !== null) return;
  try {
    awake = await navigator.wakeLock.request("screen");
    awake.addEventListener("release", () => (awake = null));
  } catch {
    awake = null; // a phone that saves its battery may say no; the pass stays readable, the screen just sleeps
  }
}

function fill(text, values) {
  return Object.entries(values).reduce((done, [key, value]) => done.replace(`{${key}}`, value), text);
}

function showLine(online) {
  const at = seenMs === null ? "" : new Date(seenMs).toLocaleTimeString(document.documentElement.lang, { hour: "2-digit", minute: "2-digit", hourCycle: "h23", timeZone: line.dataset.zone });
  line.dataset.state = online ? "online" : "offline";
  line.querySelector("span").textContent = online ? line.dataset.online : at ? fill(line.dataset.offline, { at }) : line.dataset.offlineNever;
  const skew = clock.skewMinutes();
  const slow = document.querySelector("#skew");
  slow.hidden = !skew;
  if (skew) slow.textContent = fill(skew > 0 ? slow.dataset.slow : slow.dataset.fast, { minutes: Math.abs(skew) });
}

/** Ask for the card anew. What the service worker kept is recognised by its time: it teaches the clock nothing. */
async function refresh() {
  const card = document.querySelector("#card");
  const sentMs = Date.now();
  try {
    const answer = await fetch("/driver/card", { headers: { "X-Asked-At": String(sentMs) } });
    if (answer.status === 401 || answer.status === 403) {
      location.reload();
      return;
    }
    if (!answer.ok) throw new Error(String(answer.status));
    const fresh = answer.headers.get("X-Asked-At") === String(sentMs);
    const open = new Set([...card.querySelectorAll("details[open]")].map((d) => d.id));
    // Words under way, and the answer to words just sent, are not swept off the page.
    const busy = [...card.querySelectorAll("textarea, .outcome")].some((e) => e.value || e.textContent || e === document.activeElement);
    if (!busy) {
      card.innerHTML = await answer.text();
      for (const id of open) document.getElementById(id)?.setAttribute("open", "");
    }
    const serverMs = Number(answer.headers.get("X-Server-Time"));
    if (fresh) clock.learn(serverMs, sentMs, Date.now());
    showPass();
    seenMs = serverMs || seenMs;
    showLine(fresh);
  } catch {
    showLine(false);
  }
}

/** Send a form without leaving the page; without a line say so and keep the words. The form's key makes a repeat harmless. */
async function sendForm(event) {
  const form = event.target.closest("form[data-send]");
  if (!form) return;
  event.preventDefault();
  const button = form.querySelector("button");
  const outcome = form.querySelector(".outcome");
  button.disabled = true;
  try {
    const answer = await fetch(form.action, { method: "POST", body: new URLSearchParams(new FormData(form)) });
    const said = await answer.json();
    outcome.textContent = answer.ok ? said.said : said.detail;
    if (answer.ok) {
      form.querySelector("textarea").value = "";
      form.elements.key.value = Array.from(crypto.getRandomValues(new Uint8Array(8)), (b) => b.toString(16)).join("");
    }
  } catch {
    outcome.textContent = form.dataset.unsent;
  } finally {
    button.disabled = false;
  }
}

async function keepOffline() {
  const kept = document.querySelector("#kept");
  if (!("serviceWorker" in navigator)) {
    kept.textContent = kept.dataset.no;
    return;
  }
  try {
    await navigator.serviceWorker.register("/driver/sw.js", { scope: "/driver" });
    await navigator.serviceWorker.ready;
    document.documentElement.dataset.kept = "yes";
    kept.textContent = kept.dataset.yes;
  } catch {
    kept.textContent = kept.dataset.no;
  }
}

clock.recall();
try {
  chain = new Chain(seed, anchor, steps, store());
} catch (error) {
  console.error(error);
}
showPass();
setInterval(showPass, 1000);
addEventListener("resize", () => showPass(true));
document.addEventListener("visibilitychange", () => {
  keepAwake();
  if (document.visibilityState === "visible") refresh();
});
addEventListener("pointerdown", keepAwake);
document.addEventListener("submit", sendForm);
addEventListener("online", refresh);
addEventListener("offline", () => showLine(false));
keepAwake();
refresh();
setInterval(refresh, FRESH_MS);
positions.begin();
keepOffline();
