// The QR code on the glass. Law: black on white whatever the theme, four modules of white around it, and every module the same
// whole number of the screen's own pixels: an uneven module is what a camera loses first.

import { correction, generate, mode } from "/static/vendor/lean-qr/index.mjs";

const QUIET_MODULES = 4;

/** Draw `text` into a canvas as large as `widthPx` CSS pixels allow. Level M reads best on screens. */
export function draw(canvas, text, widthPx) {
  const code = generate(mode.alphaNumeric(text), {
    minCorrectionLevel: correction.M,
    maxCorrectionLevel: correction.M,
  });
  const side = code.size + 2 * QUIET_MODULES;
  const ratio = window.devicePixelRatio || 1;
  const module = Math.max(1, Math.floor((widthPx * ratio) / side));
  canvas.width = canvas.height = module * side;
  canvas.style.width = canvas.style.height = `${canvas.width / ratio}px`;
  const pen = canvas.getContext("2d", { alpha: false });
  pen.fillStyle = "#ffffff";
  pen.fillRect(0, 0, canvas.width, canvas.height);
  pen.fillStyle = "#000000";
  for (let y = 0; y < code.size; y++) {
    for (let x = 0; x < code.size; x++) {
      if (code.get(x, y)) pen.fillRect((x + QUIET_MODULES) * module, (y + QUIET_MODULES) * module, module, module);
    }
  }
}
