// The activity log: every entry once, in order, scrolling by itself only while its reader is at the bottom.
// Knows nothing of where the entries come from.

import { make, write } from "./dom.js";
import { clock } from "./words.js";

const NEAR_BOTTOM_PX = 30;
const MARKS = { info: "", warning: "⚠ ", error: "✕ " };

export class ActivityLog {
  #entries = [];
  #last = 0;
  #unseen = 0;
  #follows = true;
  #level = "info";
  #list = make("ol", { className: "entries" });
  #box;
  #jump;
  #empty;

  /** download(): saves the whole log. */
  constructor(download) {
    this.#empty = make("p", { className: "quiet" }, "Nothing yet.");
    this.#box = make(
      "div",
      { className: "log", role: "log", "aria-live": "off", "aria-label": "Activity", tabIndex: 0, onscroll: () => this.#scrolled() },
      this.#empty,
      this.#list,
    );
    this.#jump = make("button", { type: "button", className: "jump", hidden: true, onclick: () => this.#toBottom() });
    const levels = make(
      "select",
      { onchange: (event) => this.#filter(event.target.value) },
      make("option", { value: "info" }, "everything"),
      make("option", { value: "warning" }, "warnings and errors"),
      make("option", { value: "error" }, "errors"),
    );
    this.element = make(
      "section",
      { className: "activity", "aria-label": "Activity log" },
      make(
        "div",
        { className: "row" },
        make("h2", {}, "Activity"),
        make("label", {}, "Show ", levels),
        make("button", { type: "button", className: "quiet small", onclick: download }, "Download the log"),
      ),
      make("div", { className: "holder" }, this.#box, this.#jump),
    );
  }

  /** The number of the newest entry that is shown. */
  get last() {
    return this.#last;
  }

  /** Forget everything: another run is shown. */
  clear() {
    this.#entries = [];
    this.#last = this.#unseen = 0;
    this.#follows = true;
    this.#list.replaceChildren();
    this.#empty.hidden = false;
    this.#tell();
  }

  /** Take entries in ascending order; those that are there already are passed over. */
  add(entries) {
    const added = entries.filter((entry) => entry.seq > this.#last);
    if (added.length === 0) return;
    this.#last = added.at(-1).seq;
    for (const entry of added) this.#append(entry);
    this.#empty.hidden = true;
    if (this.#follows) this.#toBottom();
    else this.#unseen += added.length;
    this.#tell();
  }

  #append(entry) {
    const before = this.#entries.at(-1);
    if (before && before.entry.message === entry.message && before.entry.level === entry.level) {
      before.times += 1;
      write(before.repeated, ` (${before.times} times)`);
      return;
    }
    const repeated = make("span", { className: "quiet" });
    const line = make(
      "li",
      { className: entry.level, hidden: !this.#shows(entry.level) },
      make("time", { dateTime: entry.timestamp, title: `${entry.timestamp} (UTC)` }, clock(entry.timestamp)),
      make("span", {}, MARKS[entry.level], entry.level === "info" ? "" : make("span", { className: "unseen" }, `${entry.level}: `), entry.message, repeated),
    );
    this.#entries.push({ entry, line, repeated, times: 1 });
    this.#list.append(line);
  }

  #shows(level) {
    const order = ["info", "warning", "error"];
    return order.indexOf(level) >= order.indexOf(this.#level);
  }

  #filter(level) {
    this.#level = level;
    for (const { entry, line } of this.#entries) line.hidden = !this.#shows(entry.level);
    if (this.#follows) this.#toBottom();
  }

  #scrolled() {
    const box = this.#box;
    this.#follows = box.scrollHeight - box.scrollTop - box.clientHeight <= NEAR_BOTTOM_PX;
    if (this.#follows) this.#unseen = 0;
    this.#tell();
  }

  #toBottom() {
    this.#box.scrollTop = this.#box.scrollHeight;
    this.#follows = true;
    this.#unseen = 0;
    this.#tell();
  }

  #tell() {
    this.#jump.hidden = this.#follows;
    write(this.#jump, this.#unseen ? `Jump to latest (${this.#unseen} new)` : "Jump to latest");
  }
}
