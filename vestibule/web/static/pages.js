// Comfort only: every page works without this script.
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
  // What is typed is sent, and kept by the browser, as a password.
  input.form.addEventListener("submit", () => set(false));
}

for (const form of document.querySelectorAll('form[method="post"]')) {
  form.addEventListener("submit", (event) => {
    if (form.dataset.sent) {
      event.preventDefault();
    }
    form.dataset.sent = "yes";
    // Whoever stopped it meanwhile may try again.
    setTimeout(() => delete form.dataset.sent, 5000);
  });
}
// A page that comes back from the history may be sent again.
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

const first = document.querySelector("#alert, [aria-invalid='true']");
if (first) {
  first.focus();
}
