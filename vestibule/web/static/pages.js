// Every page works without this script.
"use strict";

for (const button of document.querySelectorAll("button.reveal")) {
  const input = document.getElementById(button.getAttribute("aria-controls"));
  const word = button.firstChild;
  const show = word.data;
  const set = (shown) => {
    input.type = shown ? "text" : "password";
    word.data = shown ? button.dataset.hide : show;
  };
  button.hidden = false;
  button.addEventListener("click", () => set(input.type === "password"));
  // Browsers offer to save only the values of password fields.
  input.form.addEventListener("submit", () => set(false));
}

for (const form of document.querySelectorAll('form[method="post"]')) {
  form.addEventListener("submit", (event) => {
    if (form.dataset.sent) {
      event.preventDefault();
    }
    form.dataset.sent = "yes";
    // If the user stopped the request, the form can be sent again.
    setTimeout(() => delete form.dataset.sent, 5000);
  });
}
// A page from the back/forward cache can be sent again.
addEventListener("pageshow", () => {
  for (const form of document.forms) {
    delete form.dataset.sent;
  }
});

const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
for (const button of document.querySelectorAll("button[data-zone]")) {
  if (zone && zone !== "UTC") {
    button.value = zone;
    button.hidden = false;
  }
}

const choice = document.querySelector("select[data-zone]");
if (choice && zone && ![...choice.options].some((each) => each.value === zone)) {
  choice.add(new Option(choice.options[0].text.replace("UTC", zone), zone));
}

for (const all of document.querySelectorAll("input[data-all]")) {
  const boxes = all.closest("table").querySelectorAll("tbody input[type=checkbox]");
  all.hidden = false;
  all.addEventListener("change", () => {
    for (const box of boxes) {
      box.checked = all.checked;
    }
  });
}

// A link has the email and the code in its fragment, which is sent to no server.
const taking = document.querySelector("form[data-fragment]");
const fill = () => {
  const given = new URLSearchParams(location.hash.slice(1));
  for (const name of ["email", "code"]) {
    const input = taking.elements[name];
    if (input && given.get(name)) {
      input.value = given.get(name);
      input.closest(".field").hidden = name === "code";
    }
  }
  const next = [...taking.elements].find((each) => each.required && !each.value);
  if (given.get("code") && next) {
    next.focus();
  }
};
if (taking) {
  fill();
  addEventListener("hashchange", fill);
  // The redirect after this form keeps the fragment of its address.
  const preferences = document.querySelector("form.preferences");
  preferences.addEventListener("submit", () => {
    preferences.action = preferences.action.split("#")[0] + location.hash;
  });
}

for (const button of document.querySelectorAll("button[data-copy]")) {
  const field = document.getElementById(button.dataset.copy);
  const status = button.parentNode.querySelector("[role=status]");
  button.hidden = false;
  field.addEventListener("focus", () => field.select());
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(field.value);
    } catch {
      // Without TLS there is no clipboard API.
      field.select();
      document.execCommand("copy");
      button.focus();
    }
    status.textContent = status.dataset.text;
  });
}

// Esc does what "Cancel" does.
const cancel = document.querySelector("a[data-cancel]");
if (cancel) {
  addEventListener("keydown", (event) => {
    if (event.key === "Escape" && !event.defaultPrevented) {
      cancel.click();
    }
  });
}

// The link of a mail has its token in the fragment, which no server gets.
const linked = document.querySelector("form[data-token]");
if (linked && location.hash.startsWith("#token=")) {
  const token = linked.elements[linked.dataset.token];
  token.value = location.hash.slice(1);
  for (const input of [token, linked.elements.email]) {
    if (input) {
      input.closest(".field").hidden = true;
    }
  }
}

const first = document.querySelector("#alert, [aria-invalid='true'], .notice[autofocus]");
if (first) {
  first.focus();
}
