// Staying up to date: one event stream, asked-for refreshes that never overlap, and a light that says whether we are live.

const AT_MOST_EVERY_MS = 1000;
const AT_LEAST_EVERY_MS = 20000;

/** Call `refresh` when the server says that something changed, and now and then, since ages and estimates change by themselves. */
export function live(light, refresh) {
  let last = 0;
  let timer = 0;
  let running = false;
  let again = false;

  function say(on) {
    if (!light) return;
    light.textContent = on ? light.dataset.on : light.dataset.off;
    light.classList.toggle("is-on", on);
    light.classList.toggle("is-off", !on);
  }

  function soon() {
    if (running) again = true;
    else if (!timer) timer = setTimeout(run, Math.max(0, last + AT_MOST_EVERY_MS - Date.now()));
  }

  async function run() {
    timer = 0;
    running = true;
    try {
      await refresh();
      if (stream.readyState === EventSource.OPEN) say(true);
    } catch (error) {
      say(false);
      console.warn("refresh failed", error);
    }
    last = Date.now();
    running = false;
    if (again) {
      again = false;
      soon();
    }
  }

  const stream = new EventSource("/events");
  stream.onopen = () => {
    say(true);
    soon(); // what was missed while the line was down
  };
  stream.onerror = () => say(false);
  for (const name of ["board", "warning", "vehicle", "vehicles", "reload", "fact", "message"]) stream.addEventListener(name, soon);
  setInterval(() => document.visibilityState === "visible" && soon(), AT_LEAST_EVERY_MS);
  document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && soon());
  addEventListener("pagehide", () => stream.close());
}
