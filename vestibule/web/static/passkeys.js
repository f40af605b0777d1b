// Passkeys need a script; everything else works without this one.
"use strict";

const decode = (text) =>
  Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (each) => each.charCodeAt(0));
const encode = (buffer) =>
  btoa(String.fromCharCode(...new Uint8Array(buffer))).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
const named = (listed) => listed.map((one) => ({ ...one, id: decode(one.id) }));

const load = async (button) => {
  const response = await fetch(button.dataset.options, {
    method: "POST",
    body: new URLSearchParams({ use: button.dataset.use }),
    headers: { Accept: "application/json" },
  });
  if (!response.ok) {
    throw new Error(response.status);
  }
  const given = await response.json();
  given.challenge = decode(given.challenge);
  if (given.user) {
    given.user.id = decode(given.user.id);
    given.excludeCredentials = named(given.excludeCredentials);
  } else {
    given.allowCredentials = named(given.allowCredentials);
  }
  return given;
};

const written = (made) => {
  const response = {};
  for (const name of ["clientDataJSON", "attestationObject", "authenticatorData", "signature", "userHandle"]) {
    if (made.response[name]?.byteLength) {
      response[name] = encode(made.response[name]);
    }
  }
  if (made.response.getTransports) {
    response.transports = made.response.getTransports();
  }
  return JSON.stringify({ id: made.id, rawId: made.id, type: made.type, response });
};

const send = (button, made) => {
  button.form.elements[button.dataset.field].value = written(made);
  // Fields that a passkey replaces stay empty.
  button.form.submit();
};

// The browser offers passkeys in the field of the email until a button is used.
let offering = null;
const stop = () => {
  offering?.abort();
  offering = null;
};
const offer = async (button) => {
  if (!(await PublicKeyCredential.isConditionalMediationAvailable?.())) {
    return;
  }
  const own = new AbortController();
  offering = own;
  // The challenge is valid for five minutes.
  const renewal = setTimeout(() => {
    stop();
    offer(button);
  }, 270_000);
  try {
    const publicKey = await load(button);
    if (!own.signal.aborted) {
      send(button, await navigator.credentials.get({ publicKey, mediation: "conditional", signal: own.signal }));
    }
  } catch {
    // Aborted, or the user chose no passkey.
  }
  clearTimeout(renewal);
};

if (window.PublicKeyCredential) {
  for (const button of document.querySelectorAll("button[data-use]")) {
    const status = button.parentNode.querySelector("[role=status]");
    button.hidden = false;
    button.addEventListener("click", async () => {
      const isNew = button.dataset.use === "add";
      if (isNew && !button.form.reportValidity()) {
        return;
      }
      stop();
      button.disabled = true;
      status.textContent = "";
      try {
        const publicKey = await load(button);
        const made = isNew
          ? await navigator.credentials.create({ publicKey })
          : await navigator.credentials.get({ publicKey });
        send(button, made);
      } catch (error) {
        status.textContent = error.name === "InvalidStateError" ? status.dataset.known : status.dataset.text;
      }
      button.disabled = false;
    });
    if (button.dataset.autofill) {
      offer(button);
    }
  }

  // Password managers drop what is not accepted any more (WebAuthn 3, 5.1.10).
  for (const place of document.querySelectorAll("[data-signal]")) {
    const { rpId, userId, name, displayName, allAcceptedCredentialIds, credentialId } = JSON.parse(place.dataset.signal);
    const ignore = () => {};
    if (credentialId) {
      PublicKeyCredential.signalUnknownCredential?.({ rpId, credentialId }).catch(ignore);
    } else {
      PublicKeyCredential.signalAllAcceptedCredentials?.({ rpId, userId, allAcceptedCredentialIds }).catch(ignore);
      PublicKeyCredential.signalCurrentUserDetails?.({ rpId, userId, name, displayName }).catch(ignore);
    }
  }
}
