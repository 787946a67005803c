// The hash chain of a pass, walked backwards. Law: what is shown at step k is H^(N-k)(seed), H being SHA-256 cut to 16 bytes,
// exactly as `core/passes.py` has it; the seed never leaves this phone. Walking from the seed costs N hashes, so a hundred or two
// values along the way are kept, and every later step starts from the nearest.

import { sha256 } from "/static/vendor/@noble/hashes/sha2.js";

const VALUE_BYTES = 16;
const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

export function bytesOf(hex) {
  return Uint8Array.from(hex.match(/../g) ?? [], (pair) => parseInt(pair, 16));
}

export function hexOf(bytes) {
  return Array.from(bytes, (b) => b.toString(16).padStart(2, "0")).join("");
}

function next(value) {
  return sha256(value).subarray(0, VALUE_BYTES);
}

/** RFC 4648 base32 in capitals, without padding: what a hand scanner types right under any keyboard. */
export function base32(bytes) {
  let text = "", held = 0, bits = 0;
  for (const byte of bytes) {
    held = (held << 8) | byte;
    bits += 8;
    while (bits >= 5) {
      bits -= 5;
      text += ALPHABET[(held >> bits) & 31];
    }
    held &= (1 << bits) - 1;
  }
  return bits ? text + ALPHABET[(held << (5 - bits)) & 31] : text;
}

export class Chain {
  /** `seed` and `anchor` are hex, `length` is N. `kept` is a `localStorage`-like place, or null where there is none. */
  constructor(seed, anchor, length, kept = null) {
    this.length = length;
    this.stride = Math.max(1, Math.ceil(Math.sqrt(length)));
    const name = `chain:${anchor}:${length}`;
    this.marks = this.#recall(name, kept) ?? this.#walk(seed, anchor, name, kept);
  }

  /** The value to show at a step, or null when the pass has no such step (not begun, or over). */
  at(step) {
    const times = this.length - step;
    if (times < 0 || step < 0) return null;
    const from = Math.min(Math.floor(times / this.stride), this.marks.length - 1);
    let value = this.marks[from];
    for (let i = from * this.stride; i < times; i++) value = next(value);
    return value;
  }

  #walk(seed, anchor, name, kept) {
    let value = bytesOf(seed);
    const marks = [];
    for (let i = 0; i <= this.length; i++) {
      if (i % this.stride === 0) marks.push(value);
      if (i < this.length) value = next(value);
    }
    if (hexOf(value) !== anchor) throw new Error("the seed does not lead to the anchor of this pass");
    try {
      kept?.setItem(name, marks.map(hexOf).join(""));
    } catch {
      // A full or forbidden store only costs the walk next time.
    }
    return marks;
  }

  #recall(name, kept) {
    let text = null;
    try {
      text = kept?.getItem(name) ?? null;
    } catch {
      return null;
    }
    const wanted = Math.floor(this.length / this.stride) + 1;
    if (text === null || text.length !== wanted * VALUE_BYTES * 2) return null;
    const bytes = bytesOf(text);
    return Array.from({ length: wanted }, (_, i) => bytes.subarray(i * VALUE_BYTES, (i + 1) * VALUE_BYTES));
  }
}

/** The text of a live pass: the sealed bytes, the step in two bytes, the step's value. */
export function liveText(prefix, sealed, step, value) {
  const all = new Uint8Array(sealed.length + 2 + value.length);
  all.set(sealed);
  all.set([step >> 8, step & 255], sealed.length);
  all.set(value, sealed.length + 2);
  return prefix + base32(all);
}
