// A status document's numbers in words. The sentences of the log come from the service; these are the page's own.

const DATE = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "long", year: "numeric", timeZone: "UTC" });
const CLOCK = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const DAY = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", year: "numeric" });
const NARROW = 2;
const STILL_MS = 2_000;

export const MARKS = {
  pending: ["○", "pending"],
  running: ["◐", "running"],
  completed: ["✓", "done"],
  ok_with_warnings: ["⚠", "done, with gaps"],
  skipped: ["–", "skipped"],
  cached: ["✓", "nothing to do"],
  failed: ["✕", "failed"],
  cancelled: ["✕", "cancelled"],
  not_run: ["○", "not run"],
};

/** The mark and the word of a phase. */
export function mark(phase) {
  return MARKS[phase.outcome] ?? MARKS[phase.status];
}

/** A duration: 7 s, 3 min 12 s, 2 h 5 min. */
export function duration(seconds) {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 60) return seconds < 9.95 && seconds % 1 ? `${seconds.toFixed(1)} s` : `${whole} s`;
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  if (hours) return minutes ? `${hours} h ${minutes} min` : `${hours} h`;
  return rest ? `${minutes} min ${rest} s` : `${minutes} min`;
}

function rough(seconds) {
  if (seconds < 10) return `${Math.round(seconds)} s`;
  if (seconds < 57.5) return `${Math.round(seconds / 5) * 5} s`;
  if (seconds < 3570) return `${Math.round(seconds / 60)} min`;
  return `${Math.round(seconds / 360) / 10} h`;
}

/** The remaining time as it is shown: changed every two seconds at most, and never longer without a reason. */
export class Left {
  #shown = "";
  #since = 0;
  #run = "";
  #ends = [Infinity, Infinity, Infinity];

  /** elapsed: seconds of the attempt so far. now: the page's clock in ms. */
  text(doc, elapsed, now) {
    const run = `${doc.run_id} ${doc.attempt} ${doc.eta?.reason}`;
    if (run === this.#run && now - this.#since < STILL_MS) return this.#shown;
    if (run !== this.#run) this.#ends = [Infinity, Infinity, Infinity];
    this.#run = run;
    this.#since = now;
    this.#shown = doc.eta ? this.#span(doc, elapsed) : doc.state === "running" ? "estimating…" : "";
    return this.#shown;
  }

  #span(doc, elapsed) {
    const told = (Date.parse(doc.eta.as_of) - Date.parse(doc.started_at)) / 1000;
    // When it will be over, in seconds of the attempt: that may only come nearer, but for a reason.
    const { seconds, low, high } = doc.eta;
    this.#ends = [seconds, low, high].map((left, place) => Math.min(this.#ends[place], Math.max(told, 0) + left));
    return remaining(...this.#ends.map((end) => Math.max(0, end - elapsed)), doc.eta.text);
  }
}

/** A remaining time in words, with what it rests on. */
function remaining(likely, low, high, text) {
  const why = text.slice(text.indexOf(", ") + 2);
  if (high <= 0) return "taking longer than expected";
  if (high <= 1 || (low > 0 && high / low < NARROW)) return `about ${rough(Math.max(1, likely))} left, ${why}`;
  if (low < 1) return `up to ${rough(high)} left, ${why}`;
  const [first, last] = [rough(low), rough(high)];
  const unit = first.split(" ")[1];
  const span = first === last ? first : last.endsWith(` ${unit}`) ? `${first.split(" ")[0]}–${last}` : `${first}–${last}`;
  return `${span} left, ${why}`;
}

/** A moment on this machine's clock, with its day where that is not today. */
export function clock(moment) {
  const then = new Date(moment);
  const time = CLOCK.format(then);
  return then.toDateString() === new Date().toDateString() ? time : `${DAY.format(then)} ${time}`;
}

/** What a phase is at: a date in words, or a symbol. */
export function at(phase) {
  if (phase.now === null) return "";
  return phase.unit === "dates" ? DATE.format(new Date(`${phase.now}T00:00:00Z`)) : phase.now;
}

/** How far a phase is. */
export function count(phase) {
  if (phase.total === null) return "";
  return `${phase.current} of ${phase.total} ${phase.total === 1 ? phase.unit.slice(0, -1) : phase.unit}`;
}

/** A share of a whole. */
export function share(fraction) {
  return fraction === null ? "unknown" : `${(fraction * 100).toFixed(1)} %`;
}

const DOING = {
  phase_1: "Collecting prices",
  phase_1_5: "Measuring factor exposures",
  phase_1_75: "Computing symbol metrics",
  phase_2_6: "Building",
};
const QUEUED = {
  workers_busy: "Waiting for a free worker",
  own_limit: "Waiting for your other onboarding",
  no_worker: "Waiting: no worker is running",
};
const STALLED = {
  provider_silent: "the price source is silent",
  computing: "it is still computing",
};

/** What happens now, in a plain sentence. */
export function sentence(doc) {
  if (doc.status === "not_found") return "Not started yet";
  if (doc.status === "completed") return doc.warnings_total ? "Completed, with gaps" : "Completed";
  if (doc.status === "failed") return doc.conclusion === "cancelled" ? "Cancelled" : "Failed";
  if (doc.state === "queued") return QUEUED[doc.queue?.reason] ?? "Queued";
  if (doc.state === "cancelling") return "Stopping; finished work is kept";
  const phase = doc.phases.find((one) => one.status === "running");
  if (doc.state === "interrupted") {
    const where = phase ? ` It continues from ${phase.unit === "dates" ? "date" : "symbol"} ${phase.current + 1}.` : "";
    return `Interrupted: the worker stopped, another one takes over.${where}`;
  }
  if (phase === undefined) return "Planning the work";
  const now = at(phase);
  return now ? `${DOING[phase.phase_id]}${phase.unit === "dates" ? " " : ": "}${now}` : DOING[phase.phase_id];
}

/** What holds the work up, with a clock time where one is known; empty where nothing does. */
export function holdUp(doc) {
  const waiting = doc.phases.find((phase) => phase.waiting !== null)?.waiting;
  if (waiting) return `The price source allows the next request at ${clock(waiting.until)}.`;
  if (doc.stalled) {
    const why = STALLED[doc.stalled_reason] ?? "the reason is not known";
    return `No progress since ${clock(doc.last_progress_at ?? doc.stalled_since)}; still alive, ${why}.`;
  }
  if (doc.queue) {
    const starts = doc.queue.starts_in;
    const when = starts ? ` It starts in ${rough(starts.low)} to ${rough(starts.high)}.` : "";
    if (doc.queue.reason === "no_worker") return `Nobody works just now; the run is kept and begins when a worker starts.${when}`;
    return doc.queue.position > 1 ? `Number ${doc.queue.position} of your waiting runs.${when}` : when.trim();
  }
  return "";
}
