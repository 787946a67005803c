// The page's one job: show what the desk says, and bring it what is scanned and pressed.
// Law: nothing is decided here. Every answer carries the whole screen; what was half typed survives its coming.

import { sound } from "/static/verdict.js";
import { startCamera, tubeWanted } from "/static/kiosk/camera.js";
import { listen } from "/static/kiosk/wedge.js";

const screen = document.getElementById("screen");
const strip = document.getElementById("strip");
const stage = document.getElementById("stage");
const toast = document.getElementById("toast");
let known = screen.dataset.known;
let sounded = Number(screen.dataset.sounded);
let shown = "";
let away = 0;

// -- what the desk says ---------------------------------------------------------------------------------------------

/** Put an answer of the desk on the page. */
function show(told) {
  if (told.strip !== undefined && strip.dataset.shown !== told.strip) {
    keepingFocus(strip, () => { strip.innerHTML = told.strip; });
    strip.dataset.shown = told.strip;
  }
  // The desk looks again at every frame; what says the same stays as it is, under the finger that is about to press it.
  if (told.screen !== undefined && shown !== told.screen) {
    shown = told.screen;
    const typed = remembered();
    keepingFocus(screen, () => { screen.innerHTML = told.screen; });
    recall(typed);
    count();
  }
  if (told.known !== undefined) known = told.known;
  if (told.state !== undefined) {
    const fresh = told.sounded > sounded;
    if (stage.dataset.state !== told.state || fresh) scrollTo({ top: 0 });
    stage.dataset.state = told.state;
    stage.dataset.word = told.word;
    if (fresh && told.word) sound(told.word);
    sounded = told.sounded;
  }
}

/** What was opened and typed in sheets and forms, by their keys, so that a new screen does not take it away. */
function remembered() {
  return [...screen.querySelectorAll("details[open][data-key], form[data-key]")].map((sheet) => ({
    key: sheet.dataset.key,
    values: [...sheet.querySelectorAll("input:not([type=hidden]), select")].map((field) =>
      field.type === "checkbox" ? field.checked : field.value),
  }));
}

function recall(typed) {
  for (const { key, values } of typed) {
    const sheet = screen.querySelector(`[data-key="${CSS.escape(key)}"]`);
    if (!sheet) continue;
    if (sheet.tagName === "DETAILS") sheet.open = true;
    [...sheet.querySelectorAll("input:not([type=hidden]), select")].forEach((field, i) => {
      if (field.type === "checkbox") field.checked = values[i] ?? field.checked;
      else if (values[i]) field.value = values[i];
    });
  }
}

/** Change a part of the page and leave the focus where it was, as far as its place is still there. */
function keepingFocus(part, change) {
  const focused = part.contains(document.activeElement) ? place(document.activeElement, part) : null;
  change();
  if (focused) find(focused, part)?.focus({ preventScroll: true });
}

function place(element, part) {
  const form = element.closest("[data-do]") ?? element.closest("[data-key]") ?? part;
  return {
    do: form.dataset?.do, key: element.closest("[data-key]")?.dataset.key, id: element.id, name: element.name,
    post: element.dataset.post, tag: element.tagName,
  };
}

function find(was, part) {
  if (was.id) return document.getElementById(was.id);
  if (was.post) return part.querySelector(`[data-post="${was.post}"]`);
  const box = (was.key && part.querySelector(`[data-key="${CSS.escape(was.key)}"]`)) || part;
  const form = (was.do && box.querySelector(`[data-do="${was.do}"]`)) || box;
  return (was.name && form.querySelector(`[name="${was.name}"]`)) || form.querySelector(was.tag);
}

/** Say one sentence that is no part of the screen. */
function say(text) {
  toast.textContent = text;
  toast.hidden = !text;
  clearTimeout(say.timer);
  if (text) say.timer = setTimeout(() => { toast.hidden = true; }, 8000);
}

// -- what goes to the desk ------------------------------------------------------------------------------------------

/** Send something; shows the answer and returns it, or null when the desk was not reached. */
export async function send(path, body, type = "application/json") {
  let response;
  try {
    const joint = path.includes("?") ? "&" : "?";
    response = await fetch(`${path}${joint}known=${encodeURIComponent(known)}`, body === undefined ? {} : {
      method: "POST", body, headers: { "Content-Type": type },
    });
  } catch {
    away += 1;
    if (away > 2) say(document.getElementById("camera-says").dataset.away);
    return null;
  }
  if (away > 2) say("");
  away = 0;
  if (response.status === 204) return {};
  const told = await response.json().catch(() => ({}));
  if (told.refused) say(told.refused);
  else show(told);
  return told;
}

const post = (path, value) => send(path, JSON.stringify(value ?? {}));

/** A form's fields as the desk wants them. */
function deedOf(form) {
  const deed = { do: form.dataset.do };
  for (const field of form.elements) {
    if (!field.name || field.disabled) continue;
    if ("list" in field.dataset) {
      deed[field.name] ??= [];
      if (field.type === "checkbox" ? field.checked : checkedWith(form, field)) deed[field.name].push(field.value);
    } else if ("boolean" in field.dataset) deed[field.name] = field.checked;
    else if (field.value === "true" || field.value === "false") deed[field.name] = field.value === "true";
    else if ("number" in field.dataset) deed[field.name] = Number(field.value);
    else deed[field.name] = field.value;
  }
  return deed;
}

function checkedWith(form, field) {
  return form.querySelector(`input[value="${CSS.escape(field.dataset.with)}"]`)?.checked;
}

addEventListener("submit", async (event) => {
  const form = event.target;
  event.preventDefault();
  if (form.dataset.do) {
    const told = await post("/do", deedOf(form));
    const sheet = form.closest("details");
    if (told?.done && sheet) screen.querySelector(`details[data-key="${CSS.escape(sheet.dataset.key)}"]`)?.removeAttribute("open");
  } else if (form.id === "sign-on") {
    const told = await post("/sign-on", { staff: form.staff.value, pin: form.pin.value });
    if (told && !told.done) document.getElementById("pin").value = "";
  } else if (form.id === "number") {
    const told = await post("/scan/number", { text: form.text.value });
    if (told?.state === "verdict") form.reset();
  } else if (form.id === "enrol") {
    await post("/enrol", { server: form.server.value, token: form.token.value.trim() });
  }
});

/** The token field of a kiosk that waits to be enrolled. */
function enrolling() {
  return document.getElementById("enrol-token");
}

/** Fill server and token in; pressing is left to the person, who sees there which server it is. */
function enrolWith(read) {
  if (!read || !enrolling()) return;
  if (read.server) document.getElementById("enrol-server").value = read.server;
  enrolling().value = read.token;
  say("");
  document.querySelector("#enrol button")?.focus();
}

addEventListener("click", (event) => {
  const button = event.target.closest("[data-post]");
  if (button) post(button.dataset.post);
});

document.getElementById("photo").addEventListener("change", async (event) => {
  const [photo] = event.target.files;
  event.target.value = "";
  if (photo) await scanned("/scan/photo", photo, photo.type || "image/jpeg");
});

/** Bring a picture to the desk: a pass or a badge, a tube's number while one is asked for, an enrolment's code before all. */
async function scanned(path, picture, type) {
  const field = tubeWanted();
  const told = await send(field ? `${path}?for=tube` : path, picture, type);
  if (field && told?.tube) fill(field, told.tube);
  if (told?.enrol && enrolling()?.value !== told.enrol.token) enrolWith(told.enrol);
  return told;
}

function fill(field, number) {
  if (field.value === number) return;
  field.value = number;
  field.dispatchEvent(new Event("input", { bubbles: true }));
  field.classList.add("filled");
}

// -- scanners, camera, clock ----------------------------------------------------------------------------------------

listen((text) => {
  const field = tubeWanted();
  const ours = text.startsWith("CP1") || text.startsWith("CB1");
  if (field && !ours) fill(field, text);
  else if (enrolling() && !ours) post("/enrol/read", { text }).then((told) => enrolWith(told?.enrol));
  else post("/scan/text", { text });
});

startCamera((frame) => scanned("/scan/frame", frame, "image/jpeg"));

/** The antigen timers: seconds to wait, then seconds left to read, then too late. */
function count() {
  const skew = Number(strip.dataset.skew ?? 0);
  for (const timer of screen.querySelectorAll(".timer")) {
    const age = Date.now() / 1000 + skew - Number(timer.dataset.taken);
    const after = Number(timer.dataset.after), before = Number(timer.dataset.before);
    const line = timer.querySelector(".count");
    const state = age < after ? "wait" : age <= before ? "read" : "late";
    const left = state === "wait" ? after - age : state === "read" ? before - age : age - before;
    const minutes = Math.floor(left / 60), seconds = String(Math.floor(left % 60)).padStart(2, "0");
    line.textContent = `${line.dataset[state]} ${minutes}:${seconds}`;
    timer.dataset.state = state;
  }
}

/** The desk's clock is the one that counts, also when it is hurried or not this browser's. */
function setSkew() {
  const at = strip.querySelector(".where time")?.getAttribute("datetime");
  if (at) strip.dataset.skew = String(Date.parse(at) / 1000 - Date.now() / 1000);
}

setInterval(count, 500);
setInterval(async () => { await send("/screen"); setSkew(); }, 1000);
setSkew();
count();
