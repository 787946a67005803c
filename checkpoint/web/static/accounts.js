// Pages where people come in. Law: everything but passkeys works without this module; it shows a passphrase that is being
// typed, says how strong one is, and carries a device's answer to the server.

for (const field of document.querySelectorAll("[data-passphrase]")) {
  const input = field.querySelector("input");
  const show = field.querySelector("[data-show]");
  show.hidden = false;
  show.addEventListener("click", () => {
    const shown = input.type === "password";
    input.type = shown ? "text" : "password";
    show.textContent = shown ? show.dataset.on : show.dataset.off;
    show.setAttribute("aria-pressed", String(shown));
    input.focus();
  });
  input.form?.addEventListener("submit", () => (input.type = "password"));
  if (field.dataset.strengthAt) estimated(input, field.querySelector("[data-strength]"), field.dataset.strengthAt);
}

// Asked of the server a moment after the last key: it knows the lists of common passphrases, and looks at the account's own names.
function estimated(input, place, path) {
  let timer = 0;
  input.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(async () => {
      const asked = input.value;
      let strength = "";
      if (asked) {
        const body = new URLSearchParams({ passphrase: asked });
        const answer = await fetch(path, { method: "POST", body, headers: { Accept: "application/json" } }).catch(() => null);
        strength = answer?.ok ? (await answer.json()).strength : "";
      }
      if (asked !== input.value) return;
      place.textContent = strength ? `${place.dataset.said}${place.dataset[strength]}` : "";
      place.className = `hint strength strength-${strength || "none"}`;
    }, 400);
  });
}

// -- passkeys --

const bytes = (text) => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (c) => c.charCodeAt(0));
const text64 = (buffer) =>
  btoa(String.fromCharCode(...new Uint8Array(buffer))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");

function question(publicKey) {
  const asked = { ...publicKey, challenge: bytes(publicKey.challenge) };
  if (asked.user) asked.user = { ...asked.user, id: bytes(asked.user.id) };
  for (const name of ["allowCredentials", "excludeCredentials"]) {
    if (asked[name]) asked[name] = asked[name].map((each) => ({ ...each, id: bytes(each.id) }));
  }
  return asked;
}

function said(credential) {
  const response = { clientDataJSON: text64(credential.response.clientDataJSON) };
  for (const name of ["attestationObject", "authenticatorData", "signature", "userHandle"]) {
    if (credential.response[name]) response[name] = text64(credential.response[name]);
  }
  return {
    id: credential.id,
    rawId: text64(credential.rawId),
    type: credential.type,
    authenticatorAttachment: credential.authenticatorAttachment,
    clientExtensionResults: credential.getClientExtensionResults(),
    response,
  };
}

async function post(path, body) {
  const response = await fetch(path, {
    method: "POST",
    headers: { "Content-Type": "application/json", Accept: "application/json" },
    body: JSON.stringify(body),
  });
  const told = await response.json();
  if (!response.ok) throw new Error(told.detail ?? told.title);
  return told;
}

for (const place of document.querySelectorAll("[data-passkey]")) {
  if (!window.PublicKeyCredential) continue;
  const go = place.querySelector("[data-go]");
  const mistake = place.querySelector("[data-said]");
  go.hidden = false;
  place.querySelector("[data-without]").hidden = true;
  go.addEventListener("click", async () => {
    mistake.hidden = true;
    go.disabled = true;
    try {
      const asked = await post(place.dataset.ask, {});
      const publicKey = question(asked.publicKey);
      let credential;
      try {
        credential = publicKey.user
          ? await navigator.credentials.create({ publicKey })
          : await navigator.credentials.get({ publicKey });
      } catch (error) {
        console.warn("passkey", error);
        throw new Error(place.dataset.cancelled);
      }
      const more = place.dataset.nameField ? { label: document.getElementById(place.dataset.nameField).value } : {};
      const told = await post(place.dataset.answer, {
        token: asked.token,
        credential: said(credential),
        next: place.dataset.next,
        ...more,
      });
      location.assign(told.next);
    } catch (error) {
      mistake.textContent = error.message || place.dataset.failed;
      mistake.hidden = false;
      go.disabled = false;
      go.focus();
    }
  });
}
