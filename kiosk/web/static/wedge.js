// Hand scanners that type: what comes faster than fingers is a scan, wherever the focus is.
// Law: only letters, digits and - _ . count; key codes are read, not characters, so that no input method or keyboard layout
// changes what was scanned. A scan ends with Enter, Tab or a silence; several may follow each other.

const GAP_MS = 50;
const SILENCE_MS = 120;
const SHORTEST = 4;

/** Call `scanned` with each text a hand scanner types. */
export function listen(scanned) {
  let typed = "";
  let last = -Infinity;
  let silence;

  function end() {
    clearTimeout(silence);
    const text = typed;
    typed = "";
    if (text.length >= SHORTEST) scanned(text);
    return text.length >= SHORTEST;
  }

  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    // When the key went down, not when this page got round to it: a busy page must not tear a scan in two.
    const fast = event.timeStamp - last < GAP_MS;
    last = event.timeStamp;
    if (event.code === "Enter" || event.code === "NumpadEnter" || event.code === "Tab") {
      if (typed.length >= SHORTEST && fast) {
        end();
        event.preventDefault();
        event.stopPropagation();
      } else typed = "";
      return;
    }
    const sign = signOf(event);
    if (!sign) return;
    if (!fast) {
      typed = sign;
      return;
    }
    // The second fast key tells a scanner from fingers: from here on nothing reaches the field that has the focus.
    typed += sign;
    if (typed.length === 3) takeBack(event.target, 2);
    if (typed.length >= 3) event.preventDefault();
    clearTimeout(silence);
    silence = setTimeout(end, SILENCE_MS);
  }, true);
}

/** What fingers could not have meant: the first two signs that reached a field before the scan was known for one. */
function takeBack(field, count) {
  if (field.matches?.("input, textarea") && typeof field.value === "string" && !field.readOnly) {
    field.value = field.value.slice(0, Math.max(0, field.value.length - count));
  }
}

function signOf(event) {
  if (/^Key[A-Z]$/.test(event.code)) return event.code[3];
  if (/^(Digit|Numpad)[0-9]$/.test(event.code)) return event.shiftKey ? "" : event.code.at(-1);
  return { Minus: event.shiftKey ? "_" : "-", Period: ".", NumpadSubtract: "-", NumpadDecimal: "." }[event.code] ?? "";
}
