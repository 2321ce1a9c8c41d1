// What a run came to, and what can be done: completed, with gaps, failed, not started, not reachable.
// Knows nothing of how things are set going.

import { make, write } from "./dom.js";
import { clock, share } from "./words.js";

// A bar that is over sooner was hardly looked at; its figures stand in the list of runs.
const JUDGED_SECONDS = 20;
const LOST = {
  unavailable: ["The service cannot be reached", "It is asked again by itself. What is shown here may be out of date."],
  absent: ["There is nothing here", "This portfolio does not exist, or is not yours."],
  "signed-out": ["You are signed out", "Sign in again; this page goes on by itself."],
  resting: ["Nothing has changed for half an hour", "This page has stopped asking."],
};

export class Outcome {
  #doc = null;
  #dashboard = null;
  #stands = "connecting";
  #error = null;
  #drawn = "";
  /** What went wrong with the last button that was pressed. */
  said = make("p", { className: "bad", role: "alert" });

  /** act(where, body), download(form), again(): what the buttons do. page(path): a page of the service. */
  constructor({ act, download, again, page }) {
    this.page = page;
    this.act = act;
    this.download = download;
    this.again = again;
    this.element = make("div", { className: "outcome", hidden: true });
  }

  /** Show how the view stands with its service. */
  stand(state, error) {
    this.#stands = state;
    this.#error = error;
    this.#show();
  }

  /** Show what a document says of the end. dashboard: where the results are. */
  draw(doc, dashboard) {
    this.#doc = doc;
    this.#dashboard = dashboard;
    this.#show();
  }

  #show() {
    const doc = this.#doc;
    const lost = this.#stands in LOST ? this.#stands : "";
    // Drawn once for each outcome, so that nobody's focus is taken away.
    const key = `${lost} ${doc?.run_id} ${doc?.attempt} ${doc?.status} ${doc?.conclusion}`;
    if (key === this.#drawn) return;
    this.#drawn = key;
    write(this.said, "");
    const ended = doc === null ? [] : this.#ended(doc);
    this.element.replaceChildren(...(lost ? this.#lost(lost) : []), ...ended);
    this.element.hidden = this.element.childElementCount === 0;
  }

  #lost(state) {
    const [title, text] = LOST[state];
    const answered = state === "unavailable" && this.#error?.status;
    const heading = answered ? "The service has a problem" : title;
    const status = answered ? ` It answered ${answered}: ${this.#error.message}` : "";
    const actions = make("p", { className: "actions" });
    if (state === "signed-out") actions.append(make("a", { href: this.page("/sign-in"), target: "_blank" }, "Sign in"));
    if (state !== "absent") actions.append(this.button("Try again", () => this.again()));
    return [make("div", { className: "card lost" }, make("h2", {}, heading), make("p", {}, text, status), actions)];
  }

  #ended(doc) {
    if (doc.status === "not_found") return [this.#notStarted(doc)];
    if (doc.status === "failed") return [this.#failed(doc)];
    if (doc.status === "completed") return [this.#completed(doc), ...this.#gaps(doc)];
    return [];
  }

  #notStarted(doc) {
    return make(
      "div",
      { className: "card" },
      make("p", {}, "The file is stored. Nothing has been fetched or computed for it."),
      make("p", { className: "actions" }, this.#starter("Start", doc.links.start)),
    );
  }

  #failed(doc) {
    const { failure, links } = doc;
    const detail = failure.detail.charAt(0).toUpperCase() + failure.detail.slice(1);
    const actions = make("p", { className: "actions" });
    if (links.retry) actions.append(this.#starter("Retry", links.retry));
    actions.append(this.button("Download the log", () => this.download("txt")));
    return make(
      "div",
      { className: "card failed" },
      make("h2", {}, failure.title),
      make("p", {}, detail),
      make("p", {}, failure.action.label, failure.retry_at ? ` A retry may help from ${clock(failure.retry_at)} on.` : ""),
      failure.error_id ? make("p", { className: "quiet" }, `Error id ${failure.error_id}`) : null,
      actions,
    );
  }

  #completed(doc) {
    const summary = doc.activity_log.at(-1)?.message ?? "";
    const actions = make("p", { className: "actions" });
    if (this.#dashboard) actions.append(make("a", { className: "button", href: this.#dashboard }, "Open the portfolio"));
    return make(
      "div",
      { className: doc.warnings_total ? "card gaps" : "card done" },
      make("p", { className: "summary" }, summary),
      make("p", {}, `Ready: ${doc.usable.now.join(", ")}.`, doc.data_as_of ? ` Prices up to ${doc.data_as_of}.` : ""),
      doc.honesty?.seconds >= JUDGED_SECONDS ? make("p", { className: "quiet" }, doc.honesty.text) : null,
      actions,
    );
  }

  #gaps(doc) {
    if (doc.symbols.length === 0) return [];
    const rows = doc.symbols.map((one, place) =>
      make(
        "tr",
        {},
        make("th", { scope: "row" }, one.symbol),
        make("td", {}, share(one.share_of_value)),
        make("td", {}, doc.warnings[place]?.detail.replace(`${one.symbol}: `, "") ?? one.effect),
        make("td", {}, one.action?.label ?? ""),
      ),
    );
    const head = ["Symbol", "Share of value", "What is missing", "What helps"];
    return [
      make(
        "div",
        { className: "card gaps" },
        make("h2", {}, `Missing: ${doc.symbols.length} ${doc.symbols.length === 1 ? "symbol" : "symbols"}`),
        make(
          "div",
          { className: "wide", tabIndex: 0, role: "region", "aria-label": "Missing symbols" },
          make(
            "table",
            {},
            make("thead", {}, make("tr", {}, ...head.map((text) => make("th", { scope: "col" }, text)))),
            make("tbody", {}, ...rows),
          ),
        ),
        doc.links.retry_failed
          ? make("p", { className: "actions" }, this.#starter("Retry these", doc.links.retry_failed, { only: "failed_symbols" }))
          : null,
      ),
    ];
  }

  #starter(label, where, body = null) {
    return this.button(label, () => this.act(where, body), "");
  }

  /** A button that says what went wrong with what it set going. */
  button(label, does, className = "quiet") {
    const button = make("button", { type: "button", className }, label);
    button.addEventListener("click", async () => {
      button.disabled = true;
      write(this.said, "");
      try {
        await does();
      } catch (error) {
        write(this.said, error.message);
      } finally {
        button.disabled = false;
      }
    });
    return button;
  }
}
