// Follows one status resource: by its event stream, by polling where there is no stream, once for all tabs.
// Knows nothing of what a document means, but for its `seq`, its `status` and when to ask again.

const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 30_000;
const POLL_MS = 2_000;
const RECONNECT_MS = 2_000;
const SILENCE_MS = 40_000; // The service sends something every 15 s.
const PATIENCE_MS = 30 * 60_000;
const ANSWER_MS = 1_000;
const UNAVAILABLE_FAILURES = 5;
const UNAVAILABLE_MS = 10_000;
const SIGNED_OUT_MS = 30_000;
const REPLY_MS = 15_000;
const LONGEST_HINT_MS = 120_000;

/** What a request came to when it did not come to an answer; status 0 where none arrived. */
export class Refused extends Error {
  constructor(status, problem = null, retryAfter = null) {
    super(problem?.detail ?? (status ? `The service answered ${status}.` : "The service cannot be reached."));
    this.status = status;
    this.problem = problem;
    this.retryAfterMs = hinted(retryAfter);
  }
}

/**
 * Where a view stands with its service:
 * connecting, live (by the stream), polling, behind (the last request failed), unavailable (many did),
 * absent (there is nothing for this caller), signed-out, ended (nothing will change by itself),
 * resting (nothing has changed for half an hour).
 */
export class Follower {
  #address;
  #token;
  #forget;
  #told;
  #stood;
  #stopping = null;
  #channel = null;
  #leads = false;
  #document = null;
  #arrived = 0;
  #tag = null;
  #state = "connecting";
  #heard = 0;
  #changed = 0;
  #failures = 0;
  #failing = 0;
  #refusedToken = false;
  #streamFrom = 0;

  /**
   * address: of the status resource. token: gives a bearer token, or throws an error named SignedOut.
   * forget: drops a token that was refused. told(document, arrived): for each document, with the moment on
   * the page's clock when it was new. stood(state, error): for each change of how the view stands.
   */
  constructor({ address, token, forget, told, stood }) {
    this.#address = new URL(address, document.baseURI).href;
    this.#token = token;
    this.#forget = forget;
    this.#told = told;
    this.#stood = stood;
  }

  /** Begin, or begin again after an end. */
  start() {
    if (this.#stopping !== null) return;
    this.#stopping = new AbortController();
    this.#changed = performance.now();
    this.#failures = 0;
    this.#streamFrom = 0;
    this.#stand("connecting");
    this.#listen();
    this.#follow(this.#stopping.signal);
  }

  /** End; nothing is told any more. */
  stop() {
    this.#stopping?.abort();
    this.#stopping = null;
    this.#channel?.close();
    this.#channel = null;
  }

  /** Ask again at once, whatever was waited for. */
  restart() {
    this.stop();
    this.start();
  }

  /**
   * One request to the service, with a token; `where` may be relative to the status resource.
   * Throws Refused, and what `token` throws.
   */
  async request(where, options = {}) {
    const { headers = {}, ...rest } = options;
    const token = await this.#token();
    let reply;
    try {
      reply = await fetch(new URL(where, this.#address), {
        cache: "no-store",
        ...rest,
        headers: { ...headers, Authorization: `Bearer ${token}` },
      });
    } catch (error) {
      if (error.name === "AbortError") throw error;
      throw new Refused(0);
    }
    if (reply.ok || reply.status === 304) {
      this.#refusedToken = false;
      return reply;
    }
    const isProblem = reply.headers.get("Content-Type")?.startsWith("application/problem+json");
    throw new Refused(reply.status, isProblem ? await reply.json() : null, reply.headers.get("Retry-After"));
  }

  async #follow(signal) {
    try {
      if (navigator.locks === undefined) return await this.#lead(signal);
      const lagging = new AbortController();
      this.#lag(AbortSignal.any([signal, lagging.signal])).catch(unlessStopped);
      await navigator.locks.request(`glassfolio ${this.#address}`, { signal }, () => {
        lagging.abort();
        return this.#lead(signal);
      });
    } catch (error) {
      unlessStopped(error);
    } finally {
      // An ended run may be taken up again, here or in another tab.
      if (this.#stopping?.signal === signal) this.#stopping = null;
    }
  }

  /** Ask the service, for this tab and the others, until the run has ended. */
  async #lead(signal) {
    this.#leads = true;
    try {
      while (!signal.aborted) {
        const pause = await this.#step(signal);
        if (pause === null) return;
        await sleep(pause, signal);
        if (performance.now() - this.#changed > PATIENCE_MS) return this.#stand("resting");
      }
    } finally {
      this.#leads = false;
    }
  }

  /** Be told by the tab that leads, and ask for oneself while it is silent. */
  async #lag(signal) {
    this.#heard = performance.now() - SILENCE_MS + ANSWER_MS;
    this.#channel?.postMessage({ asks: true });
    for (;;) {
      await sleep(ANSWER_MS, signal);
      if (performance.now() - this.#heard <= SILENCE_MS) continue;
      const pause = await this.#attempt(() => this.#poll(signal), signal);
      if (pause === null) return;
      await sleep(pause, signal);
    }
  }

  /** One stream until it ends, or one poll; returns how long to wait then, null for no more. */
  #step(signal) {
    const stream = performance.now() >= this.#streamFrom;
    return this.#attempt(() => (stream ? this.#stream(signal) : this.#poll(signal)), signal);
  }

  async #attempt(ask, signal) {
    try {
      const pause = await ask();
      this.#failures = 0;
      return pause;
    } catch (error) {
      if (signal.aborted) throw error;
      return this.#failed(error, signal);
    }
  }

  async #failed(error, signal) {
    if (error.name === "SignedOut" || (error.status === 401 && this.#refusedToken)) {
      this.#forget();
      this.#stand("signed-out", error);
      await comesBack(signal, SIGNED_OUT_MS);
      return 0;
    }
    if (error.status === 401) {
      this.#refusedToken = true;
      this.#forget();
      return 0;
    }
    if (error.status === 404) {
      this.#stand("absent", error);
      return null;
    }
    if (error.status === 429) return error.retryAfterMs ?? POLL_MS;
    this.#failures += 1;
    const now = performance.now();
    if (this.#failures === 1) this.#failing = now;
    const lost = this.#failures >= UNAVAILABLE_FAILURES && now - this.#failing >= UNAVAILABLE_MS;
    this.#stand(lost ? "unavailable" : "behind", error);
    const wait = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** (this.#failures - 1));
    // Where only the stream does not hold, polls bridge the time until it is tried again.
    this.#streamFrom = now + Math.max(wait, POLL_MS) * 2;
    return error.retryAfterMs ?? spread(wait);
  }

  async #stream(signal) {
    const silence = new AbortController();
    const both = AbortSignal.any([signal, silence.signal]);
    let timer;
    const heard = () => {
      clearTimeout(timer);
      timer = setTimeout(() => silence.abort(), SILENCE_MS);
      this.#channel?.postMessage({ beat: true });
    };
    heard();
    try {
      const known = this.#document === null ? {} : { "Last-Event-ID": String(this.#document.seq) };
      const reply = await this.request(`${this.#address}/events`, { headers: known, signal: both });
      if (reply.status === 204) return this.#end();
      this.#failures = 0;
      this.#stand("live");
      for await (const event of events(reply.body, heard)) {
        if (event.name === "status") this.#take(JSON.parse(event.data), null);
        if (event.name === "done") return this.#end();
        if (event.name === "reconnect") return spread(RECONNECT_MS / 4);
      }
      throw new Refused(0);
    } catch (error) {
      if (signal.aborted || error.name === "SignedOut") throw error;
      if (!(error instanceof Refused)) throw new Refused(0);
      if (error.status !== 429 && error.status !== 503) throw error;
      // There is no place for one more stream just now.
      this.#streamFrom = performance.now() + (error.retryAfterMs ?? POLL_MS);
      return 0;
    } finally {
      clearTimeout(timer);
      silence.abort();
    }
  }

  async #poll(signal) {
    if (document.hidden) await comesBack(signal);
    const headers = this.#tag === null ? {} : { "If-None-Match": this.#tag };
    const patient = AbortSignal.any([signal, AbortSignal.timeout(REPLY_MS)]);
    const reply = await this.request(this.#address, { headers, signal: patient });
    this.#stand("polling");
    if (reply.status === 200) this.#take(await reply.json(), reply.headers.get("ETag"));
    if (this.#document.status !== "running") return this.#end();
    return spread(Math.max(POLL_MS, hinted(reply.headers.get("Retry-After")) ?? 0));
  }

  #end() {
    this.#stand("ended");
    return null;
  }

  #take(doc, tag) {
    if (this.#document === null || doc.seq !== this.#document.seq) this.#changed = performance.now();
    this.#document = doc;
    this.#arrived = performance.now();
    this.#tag = tag;
    this.#told(doc, this.#arrived);
    this.#share();
  }

  #stand(state, error = null) {
    if (state === this.#state) return;
    this.#state = state;
    this.#stood(state, error);
    this.#share();
  }

  #share() {
    if (!this.#leads) return;
    const age = performance.now() - this.#arrived;
    this.#channel?.postMessage({ document: this.#document, age, state: this.#state });
  }

  #listen() {
    if (this.#channel !== null || typeof BroadcastChannel === "undefined") return;
    this.#channel = new BroadcastChannel(`glassfolio ${this.#address}`);
    this.#channel.onmessage = ({ data }) => {
      if (data.asks) return this.#share();
      if (this.#leads) return;
      this.#heard = performance.now();
      if (data.document && data.document.seq >= (this.#document?.seq ?? 0)) {
        if (data.document.seq !== this.#document?.seq) this.#changed = performance.now();
        this.#document = data.document;
        this.#arrived = performance.now() - data.age;
        this.#told(this.#document, this.#arrived);
        if (this.#stopping === null && this.#document.status === "running") this.start();
      }
      if (data.state) this.#stand(data.state);
    };
  }
}

/** The events of a stream. heard: called for whatever arrives, heartbeats included. */
async function* events(body, heard) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    heard();
    rest += value;
    for (let end = rest.indexOf("\n\n"); end >= 0; end = rest.indexOf("\n\n")) {
      yield parsed(rest.slice(0, end));
      rest = rest.slice(end + 2);
    }
  }
}

function parsed(block) {
  const fields = { event: "message", data: "" };
  for (const line of block.split("\n")) {
    const colon = line.indexOf(":");
    if (colon > 0) fields[line.slice(0, colon)] = line.slice(colon + 1).trimStart();
  }
  return { name: fields.event, data: fields.data };
}

/** What a Retry-After says, in milliseconds; null where it is no number of seconds, such as a date. */
function hinted(header) {
  const seconds = header === null ? NaN : Number(header);
  return Number.isFinite(seconds) ? Math.min(LONGEST_HINT_MS, Math.max(1, seconds) * 1000) : null;
}

function spread(milliseconds) {
  return milliseconds * (0.9 + 0.2 * Math.random());
}

function sleep(milliseconds, signal) {
  return new Promise((resolve, reject) => {
    const stop = () => {
      clearTimeout(timer);
      reject(new DOMException("stopped", "AbortError"));
    };
    const timer = setTimeout(() => {
      signal.removeEventListener("abort", stop);
      resolve();
    }, milliseconds);
    signal.addEventListener("abort", stop);
    if (signal.aborted) stop();
  });
}

function unlessStopped(error) {
  if (error.name !== "AbortError") throw error;
}

/** Until somebody looks at the page again, or the time is over. */
function comesBack(signal, longestMs = null) {
  const looking = new AbortController();
  const seen = new Promise((resolve) => {
    const look = () => document.hidden || resolve();
    window.addEventListener("focus", look, { signal: looking.signal });
    document.addEventListener("visibilitychange", look, { signal: looking.signal });
  });
  const over = sleep(longestMs ?? 2 ** 31 - 1, signal);
  return Promise.race([seen, over]).finally(() => looking.abort());
}
