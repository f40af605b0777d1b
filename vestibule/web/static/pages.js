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

for (const moment of document.querySelectorAll("time[title]")) {
  const date = new Date(moment.dateTime);
  if (!Number.isNaN(date.valueOf())) {
    moment.title = date.toLocaleString(document.documentElement.lang, {
      dateStyle: "long",
      timeStyle: "long",
    });
  }
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

const first = document.querySelector("#alert, [aria-invalid='true'], .notice[autofocus]");
if (first) {
  first.focus();
}
