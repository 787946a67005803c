// A journey played back. Law: one moment, one way to show it; the slider is the only place where the moment is kept. What the map and
// the ladder show is said in words beside them. Nothing is made up between two positions: in a gap the truck stays where it was
// last seen, and that it is a gap is said.

const FRAME = { at: 0, known: 1, lon: 2, lat: 3, state: 4, gap: 5, leg: 6, percent: 7, height: 8, station: 9, device: 10, speed: 11, then: 12 };
const SVG = "http://www.w3.org/2000/svg";
const player = document.getElementById("player");
const slider = document.getElementById("when");
const byId = (name) => document.getElementById(name);

const plan = await (await fetch(player.dataset.source)).json();
const told = plan.moments;
const frames = told.frames;
let map = null;

const clock = new Intl.DateTimeFormat(told.lang === "zh" ? "zh-CN" : "en-GB", {
  timeZone: told.zone, month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23",
});
const time = (at) => clock.format(new Date(at * 1000));
const fill = (name, values) => told.words[name].replace(/\{(\w+)\}/g, (all, key) => values[key] ?? all);

function span(seconds) {
  const minutes = Math.floor(seconds / 60);
  if (minutes < 1) return fill("seconds", { n: Math.floor(seconds) });
  if (minutes < 60) return fill("minutes", { n: minutes });
  const rest = minutes % 60;
  return fill("hours", { n: Math.floor(minutes / 60) }) + (rest ? ` ${fill("minutes", { n: rest })}` : "");
}

const then = () => document.querySelector("[name=known]:checked").value === "then";

// The newest position at a moment: by when it was taken, or, of what was known then, among those that had come.
function frameAt(at) {
  let low = 0;
  let high = frames.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (frames[middle][FRAME.at] <= at) low = middle + 1;
    else high = middle;
  }
  let i = low - 1;
  if (then()) while (i >= 0 && frames[i][FRAME.known] > at) i -= 1;
  return i;
}

// Whether the moment lies in a gap: the next position comes only after one.
function inGap(i, at) {
  const next = frames[i + 1];
  return at > frames[i][FRAME.at] && (next ? next[FRAME.gap] === 1 : at - frames[i][FRAME.at] > 120);
}

function openAt(warning, at) {
  if (then()) return warning.said_at <= at && (warning.over_at === null || at < warning.over_at);
  return !warning.withdrawn && warning.since <= at && (warning.until === null || at < warning.until);
}

function colourAt(warning, at) {
  const known = warning.colours.filter(([since]) => since <= at);
  return known.length ? known[known.length - 1] : warning.colours[then() ? 0 : warning.colours.length - 1];
}

const ladder = document.querySelector("#ladder svg");
const still = document.querySelector("#map-still svg");

function marker(within) {
  if (!within) return null;
  const group = document.createElementNS(SVG, "g");
  const circle = document.createElementNS(SVG, "circle");
  circle.setAttribute("r", "8");
  group.append(circle);
  group.setAttribute("class", "moment-mark");
  within.append(group);
  return group;
}

const onLadder = marker(ladder);
const onStill = marker(still);

// The still map's projection, as the server drew it: its middle, pixels per degree, half its size.
function projected(lon, lat) {
  const [x, y, kx, ky, right, down] = told.still;
  return [right + (lon - x) * kx, down - (lat - y) * ky];
}

function mark(group, x, y, state) {
  if (!group) return;
  group.toggleAttribute("hidden", x === null);
  group.style.display = x === null ? "none" : "";
  if (x === null) return;
  group.setAttribute("class", `moment-mark is-${state}`);
  group.setAttribute("transform", `translate(${x} ${y})`);
}

function put(name, text) {
  const element = byId(name);
  if (element.textContent !== text) element.textContent = text;
}

function show() {
  const at = Number(slider.value);
  put("said-when", time(at));
  slider.setAttribute("aria-valuetext", time(at));
  const i = frameAt(at);
  const frame = i >= 0 ? frames[i] : null;
  const gap = frame && inGap(i, at);
  const state = frame ? told.order[frame[then() ? FRAME.then : FRAME.state]] : "unknown";
  const shown = gap ? "gap" : state;
  byId("m-state").parentElement.className = `now-state is-${shown}`;
  put("m-state", frame ? (gap ? fill("gap", { time: time(frame[FRAME.at]), span: span(at - frame[FRAME.at]) }) : told.states[state]) : told.words["no-position"]);
  put("m-place", frame ? place(frame) : "—");
  put("m-heard", frame ? `${time(frame[FRAME.at])} (${span(Math.max(0, at - frame[FRAME.at]))})` : "—");
  put("m-device", frame ? told.devices[frame[FRAME.device]] : "—");
  const verdict = told.verdicts.filter((v) => v.at <= at && (!then() || v.known_at <= at)).pop();
  put("m-verdict", verdict ? `${verdict.word} · ${verdict.station} · ${time(verdict.at)}${verdict.said ? ` · ${verdict.said}` : ""}` : "—");
  warnings(at);
  mark(onLadder, frame && frame[FRAME.height] !== null ? told.rails[frame[FRAME.leg]] : null, frame?.[FRAME.height], shown);
  const [x, y] = frame ? projected(frame[FRAME.lon], frame[FRAME.lat]) : [null, null];
  mark(onStill, x, y, shown);
  map?.show(frame ? [{ plate: told.plate, state: gap ? "silent" : "driving", said: byId("m-state").textContent, colour: worst(at), at: [frame[FRAME.lon], frame[FRAME.lat]] }] : []);
  if (frame) map?.keepInSight([frame[FRAME.lon], frame[FRAME.lat]]);
}

function place(frame) {
  const words = [];
  if (frame[FRAME.station] !== null) words.push(fill("at-station", { station: told.stations[frame[FRAME.station]] }));
  else if (frame[FRAME.leg] !== null && frame[FRAME.percent] !== null) words.push(fill("on-the-way", { leg: told.legs[frame[FRAME.leg]], percent: frame[FRAME.percent] }));
  if (frame[FRAME.speed] !== null) words.push(fill("speed", { kmh: frame[FRAME.speed] }));
  return words.join(" · ") || `${frame[FRAME.lat].toFixed(5)}, ${frame[FRAME.lon].toFixed(5)}`;
}

function open(at) {
  return told.warnings.filter((warning) => openAt(warning, at));
}

function worst(at) {
  const colours = open(at).map((warning) => colourAt(warning, at)[1]);
  return colours.includes("red") ? "red" : colours.includes("yellow") ? "yellow" : "";
}

function warnings(at) {
  const list = byId("m-warnings");
  const rows = open(at).map((warning) => {
    const [, colour, said] = colourAt(warning, at);
    const more = [said, warning.late ? told.words.late : "", then() && warning.withdrawn ? told.words.withdrawn : ""].filter(Boolean);
    return { colour, text: `${warning.said} (${more.join(", ")})` };
  });
  const key = JSON.stringify(rows);
  if (list.dataset.key === key) return;
  list.dataset.key = key;
  list.replaceChildren(...(rows.length ? rows : [{ colour: "none", text: told.words["nothing-open"] }]).map((row) => {
    const item = document.createElement("li");
    item.className = `is-${row.colour}`;
    item.textContent = row.text;
    return item;
  }));
}

// -- moving in time --

const [first, last] = [Number(slider.min), Number(slider.max)];
const marks = [...new Set([
  ...told.warnings.flatMap((w) => [w.since, w.until, w.said_at, w.over_at]).filter((at) => at !== null),
  ...told.verdicts.map((v) => v.at),
  ...frames.flatMap((f, i) => (f[FRAME.gap] === 1 ? [frames[i - 1][FRAME.at], f[FRAME.at]] : [])),
])].map((at) => Math.ceil((at - first) / 10) * 10 + first).filter((at) => at >= first && at <= last).sort((a, b) => a - b);

function go(at) {
  slider.value = String(Math.min(Math.max(at, first), last));
  show();
}

let timer = 0;
let moment = 0;
function stop() {
  clearInterval(timer);
  timer = 0;
  put("play", told.words.play);
}

byId("play").addEventListener("click", () => {
  if (timer) {
    stop();
    return;
  }
  if (Number(slider.value) >= last - 10) go(first);
  moment = Number(slider.value);
  put("play", told.words.pause);
  timer = setInterval(() => {
    moment += Number(byId("speed").value) / 5;
    go(moment);
    if (moment >= last) stop();
  }, 200);
});
byId("before").addEventListener("click", () => go(marks.filter((at) => at < Number(slider.value)).pop() ?? first));
byId("after").addEventListener("click", () => go(marks.find((at) => at > Number(slider.value)) ?? last));
slider.addEventListener("input", () => {
  moment = Number(slider.value);
  show();
});
for (const choice of document.querySelectorAll("[name=known]")) choice.addEventListener("change", show);

function linked() {
  const found = /^#t=(\d+)$/.exec(location.hash);
  if (found) go(Number(found[1]));
}
addEventListener("hashchange", () => {
  linked();
  slider.focus();
});

player.hidden = false;
byId("moment").hidden = false;
linked();
show();

try {
  const { chart } = await import("/static/web/map.js");
  map = await chart(byId("map"), plan);
  show();
} catch (error) {
  console.warn("the live map is not to be had; the still one stays", error);
}
