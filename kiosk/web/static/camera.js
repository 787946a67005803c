// Camera -> JPEG of the guide's square -> desk, about eight a second, never two at once.
// Law: a camera that is missing, refused, busy or lost is said in a sentence with a way on; typing and hand scanners go on.

const video = document.getElementById("video");
const says = document.getElementById("camera-says");
const again = document.getElementById("camera-again");
const canvas = document.createElement("canvas");
const EVERY_MS = 125;
const SIDE = 720;

/** The tube field that waits for a number, if its sheet is open and empty. */
export function tubeWanted() {
  return document.querySelector("details[open] input[data-tube]");
}

/** Start the camera and bring each frame to `look`; start again on the button. */
export function startCamera(look) {
  again.addEventListener("click", () => open(look));
  open(look);
}

async function open(look) {
  again.hidden = true;
  tell("asking");
  if (!navigator.mediaDevices?.getUserMedia) return failed("none");
  let stream;
  try {
    stream = await navigator.mediaDevices.getUserMedia({
      audio: false,
      video: { facingMode: { ideal: "environment" }, width: { ideal: 1280 }, height: { ideal: 720 } },
    });
  } catch (error) {
    const why = { NotAllowedError: "refused", SecurityError: "refused", NotReadableError: "busy", AbortError: "busy" };
    return failed(why[error.name] ?? "none");
  }
  video.srcObject = stream;
  let live = true;
  stream.getVideoTracks()[0].addEventListener("ended", () => { live = false; failed("lost"); });
  await video.play().catch(() => {});
  document.documentElement.classList.add("has-camera");
  while (live) {
    const began = performance.now();
    if (!document.hidden && video.readyState >= 2) {
      tell(tubeWanted() ? "tube" : document.getElementById("enrol-token") ? "enrol" : "looking");
      const frame = await picture();
      if (frame) await look(frame);
    }
    await new Promise((resume) => setTimeout(resume, Math.max(10, EVERY_MS - (performance.now() - began))));
  }
}

/** The middle square of the picture, which the guide shows; a tube's long barcode needs the whole width. */
function picture() {
  const { videoWidth: width, videoHeight: height } = video;
  if (!width || !height) return null;
  const wide = Boolean(tubeWanted());
  const cutWidth = wide ? width : Math.min(width, height), cutHeight = wide ? height / 2 : Math.min(width, height);
  const scale = Math.min(1, (wide ? 1280 : SIDE) / cutWidth);
  canvas.width = Math.round(cutWidth * scale);
  canvas.height = Math.round(cutHeight * scale);
  canvas.getContext("2d", { willReadFrequently: true }).drawImage(
    video, (width - cutWidth) / 2, (height - cutHeight) / 2, cutWidth, cutHeight, 0, 0, canvas.width, canvas.height);
  return new Promise((done) => canvas.toBlob(done, "image/jpeg", 0.85));
}

function failed(why) {
  document.documentElement.classList.remove("has-camera");
  tell(why);
  again.hidden = false;
}

function tell(what) {
  if (says.dataset.now === what) return;
  says.dataset.now = what;
  says.textContent = says.dataset[what];
}
