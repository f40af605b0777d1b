"use strict";

// Shows /openapi.json and sends what a person fills in. Texts are set as
// texts and never as markup; a password is kept in this page alone.

// The path below which the service is reached; empty at the root.
const base = new URL("..", document.currentScript.src).pathname.slice(0, -1);
const byId = (id) => document.getElementById(id);
let description = {};
let authorization = null;

function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name in element) element[name] = value;
    else element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

// Texts of the description have code between backticks.
function prose(text) {
  return text.split("`").map((part, index) => (index % 2 ? make("code", {}, part) : part));
}

function resolved(value) {
  if (!value || !value.$ref) return value;
  return value.$ref.slice(2).split("/").reduce((at, name) => at[name], description);
}

function operations() {
  const found = [];
  for (const [path, methods] of Object.entries(description.paths)) {
    for (const [method, operation] of Object.entries(methods)) {
      found.push({ ...operation, path, method: method.toUpperCase() });
    }
  }
  return found;
}

// --- The authenticated user

function scheme() {
  for (const one of operations()) {
    if (one.security.length) return Object.keys(one.security[0])[0];
  }
  return null;
}

function tellWho(text, isKnown) {
  byId("asker").textContent = text;
  byId("entry").hidden = isKnown || scheme() === null;
  byId("leave").hidden = !isKnown;
}

async function whoAmI() {
  const headers = authorization ? { Authorization: authorization } : {};
  const answer = await fetch(base + "/api/v1/users/me", { headers });
  return answer.ok ? await answer.json() : null;
}

function named(user) {
  return `Signed in as ${user.email || user.id}.`;
}

async function signIn(event) {
  event.preventDefault();
  const form = new FormData(byId("entry"));
  const failed = (why) => tellWho(`That did not work: ${why}`, false);
  try {
    if (scheme() === "basic") {
      const bytes = new TextEncoder().encode(`${form.get("email")}:${form.get("password")}`);
      authorization = `Basic ${btoa(String.fromCharCode(...bytes))}`;
      const user = await whoAmI();
      if (user) tellWho(named(user), true);
      else { authorization = null; failed("wrong email or password"); }
    } else {
      const answer = await fetch(base + "/api/v1/auth_session/login", {
        method: "POST", body: new URLSearchParams(form),
      });
      const said = await answer.json();
      if (answer.ok) tellWho(named(said), true);
      else failed(said.error);
    }
  } catch (error) {
    failed("the service cannot be reached");
  }
  byId("entry").reset();
}

async function signOut() {
  if (authorization) authorization = null;
  else await fetch(base + "/api/v1/auth_session/logout", { method: "DELETE" });
  tellWho("You are not signed in.", false);
}

async function greet() {
  const known = scheme();
  if (known === null) { tellWho("There is no authentication: every request is allowed.", false); return; }
  const user = known === "session" ? await whoAmI() : null;
  tellWho(user ? named(user) : "You are not signed in.", Boolean(user));
}

// --- One operation

function field(name, place, schema, required) {
  const isSecret = /password/.test(name);
  const example = (schema.examples || [""])[0];
  const input = schema.enum
    ? make("select", {}, ...["", ...schema.enum].map((one) => make("option", { value: one }, one || "—")))
    : make("input", {
      type: isSecret ? "password" : "text",
      autocomplete: isSecret ? "new-password" : "off",
      placeholder: isSecret ? "" : String(example),
    });
  input.name = name;
  input.required = required;
  input.dataset.place = place;
  return make("label", {}, make("span", { className: "name" }, name), input,
    make("small", {}, ...prose(schema.description || "")));
}

function bodyFields(body) {
  // Of a form and JSON the form, which is last in the order of names.
  const [kind, content] = Object.entries(body.content).at(-1);
  const shape = resolved(content.schema);
  if (kind !== "application/json") {
    return Object.entries(shape.properties).map(([name, schema]) =>
      field(name, "form", schema, shape.required.includes(name)));
  }
  const text = JSON.stringify(content.example, null, 2);
  const area = make("textarea", { spellcheck: false, rows: text.split("\n").length + 1 });
  area.value = text;
  area.dataset.place = "json";
  return [make("label", {}, make("span", { className: "name" }, "Body"), area,
    make("small", {}, shape.description))];
}

function requestOf(operation, form) {
  const headers = authorization ? { Authorization: authorization } : {};
  const query = new URLSearchParams();
  const options = { method: operation.method, headers };
  let path = operation.path;
  for (const input of form.querySelectorAll("[data-place]")) {
    const { name, value, dataset: { place } } = input;
    if (place === "path") path = path.replace(`{${name}}`, encodeURIComponent(value));
    else if (place === "json") {
      options.body = value;
      headers["Content-Type"] = "application/json";
    } else if (value === "" && place !== "form") continue;
    else if (place === "query") query.set(name, value);
    else if (place === "header") headers[name] = value;
    else (options.body = options.body || new URLSearchParams()).set(name, value);
  }
  const asked = query.toString();
  return [asked ? `${path}?${asked}` : path, options];
}

async function show(operation, form, result) {
  const [path, options] = requestOf(operation, form);
  result.replaceChildren(make("p", {}, "Waiting…"));
  try {
    const answer = await fetch(base + path, options);
    const text = await answer.text();
    const headers = [...answer.headers].map(([name, value]) => `${name}: ${value}`).join("\n");
    result.replaceChildren(
      make("p", {}, make("strong", { className: answer.ok ? "good" : "bad" },
        `${answer.status} ${answer.statusText}`), ` to ${options.method} ${path}`),
      make("pre", { tabIndex: 0, ariaLabel: "Body of the answer" }, text || "(no body)"),
      make("details", {}, make("summary", {}, "Headers"), make("pre", { tabIndex: 0 }, headers)),
    );
    if (path.startsWith("/api/v1/auth_session/") && scheme() === "session") await greet();
  } catch (error) {
    result.replaceChildren(make("p", { className: "bad" }, "The service cannot be reached."));
  }
}

function trial(operation) {
  const result = make("div", { role: "status" });
  const fields = operation.parameters
    // What browsers say of themselves no page can say for them.
    .filter((one) => !one.name.startsWith("Sec-"))
    .map((one) => field(one.name, one.in, one.schema, Boolean(one.required)));
  if (operation.requestBody) fields.push(...bodyFields(operation.requestBody));
  const form = make("form", {}, ...fields,
    make("button", {}, `Send ${operation.method}`));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    show(operation, form, result);
  });
  return [form, result];
}

function answers(operation) {
  const list = make("dl");
  for (const [status, reference] of Object.entries(operation.responses)) {
    const answer = resolved(reference);
    const said = make("dd", {}, ...prose(answer.description));
    const content = answer.content && Object.values(answer.content)[0];
    if (status < 300 && content && content.example !== undefined) {
      said.append(make("pre", { tabIndex: 0, ariaLabel: `Example of ${status}` },
        JSON.stringify(content.example, null, 2)));
    }
    list.append(make("dt", {}, status), said);
  }
  return make("details", {}, make("summary", {}, "Answers"), list);
}

function shown(operation) {
  const entry = make("details", { className: "operation", id: operation.operationId },
    make("summary", {},
      make("b", { className: operation.method.toLowerCase() }, operation.method), " ",
      make("code", {}, operation.path), " ",
      make("span", {}, operation.summary)));
  // Hundreds of fields are made when they are looked at.
  entry.addEventListener("toggle", () => {
    if (entry.open && entry.children.length === 1) {
      entry.append(make("div", { className: "inside" },
        make("p", {}, ...prose(operation.description)), ...trial(operation), answers(operation)));
    }
  });
  entry.dataset.words = [operation.method, operation.path, operation.summary,
    operation.operationId].join(" ").toLowerCase();
  return entry;
}

// --- The page

function search() {
  const wanted = byId("search").value.toLowerCase();
  let count = 0;
  for (const group of byId("operations").children) {
    let some = 0;
    for (const entry of group.querySelectorAll(".operation")) {
      entry.hidden = !entry.dataset.words.includes(wanted);
      some += entry.hidden ? 0 : 1;
    }
    group.hidden = some === 0;
    count += some;
  }
  byId("none").textContent = count ? "" : "None.";
}

async function begin() {
  byId("entry").addEventListener("submit", signIn);
  byId("leave").addEventListener("click", signOut);
  byId("search").addEventListener("input", search);
  description = await (await fetch(base + "/openapi.json")).json();
  byId("title").textContent = `${description.info.title} API`;
  byId("about").append(...description.info.description.split("\n\n").map((one) => make("p", {}, ...prose(one))));
  for (const tag of description.tags) {
    const mine = operations().filter((one) => one.tags.includes(tag.name));
    byId("operations").append(make("section", {},
      make("h3", {}, tag.name), make("p", {}, tag.description), ...mine.map(shown)));
  }
  await greet();
}

begin().catch(() => { byId("none").textContent = "The description cannot be loaded."; });
