// A journey's map: the same chart as the board's, with the track that was driven and the truck at its end.

const element = document.getElementById("map");
try {
  const { chart } = await import("/static/web/map.js");
  const map = await chart(element);
  const { truck, lon, lat, state, said, colour } = element.dataset;
  if (truck) map?.show([{ plate: truck, state, said, colour, at: [Number(lon), Number(lat)] }]);
} catch (error) {
  console.warn("the live map is not to be had; the still one stays", error);
}
