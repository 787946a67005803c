// The live map: our own lines, stations and graticule on an empty ground; trucks and stations as HTML, so that they can be
// read, reached by keyboard and seen in both themes. No tiles, no fonts, no other origin.

import { LngLatBounds, Map as Chart, Marker, NavigationControl, ScaleControl } from "/static/vendor/maplibre-gl/dist/maplibre-gl.mjs";

const SIGNS = {
  red: '<path d="M7 2h10l5 5v10l-5 5H7l-5-5V7z"/>',
  yellow: '<path d="M12 1l11 11-11 11L1 12z"/>',
  "": '<circle cx="12" cy="12" r="8"/>',
};

function colours() {
  const style = getComputedStyle(document.documentElement);
  const of = (name) => style.getPropertyValue(name).trim();
  return { ground: of("--surface"), line: of("--line"), outbound: of("--line-outbound"), inbound: of("--line-inbound"), accent: of("--accent"), stop: of("--stop"), hold: of("--hold"), soft: of("--ink-soft") };
}

// Metres to pixels: a corridor has a width on the ground, and doubles with each zoom (tiles of 512 pixels).
function metres(value, lat) {
  const pixels = (zoom) => (value * 2 ** zoom) / (78271.517 * Math.cos((lat * Math.PI) / 180));
  return ["interpolate", ["exponential", 2], ["zoom"], 0, pixels(0), 24, pixels(24)];
}

// How a stretch of track that is played back is drawn, by what it shows: as in replay.css.
function stretches(c) {
  return [
    ["gap", c.soft, 1.5, [3, 4]],
    ["on", c.accent, 3, null],
    ["suspected", c.hold, 4, [2, 1.5]],
    ["off", c.stop, 5, null],
    ["wrong-way", c.stop, 5, [0.4, 1.2]],
  ];
}

function style(plan, c, lat) {
  const widths = [...new Set(plan.features.filter((f) => f.properties.kind === "corridor").map((f) => f.properties.half_width_m))];
  const of = (kind) => ["==", ["get", "kind"], kind];
  const way = ["match", ["get", "leg"], "outbound", c.outbound, c.inbound];
  return {
    version: 8,
    sources: { plan: { type: "geojson", data: plan } },
    layers: [
      { id: "ground", type: "background", paint: { "background-color": c.ground } },
      { id: "graticule", type: "line", source: "plan", filter: of("graticule"), paint: { "line-color": c.line, "line-width": 1 } },
      ...widths.map((width) => ({
        id: `corridor-${width}`,
        type: "line",
        source: "plan",
        filter: ["all", of("corridor"), ["==", ["get", "half_width_m"], width]],
        layout: { "line-join": "round" },
        paint: { "line-color": way, "line-opacity": 0.18, "line-width": metres(2 * width, lat) },
      })),
      { id: "station", type: "fill", source: "plan", filter: of("station"), paint: { "fill-color": c.accent, "fill-opacity": 0.2, "fill-outline-color": c.accent } },
      { id: "line", type: "line", source: "plan", filter: of("line"), layout: { "line-join": "round" }, paint: { "line-color": way, "line-width": 2 } },
      { id: "track", type: "line", source: "plan", filter: of("track"), layout: { "line-join": "round" }, paint: { "line-color": c.accent, "line-width": 3, "line-dasharray": [2, 1] } },
      ...stretches(c).map(([state, colour, width, dashes]) => ({
        id: `stretch-${state}`,
        type: "line",
        source: "plan",
        filter: ["all", of("stretch"), ["==", ["get", "state"], state]],
        layout: { "line-join": "round" },
        paint: { "line-color": colour, "line-width": width, ...(dashes ? { "line-dasharray": dashes } : {}) },
      })),
      { id: "proof", type: "circle", source: "plan", filter: of("proof"), paint: { "circle-radius": 5, "circle-color": c.ground, "circle-stroke-color": c.stop, "circle-stroke-width": 2 } },
    ],
  };
}

/** Draw the chart in an element that names its plan, unless the plan is at hand; resolves to `{show(trucks), keepInSight(place)}` once it is drawn, to null without WebGL. */
export async function chart(element, given = null) {
  if (!document.createElement("canvas").getContext("webgl2")) return null;
  const plan = given ?? (await (await fetch(element.dataset.plan)).json());
  const [west, south, east, north] = plan.view;
  const lat = (south + north) / 2;
  const canvas = document.createElement("div");
  canvas.className = "map-live";
  element.append(canvas);
  const map = new Chart({
    container: canvas,
    style: style(plan, colours(), lat),
    bounds: new LngLatBounds([west, south], [east, north]),
    fitBoundsOptions: { padding: 24 },
    attributionControl: false,
    dragRotate: false,
    pitchWithRotate: false,
    maxZoom: 18,
    renderWorldCopies: false,
  });
  map.touchZoomRotate.disableRotation();
  map.addControl(new NavigationControl({ showCompass: false }), "top-right");
  map.addControl(new ScaleControl({ maxWidth: 120 }), "bottom-right");
  map.getCanvas().setAttribute("aria-label", element.dataset.label);
  map.on("zoom", () => canvas.classList.toggle("is-near", map.getZoom() > 9.5));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => map.setStyle(style(plan, colours(), lat)));
  await new Promise((drawn, failed) => {
    map.once("load", drawn);
    map.once("error", (event) => failed(event.error));
  });
  for (const station of plan.stations) {
    const sign = document.createElement("span");
    sign.className = `map-station${station.end ? " is-end" : ""}`;
    sign.textContent = station.name;
    new Marker({ element: sign, ...(station.end ? { anchor: "right", offset: [5, 0] } : { anchor: "left", offset: [-5, 0] }) }).setLngLat(station.at).addTo(map);
  }
  element.classList.add("is-live");
  document.getElementById("map-still").hidden = true;
  const marks = new Map();

  function show(trucks) {
    const gone = new Set(marks.keys());
    for (const truck of trucks) {
      gone.delete(truck.plate);
      let mark = marks.get(truck.plate);
      if (!mark) {
        const link = document.createElement("a");
        link.href = `/vehicles/${encodeURIComponent(truck.plate)}`;
        mark = new Marker({ element: link, anchor: "left", offset: [-12, 0] }).setLngLat(truck.at).addTo(map);
        marks.set(truck.plate, mark);
      }
      const link = mark.getElement();
      const place = mark.getLngLat();
      if (place.lng !== truck.at[0] || place.lat !== truck.at[1]) mark.setLngLat(truck.at);
      const key = `${truck.colour} ${truck.state} ${truck.said}`;
      if (link.dataset.key !== key) {
        link.dataset.key = key;
        for (const name of [...link.classList]) if (name.startsWith("is-")) link.classList.remove(name);
        link.classList.add("map-truck", `is-${truck.colour || "calm"}`, `is-${truck.state}`);
        link.innerHTML = `<svg viewBox="0 0 24 24" width="24" height="24" aria-hidden="true">${SIGNS[truck.colour] ?? SIGNS[""]}</svg>`;
        const name = document.createElement("span");
        name.textContent = truck.plate;
        link.append(name);
        link.title = `${truck.plate} · ${truck.said}`;
        link.setAttribute("aria-label", link.title);
      }
    }
    for (const plate of gone) {
      marks.get(plate).remove();
      marks.delete(plate);
    }
  }

  /** Move the picture only when the place has left it. */
  function keepInSight(at) {
    if (!map.getBounds().contains(at)) map.jumpTo({ center: at });
  }

  return { show, keepInSight };
}
