// Better Auth on better-sqlite3, behind Node's own HTTP server.
//
// As its documents have it for a server of one's own: `getSession` with the
// headers of the request, the handler for everything under /api/auth. Its
// limit for guesses is off, since all logins of the load succeed.

import { createServer } from "node:http";
import Database from "better-sqlite3";
import { betterAuth } from "better-auth";
import { getMigrations } from "better-auth/db/migration";
import { fromNodeHeaders, toNodeHandler } from "better-auth/node";

const given = process.env;
const database = new Database(`${given.PEER_FOLDER}/better_auth.db`);
database.pragma("journal_mode = WAL");

const auth = betterAuth({
  baseURL: `http://127.0.0.1:${given.PEER_PORT}`,
  secret: "a secret of a server that lives for some minutes on loopback",
  database,
  emailAndPassword: { enabled: true },
  rateLimit: { enabled: false },
  telemetry: { enabled: false },
  // Cached for longer than the five minutes of the documents: a run lasts
  // longer, and what lives longer is no slower.
  session: {
    cookieCache: { enabled: given.PEER_VARIANT === "cached", maxAge: 3600 },
  },
});

function answer(response, status, body) {
  const text = JSON.stringify(body);
  response.writeHead(status, {
    "Content-Type": "application/json",
    "Content-Length": Buffer.byteLength(text),
  });
  response.end(text);
}

async function whoami(request, response) {
  const found = await auth.api.getSession({
    headers: fromNodeHeaders(request.headers),
  });
  if (found === null) {
    answer(response, 401, { error: "Unauthorized" });
  } else {
    answer(response, 200, { id: found.user.id, email: found.user.email });
  }
}

async function prepare() {
  const { runMigrations } = await getMigrations(auth.options);
  await runMigrations();
  for (const email of given.PEER_EMAILS.split(",")) {
    await auth.api.signUpEmail({
      body: { email, password: given.PEER_PASSWORD, name: "Ada" },
    });
  }
  database.close();
  // What it stores is a salt and a key; its cost stands in its code alone.
  console.log("scrypt:16384:16:1");
}

if (process.argv[2] === "prepare") {
  await prepare();
} else {
  const others = toNodeHandler(auth);
  createServer((request, response) =>
    request.url === "/whoami"
      ? whoami(request, response)
      : others(request, response),
  ).listen(Number(given.PEER_PORT), "127.0.0.1");
}
