// <onboarding-progress status="/api/v1/onboarding/status/ID" dashboard="/portfolios/ID">: a run as it happens.
// Any page may embed it: set the property `token` to an async function that gives a bearer token, or throws an
// error named SignedOut where there is none; and if tokens are kept, `forget` to a function that is called when
// one was refused. The attribute `owner` names whose run it is: tabs of one owner share one stream; without it
// nothing is shared. Each document is announced by an event `status`, whose detail is the document.

import { ActivityLog } from "./activity-log.js";
import { attribute, make, save, write } from "./dom.js";
import { Follower } from "./follow.js";
import { Outcome } from "./outcome.js";
import { Client } from "./client.js";
import { Left, clock, count, duration, holdUp, mark, sentence } from "./words.js";

const STYLE = new URL("onboarding-progress.css", import.meta.url).href;
const LOG_PAGE = 500;
const CURRENT = ["connecting", "live", "polling"];
const LOG_AGAIN_MS = 3_000;
const STANDS = {
  connecting: "connecting…",
  live: "live",
  polling: "asking every few seconds",
  behind: "catching up…",
  unavailable: "offline",
  absent: "",
  "signed-out": "signed out",
  ended: "",
  resting: "no longer asking",
};

export class OnboardingProgress extends HTMLElement {
  #follower = null;
  #doc = null;
  #arrived = 0;
  #state = "connecting";
  #shown = "";
  #told = { phase: null, tens: null, ended: null };
  #filling = false;
  #again = null;
  #ticking = null;
  #left = new Left();
  #client = null;
  #log = new ActivityLog(() => this.#download("txt"));
  #outcome = new Outcome({
    act: (where, body) => this.#act(where, body),
    download: (form) => this.#download(form),
    again: () => this.#follower.restart(),
    page: (path) => new URL(path, this.#client.address).href,
  });
  #parts = {};

  connectedCallback() {
    if (this.shadowRoot === null) this.#build();
    this.#client = new Client({
      address: this.getAttribute("status"),
      // Looked up late: a page may set them before or after this class is there.
      token: () => this.token(),
      forget: () => this.forget?.(),
    });
    this.#follower = new Follower({
      client: this.#client,
      owner: this.getAttribute("owner"),
      told: (doc, arrived) => this.#take(doc, arrived),
      stood: (state, error) => this.#stand(state, error),
    });
    this.#follower.start();
    this.#ticking = setInterval(() => this.#tick(), 1000);
  }

  disconnectedCallback() {
    clearInterval(this.#ticking);
    clearTimeout(this.#again);
    this.#follower.stop();
  }

  #build() {
    const parts = this.#parts;
    parts.sentence = make("p", { className: "sentence", tabIndex: -1 }, "Looking…");
    parts.percent = make("span", { className: "percent" });
    parts.bar = bar("Overall progress");
    parts.bar.element.hidden = this.#log.element.hidden = true;
    parts.elapsed = make("span");
    parts.left = make("span");
    parts.attempt = make("span");
    parts.stand = make("span", { className: "stand" });
    parts.holdUp = make("p", { className: "note", hidden: true });
    parts.usable = make("p", { className: "quiet", hidden: true });
    parts.live = make("p", { className: "unseen", role: "status", "aria-live": "polite" });
    parts.phases = make("ol", { className: "phases" });
    parts.cancel = make("div", { className: "cancel", hidden: true });
    parts.updated = make("span");
    const sheet = make("link", { rel: "stylesheet", href: STYLE });
    const whole = make(
      "div",
      { className: "whole", hidden: true },
      make("div", { className: "head" }, parts.sentence, parts.percent),
      parts.bar.element,
      make("p", { className: "figures quiet" }, parts.attempt, parts.elapsed, parts.left, parts.updated, parts.stand),
      parts.holdUp,
      this.#outcome.element,
      this.#outcome.said,
      parts.phases,
      parts.usable,
      parts.cancel,
      this.#log.element,
      parts.live,
    );
    const show = () => { whole.hidden = false; };
    sheet.addEventListener("load", show);
    sheet.addEventListener("error", show);
    this.attachShadow({ mode: "open" }).append(sheet, whole);
  }

  #take(doc, arrived) {
    const run = `${doc.run_id}`;
    if (run !== this.#shown) {
      this.#shown = run;
      this.#log.clear();
    }
    this.#doc = doc;
    this.#arrived = arrived;
    this.#draw();
    this.#fill();
    this.dispatchEvent(new CustomEvent("status", { detail: doc, bubbles: true, composed: true }));
  }

  #stand(state, error) {
    this.#state = state;
    const stand = this.#parts.stand;
    write(stand, STANDS[state]);
    attribute(stand, "data-state", state);
    if (state === "absent") this.#forgetRun();
    if (this.#doc === null) write(this.#parts.sentence, state === "connecting" || state === "behind" ? "Looking…" : "");
    this.#outcome.stand(state, error);
    this.#tick();
    if (state === "unavailable" || state === "signed-out") this.#announce(STANDS[state]);
    this.dispatchEvent(new CustomEvent("stand", { detail: { state }, bubbles: true, composed: true }));
  }

  /** Nothing of it is this caller's to see any more. */
  #forgetRun() {
    this.#doc = null;
    this.#log.clear();
    const { phases, percent, bar: overall, elapsed, left, updated, attempt, holdUp: note, usable, cancel } = this.#parts;
    for (const part of [phases, percent, elapsed, left, updated, attempt]) part.replaceChildren();
    for (const part of [overall.element, note, usable, cancel, this.#log.element]) part.hidden = true;
    this.#outcome.draw(null, null);
  }

  #draw() {
    const { sentence: head, percent, bar: overall, holdUp: note, usable, attempt } = this.#parts;
    const doc = this.#doc;
    const told = sentence(doc);
    const begun = doc.status !== "not_found";
    write(head, told);
    write(percent, begun ? `${doc.overall_progress.percent_complete} %` : "");
    const unknown = doc.status === "running" && doc.work_started_at === null;
    overall.set(unknown ? null : doc.overall_progress.percent, `${doc.overall_progress.percent_complete} percent, ${told}`);
    overall.element.hidden = !begun;
    attribute(this, "data-status", doc.status);
    write(note, holdUp(doc));
    note.hidden = note.textContent === "";
    write(attempt, doc.attempt > 1 ? `attempt ${doc.attempt}` : "");
    write(this.#parts.updated, doc.finished_at ? `ended ${clock(doc.finished_at)}` : doc.updated_at ? `updated ${clock(doc.updated_at)}` : "");
    this.#drawPhases(doc);
    const later = doc.status === "running" ? doc.usable.later : [];
    write(usable, later.length ? `Not ready yet: ${later.join(", ")}.` : "");
    usable.hidden = later.length === 0;
    this.#outcome.draw(doc, this.getAttribute("dashboard"));
    this.#drawCancel(doc);
    this.#log.element.hidden = !begun;
    this.#tick();
    this.#speak(doc, told);
  }

  #drawPhases(doc) {
    const list = this.#parts.phases;
    if (list.childElementCount === 0) list.append(...doc.phases.map(() => new PhaseRow().element));
    doc.phases.forEach((phase, place) => list.children[place].row.draw(phase));
  }

  #drawCancel(doc) {
    const { cancel } = this.#parts;
    const where = doc.links.cancel;
    cancel.hidden = where === undefined;
    if (cancel.hidden || cancel.childElementCount) return;
    const sure = make("span", { hidden: true }, "Stop this run? Finished work is kept. ");
    const yes = this.#outcome.button("Stop it", () => this.#act(this.#doc.links.cancel));
    yes.hidden = true;
    const ask = (asking) => {
      sure.hidden = yes.hidden = no.hidden = !asking;
      first.hidden = asking;
      (asking ? no : first).focus();
    };
    const no = make("button", { type: "button", className: "quiet", hidden: true, onclick: () => ask(false) }, "Go on");
    const first = make("button", { type: "button", className: "quiet", onclick: () => ask(true) }, "Cancel");
    cancel.append(first, sure, yes, " ", no);
  }

  /** What moves without news from the service: the elapsed and the remaining time. */
  #tick() {
    const doc = this.#doc;
    if (doc === null || doc.started_at === null) return;
    // Without news nothing is known of what has passed since.
    if (doc.status === "running" && !CURRENT.includes(this.#state)) return;
    const since = doc.status === "running" ? (performance.now() - this.#arrived) / 1000 : 0;
    const elapsed = doc.elapsed_seconds + since;
    write(this.#parts.elapsed, `${duration(Math.floor(elapsed))} elapsed`);
    write(this.#parts.left, doc.status === "running" ? this.#left.text(doc, elapsed, performance.now()) : "");
  }

  /** Tell those who listen: each phase, each tenth, the end; not each line. */
  #speak(doc, told) {
    const phase = doc.overall_progress.current_phase_name;
    const tens = Math.floor(doc.overall_progress.percent_complete / 10);
    const before = this.#told;
    this.#told = { phase, tens, ended: doc.status };
    if (before.phase === null || doc.status === "not_found") return;
    if (doc.status !== before.ended) this.#announce(told);
    else if (doc.status === "running" && phase !== before.phase) this.#announce(`${phase}, ${tens * 10} percent`);
    else if (doc.status === "running" && tens > before.tens) this.#announce(`${tens * 10} percent`);
  }

  #announce(text) {
    write(this.#parts.live, text);
  }

  /** Add the newest document's entries to the log; those it does not carry are asked for first. */
  async #fill() {
    if (this.#filling) return;
    this.#filling = true;
    clearTimeout(this.#again);
    try {
      for (;;) {
        const doc = this.#doc;
        const feed = doc.activity_log;
        const more = doc.attempt > 1 || doc.log.total > feed.length;
        if (!more || this.#log.last >= feed[0].seq - 1) return this.#log.add(feed);
        const reply = await this.#client.request(`${doc.links.log}?after=${this.#log.last}&limit=${LOG_PAGE}`);
        const { entries } = await reply.json();
        if (doc.run_id !== this.#doc.run_id) continue;
        if (entries.length === 0) return this.#log.add(this.#doc.activity_log);
        this.#log.add(entries);
      }
    } catch {
      // Nothing is added, so that no line is passed over.
      this.#again = setTimeout(() => this.#fill(), LOG_AGAIN_MS);
    } finally {
      this.#filling = false;
    }
  }

  /** Set something going, then look at once. Throws Refused. */
  async #act(where, body = null) {
    const headers = { "Idempotency-Key": crypto.randomUUID?.() ?? `${Date.now()}-${Math.random()}` };
    if (body !== null) headers["Content-Type"] = "application/json";
    try {
      await this.#client.request(where, { method: "POST", headers, body: body && JSON.stringify(body) });
    } catch (error) {
      // Looking again tells how to sign in.
      if (error.status === 401) this.#follower.restart();
      throw error;
    }
    this.#parts.cancel.replaceChildren();
    this.#follower.restart();
    // The button that was pressed goes; whoever has no mouse stays where the news is.
    this.#parts.sentence.focus();
  }

  async #download(form) {
    const reply = await this.#client.request(`${this.#doc.links.download}?format=${form}`);
    const named = /filename="([^"]+)"/.exec(reply.headers.get("Content-Disposition") ?? "");
    save(named?.[1] ?? `glassfolio-setup-log.${form}`, await reply.blob());
  }
}

/** One phase: its mark and word, its counts, its bar while it runs, how long it took. */
class PhaseRow {
  constructor() {
    this.icon = make("span", { className: "icon", "aria-hidden": "true" });
    this.name = make("span", { className: "name" });
    this.word = make("span", { className: "word quiet" });
    this.count = make("span", { className: "count" });
    this.took = make("span", { className: "took quiet" });
    this.bar = bar("");
    this.element = make("li", {}, this.icon, this.name, this.word, this.count, this.took, this.bar.element);
    this.element.row = this;
  }

  draw(phase) {
    const [icon, word] = mark(phase);
    attribute(this.element, "data-status", phase.outcome === "ok_with_warnings" ? "gaps" : phase.status);
    write(this.icon, icon);
    write(this.name, phase.phase_name);
    write(this.word, word);
    const stored = phase.cached && phase.cached < phase.current ? `, ${phase.cached} stored before` : "";
    const failed = phase.failed ? `, ${phase.failed} without result` : "";
    write(this.count, `${count(phase)}${stored}${failed}`);
    write(this.took, phase.duration_seconds === null ? "" : duration(phase.duration_seconds));
    this.bar.element.hidden = phase.status !== "running";
    attribute(this.bar.element, "aria-label", phase.phase_name);
    this.bar.set(phase.total ? (100 * phase.current) / phase.total : null, count(phase));
  }
}

/** A progress bar; without a percent it is indeterminate. */
function bar(label) {
  const fill = make("div", { className: "fill" });
  const element = make(
    "div",
    { className: "bar", role: "progressbar", "aria-label": label, "aria-valuemin": "0", "aria-valuemax": "100" },
    fill,
  );
  const set = (percent, text) => {
    attribute(element, "aria-valuenow", percent === null ? null : Math.floor(percent));
    attribute(element, "aria-valuetext", text);
    element.classList.toggle("unknown", percent === null);
    fill.style.width = percent === null ? "" : `${percent}%`;
  };
  return { element, set };
}

customElements.define("onboarding-progress", OnboardingProgress);
