// Hands in a holdings file, and shows what is wrong with it beside the rows it is wrong in.

import { make } from "./dom.js";
import { bearer, forget } from "./session.js";

const form = document.querySelector("#upload");
const found = document.querySelector("#found");
const drop = document.querySelector("#drop");
const buttons = form.querySelectorAll("button");
const MOST_ROWS = 500;

// The same key for the same content: a second click, or a repeat after a lost answer, starts nothing twice.
let key = fresh();
form.addEventListener("input", () => { key = fresh(); });
form.addEventListener("submit", (event) => {
  event.preventDefault();
  hand(false);
});
document.querySelector("#check").addEventListener("click", () => hand(true));

form.elements.name.addEventListener("input", () => {
  const account = form.elements.account_name;
  if (!account.dataset.own) account.value = form.elements.name.value.slice(0, account.maxLength);
});
form.elements.account_name.addEventListener("input", (event) => { event.target.dataset.own = "yes"; });

for (const name of ["dragenter", "dragover"]) {
  drop.addEventListener(name, (event) => {
    event.preventDefault();
    drop.classList.add("over");
  });
}
for (const name of ["dragleave", "drop"]) drop.addEventListener(name, () => drop.classList.remove("over"));
drop.addEventListener("drop", (event) => {
  event.preventDefault();
  if (event.dataTransfer.files.length) {
    form.elements.file.files = event.dataTransfer.files;
    form.dispatchEvent(new Event("input"));
  }
});

function fresh() {
  return crypto.randomUUID?.() ?? `${Date.now()}-${Math.random()}`;
}

async function hand(checks) {
  const file = form.elements.file.files[0];
  if (file && file.size > Number(form.dataset.mostBytes)) {
    return say(`${file.name} is larger than ${form.dataset.mostBytes / 1024 ** 2} MiB.`);
  }
  let rows;
  try {
    rows = file ? await lines(file) : [];
  } catch {
    form.elements.file.value = "";
    return say(`${file.name} has changed on disk since it was chosen, or cannot be read: choose it again.`);
  }
  for (const button of buttons) button.disabled = true;
  show(make("p", { role: "status" }, checks ? "Checking…" : "Handing in…"));
  try {
    const reply = await send(checks);
    if (reply.ok) await accepted(reply, checks, rows);
    else await refused(reply, rows);
  } catch (error) {
    say(error.name === "SignedOut" ? "You are signed out. Sign in in another tab, then try again." : "No answer arrived. Press the button again: whatever became of this try, the file is stored once.");
  } finally {
    for (const button of buttons) button.disabled = false;
  }
}

async function send(checks, again = true) {
  const body = new FormData(form);
  if (!form.elements.file.files.length) body.delete("file");
  const headers = { Authorization: `Bearer ${await bearer()}`, "Idempotency-Key": key };
  const reply = await fetch(`/api/v1/portfolios${checks ? "?dry_run=true" : ""}`, { method: "POST", headers, body });
  if (reply.status === 401 && again) {
    forget();
    return send(checks, false);
  }
  return reply;
}

async function accepted(reply, checks, rows) {
  const answer = await reply.json();
  const onboarding = `/portfolios/${answer.portfolio_id}/onboarding`;
  if (!checks && answer.warnings.length === 0) return location.assign(onboarding);
  const count = `${answer.positions} ${answer.positions === 1 ? "lot" : "lots"}`;
  const warned = answer.warnings.length ? `, with ${answer.warnings.length} warnings` : "";
  const said = checks ? `The file is fine: ${count}${warned}. Nothing was stored yet.` : `The onboarding has started: ${count}${warned}. `;
  const watch = checks ? "" : make("a", { href: onboarding }, "Watch it");
  show(make("p", { className: "notice good", role: "status" }, said, watch), ...table(answer.warnings, rows));
  watch.focus?.();
}

async function refused(reply, rows) {
  const isProblem = reply.headers.get("Content-Type")?.startsWith("application/problem+json");
  const problem = isProblem ? await reply.json() : { detail: `The service answered ${reply.status}.` };
  const taken = problem.links?.portfolio?.split("/").at(-1);
  const wait = reply.headers.get("Retry-After");
  const notice = make(
    "p",
    { className: "notice bad", role: "alert" },
    problem.detail,
    wait ? ` Try again in ${wait} s.` : "",
    taken ? make("a", { href: `/portfolios/${taken}` }, " Open that portfolio") : "",
  );
  show(notice, ...table(problem.errors ?? [], rows));
  mark(problem.errors ?? []);
  found.focus();
}

/** Problems, each beside the row of the file that it is about. */
function table(problems, rows) {
  if (problems.length === 0) return [];
  const byPlace = Map.groupBy
    ? Map.groupBy(problems, (one) => one.line)
    : problems.reduce((map, one) => map.set(one.line, [...(map.get(one.line) ?? []), one]), new Map());
  const places = [...byPlace.keys()].sort((a, b) => (a ?? 0) - (b ?? 0)).slice(0, MOST_ROWS);
  const body = places.map((line) => {
    const here = byPlace.get(line);
    const end = Math.max(...here.map((one) => one.end_line ?? line));
    const text = line === null ? "" : rows.slice(line - 1, end).join("\n");
    const items = here.map((one) =>
      make("li", { className: one.severity ?? "error" }, make("strong", {}, one.column ?? "file"), `: ${one.detail} `, make("span", { className: "hint" }, one.hint ?? "", " ", make("code", {}, one.code ?? ""))),
    );
    return make("tr", {}, make("th", { scope: "row" }, line === null ? "form" : String(line)), make("td", {}, make("code", { className: "cells" }, ...marked(text, here))), make("td", {}, make("ul", {}, ...items)));
  });
  const head = ["Line", "As it stands in the file", "What is wrong, and what to do"].map((text) => make("th", { scope: "col" }, text));
  const more = byPlace.size > places.length ? make("p", { className: "hint" }, `and ${byPlace.size - places.length} more rows`) : "";
  return [
    make("div", { className: "wide", role: "region", tabIndex: 0, "aria-label": "Problems by row" }, make("table", { className: "problems" }, make("thead", {}, make("tr", {}, ...head)), make("tbody", {}, ...body))),
    more,
  ];
}

/** A row with the faulty cells marked, where they can be found in it. */
function marked(text, problems) {
  const places = problems
    .map((one) => (one.value ? [text.indexOf(one.value), one.value.length] : [-1, 0]))
    .filter(([at]) => at >= 0)
    .sort((a, b) => a[0] - b[0]);
  const pieces = [];
  let from = 0;
  for (const [at, length] of places) {
    if (at < from) continue;
    pieces.push(text.slice(from, at), make("mark", {}, text.slice(at, at + length)));
    from = at + length;
  }
  return [...pieces, text.slice(from)];
}

function mark(problems) {
  for (const field of form.elements) field.removeAttribute("aria-invalid");
  for (const one of problems) {
    if (one.line === null && form.elements[one.column]) form.elements[one.column].setAttribute("aria-invalid", "true");
  }
}

function say(text) {
  show(make("p", { className: "notice bad", role: "alert" }, text));
}

function show(...parts) {
  mark([]);
  found.replaceChildren(...parts);
}

/** The physical lines of a file, read as the service reads it. */
async function lines(file) {
  const bytes = await file.arrayBuffer();
  const start = new Uint8Array(bytes, 0, Math.min(2, bytes.byteLength));
  const wide = start[0] === 0xff && start[1] === 0xfe ? "utf-16le" : start[0] === 0xfe && start[1] === 0xff ? "utf-16be" : null;
  try {
    return new TextDecoder(wide ?? "utf-8", { fatal: true }).decode(bytes).split(/\r\n|\r|\n/);
  } catch {
    return new TextDecoder("windows-1252").decode(bytes).split(/\r\n|\r|\n/);
  }
}
