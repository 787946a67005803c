// The sound of a verdict. Law: one rhythm each, so that it is known with eyes on the truck, and by whoever hears only low
// or only high tones. GO: one long rising tone. HOLD: two even tones. STOP: four short low beats, harsh.
// Browsers allow sound after the first touch or key; until then the shape and the word speak alone.

const RHYTHMS = {
  GO: { type: "sine", notes: [[660, 0, 0.12], [880, 0.12, 0.38]] },
  HOLD: { type: "triangle", notes: [[520, 0, 0.2], [520, 0.34, 0.2]] },
  STOP: { type: "square", notes: [[220, 0, 0.13], [220, 0.22, 0.13], [220, 0.44, 0.13], [220, 0.66, 0.3]] },
};

let context;

/** Wake the audio; call it from a touch or key so that later verdicts may sound. */
export function arm() {
  context ??= new AudioContext();
  if (context.state === "suspended") context.resume();
}

/** Play the rhythm of GO, HOLD or STOP; resolves to its length in seconds, 0 where sound is not to be had. */
export function sound(word) {
  const rhythm = RHYTHMS[word];
  if (!rhythm || typeof AudioContext === "undefined") return 0;
  arm();
  if (context.state !== "running") return 0;
  let end = 0;
  for (const [hertz, from, length] of rhythm.notes) {
    const at = context.currentTime + from;
    const tone = context.createOscillator();
    const loudness = context.createGain();
    tone.type = rhythm.type;
    tone.frequency.value = hertz;
    loudness.gain.setValueAtTime(0, at);
    loudness.gain.linearRampToValueAtTime(0.5, at + 0.01);
    loudness.gain.setValueAtTime(0.5, at + length - 0.02);
    loudness.gain.linearRampToValueAtTime(0, at + length);
    tone.connect(loudness).connect(context.destination);
    tone.start(at);
    tone.stop(at + length);
    end = Math.max(end, from + length);
  }
  // Who cannot hear may feel it: the same rhythm on phones and tablets that vibrate, once somebody has touched the page.
  if (navigator.userActivation?.hasBeenActive === false) return end;
  navigator.vibrate?.(rhythm.notes.flatMap(([, from, length], i, all) => {
    const gap = i + 1 < all.length ? all[i + 1][1] - from - length : 0;
    return [length * 1000, Math.max(gap, 0) * 1000];
  }));
  return end;
}

addEventListener("pointerdown", arm, { once: true });
addEventListener("keydown", arm, { once: true });
