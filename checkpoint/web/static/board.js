// The live board. Law: the server draws; this only asks again. An event says that something changed, the page fetches its live
// parts and puts each that differs in the place of the old one, keeping what a person is doing: open details, typed words,
// the focus, how far a list is scrolled. Without this module the board is a page that is true when it was loaded.

import { live } from "/static/web/live.js";

const board = document.getElementById("board");
let map;

async function refresh() {
  const response = await fetch(board.dataset.fragment, { headers: { Accept: "text/html" } });
  if (response.status === 401 || response.redirected) {
    location.reload();
    return;
  }
  if (!response.ok) throw new Error(`the board answered ${response.status}`);
  const fresh = new DOMParser().parseFromString(await response.text(), "text/html");
  for (const part of fresh.querySelectorAll("[data-live]")) {
    const old = document.getElementById(part.id);
    if (old && !alike(old, part)) exchange(old, part);
  }
  map?.show(trucks());
}

const plain = (part) => part.innerHTML.replace(/ open=""/g, "");

function alike(old, part) {
  return plain(old) === plain(part);
}

function exchange(old, part) {
  const open = [...old.querySelectorAll("details[open]")].map((each) => each.id);
  const typed = [...old.querySelectorAll("textarea, input:not([type=hidden])")].map((each) => [each.id, each.value]);
  const scrolled = [...old.querySelectorAll(".scroll")].map((each) => [each.id, each.scrollTop]);
  const focused = old.contains(document.activeElement) ? document.activeElement : null;
  const path = focused && pathTo(focused, old);
  const selection = focused && "selectionStart" in focused ? [focused.selectionStart, focused.selectionEnd] : null;
  old.replaceChildren(...part.childNodes);
  for (const id of open) document.getElementById(id)?.setAttribute("open", "");
  for (const [id, value] of typed) {
    const field = id && document.getElementById(id);
    if (field && value) field.value = value;
  }
  for (const [id, top] of scrolled) document.getElementById(id)?.scrollTo(0, top);
  const again = focused && (focused.id ? document.getElementById(focused.id) : old.querySelector(path));
  again?.focus({ preventScroll: true });
  if (again && selection) again.setSelectionRange(...selection);
}

// What has no id is found again by what it leads to: links by their address, summaries by their details.
function pathTo(element, within) {
  if (element.tagName === "A") return `a[href="${CSS.escape(element.getAttribute("href"))}"]`;
  const holder = element.closest("[id]");
  return holder && within.contains(holder) ? `#${CSS.escape(holder.id)} > ${element.tagName.toLowerCase()}` : element.tagName;
}

function trucks() {
  return [...document.querySelectorAll("[data-truck][data-lon]")].map((row) => ({
    plate: row.dataset.truck,
    state: row.dataset.state,
    said: row.dataset.said,
    colour: row.dataset.colour,
    at: [Number(row.dataset.lon), Number(row.dataset.lat)],
  }));
}

live(document.getElementById("live"), refresh);

// The map is a module of its own and may fail to load or to draw; the still overview then stays where it is.
try {
  const { chart } = await import("/static/web/map.js");
  map = await chart(document.getElementById("map"));
  map?.show(trucks());
} catch (error) {
  console.warn("the live map is not to be had; the still one stays", error);
}
