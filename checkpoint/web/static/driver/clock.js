// What time it is for the pass. Law: the server's clock counts, the phone's is only how we get from one measurement to the
// next; a page kept for offline use carries an old time, so nothing is read off the page, only off fresh answers.

const KEY = "clock:offset";
const NOTABLE_MS = 30_000;

let offset = 0;
let measured = null;

/** Bring back the last measurement of this phone. */
export function recall() {
  try {
    const kept = JSON.parse(localStorage.getItem(KEY) ?? "null");
    if (Number.isFinite(kept?.offset) && Number.isFinite(kept?.at)) ({ offset, at: measured } = kept);
  } catch {
    // Unreadable is the same as never measured.
  }
}

/** Learn from a fresh answer that said `serverMs`, asked for at `sentMs` and come at `receivedMs` (phone's clock). */
export function learn(serverMs, sentMs, receivedMs) {
  if (!Number.isFinite(serverMs) || receivedMs < sentMs || receivedMs - sentMs > 20_000) return;
  offset = serverMs - (sentMs + receivedMs) / 2;
  measured = receivedMs;
  try {
    localStorage.setItem(KEY, JSON.stringify({ offset, at: measured }));
  } catch {
    // The measurement then lasts as long as the page.
  }
}

/** Now, in milliseconds, by the server's clock as well as it is known. */
export function now() {
  return Date.now() + offset;
}

/** Minutes that this phone's clock is slow (positive) or fast (negative); 0 when it is right enough, null when unknown. */
export function skewMinutes() {
  if (measured === null) return null;
  return Math.abs(offset) < NOTABLE_MS ? 0 : Math.round(offset / 6000) / 10;
}
