// Follows one status resource: by its event stream, by polling where there is no stream, once for all tabs.
// Knows nothing of what a document means, but for its `seq`, its `status` and when to ask again.

import { Refused, Client, hinted } from "./client.js";

const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 30_000;
const POLL_MS = 2_000;
const RECONNECT_MS = 500;
const FIRST_EVENT_MS = 8_000;
const SILENCE_MS = 20_000; // The service sends something every 15 s.
const PATIENCE_MS = 30 * 60_000;
const ANSWER_MS = 1_000;
const UNAVAILABLE_FAILURES = 5;
const UNAVAILABLE_MS = 10_000;
const SIGNED_OUT_MS = 30_000;
const LOOK_AGAIN_MS = 10_000;
// A browser opens six connections to a host over HTTP/1.1: streams must leave some to everything else.
const STREAMS_AT_ONCE = 3;
const FULL_MS = 30_000;
// A stream that breaks this soon did not hold; after a few of those it is left alone for a while.
const BROKEN_MS = 10_000;
const BROKEN_STREAMS = 3;
const BROKEN_REST_MS = 5 * 60_000;
const SHARED_STATES = ["connecting", "live", "polling", "behind", "unavailable", "ended", "resting"];

/**
 * Where a view stands with its service:
 * connecting, live (by the stream), polling, behind (the last request failed), unavailable (many did),
 * absent (there is nothing for this caller), signed-out, ended (nothing will change by itself),
 * resting (nothing has changed for half an hour).
 */
export class Follower {
  #client;
  #name;
  #told;
  #stood;
  #stopping = null;
  #looking = null;
  #channel = null;
  #leads = false;
  #document = null;
  #arrived = 0;
  #tag = null;
  #state = "connecting";
  #heard = 0;
  #changed = 0;
  #ended = 0;
  #failures = 0;
  #failing = 0;
  #broken = 0;
  #streamFrom = 0;

  /**
   * client: whose address is the status resource. owner: whose it is, which names what the tabs of a browser
   * share; null shares nothing. told(document, arrived): for each document, with the moment on the page's
   * clock when it was new. stood(state, error): for each change of how the view stands.
   */
  constructor({ client, owner, told, stood }) {
    this.#client = client;
    this.#name = owner === null ? null : `glassfolio ${owner} ${client.address}`;
    this.#told = told;
    this.#stood = stood;
  }

  /** Begin, or begin again after an end. */
  start() {
    if (this.#stopping !== null) return;
    this.#stopping = new AbortController();
    this.#changed = performance.now();
    this.#failures = this.#broken = this.#streamFrom = 0;
    this.#stand("connecting");
    this.#listen();
    this.#look();
    this.#follow(this.#stopping.signal).catch(unlessStopped);
  }

  /** End; nothing is told any more. */
  stop() {
    this.#stopping?.abort();
    this.#looking?.abort();
    this.#channel?.close();
    this.#stopping = this.#looking = this.#channel = null;
  }

  /** Ask again at once, whatever was waited for. */
  restart() {
    this.stop();
    this.start();
  }

  /** A run that has ended may have been followed by another: look when somebody comes back to the page. */
  #look() {
    if (this.#looking !== null) return;
    this.#looking = new AbortController();
    const look = () => {
      if (this.#state === "ended" && !document.hidden && performance.now() - this.#ended > LOOK_AGAIN_MS) this.restart();
    };
    window.addEventListener("focus", look, { signal: this.#looking.signal });
    document.addEventListener("visibilitychange", look, { signal: this.#looking.signal });
  }

  async #follow(signal) {
    try {
      if (this.#name === null || navigator.locks === undefined) {
        while (await this.#lead(signal)) await comesBack(signal);
        return;
      }
      for (;;) {
        const lagging = new AbortController();
        this.#lag(AbortSignal.any([signal, lagging.signal])).catch(unlessStopped);
        const hidden = await navigator.locks.request(this.#name, { signal }, () => {
          lagging.abort();
          return this.#lead(signal);
        });
        if (!hidden) return;
        await comesBack(signal);
      }
    } finally {
      // An ended run may be taken up again, here or in another tab.
      if (this.#stopping?.signal === signal) this.#stopping = null;
    }
  }

  /**
   * Ask the service, for this tab and the others, until nothing more is to be asked; true where that is left
   * to other tabs, because this one is hidden and only polls.
   */
  async #lead(signal) {
    this.#leads = true;
    try {
      for (;;) {
        const streams = performance.now() >= this.#streamFrom;
        if (!streams && document.hidden) return true;
        const pause = await this.#attempt(() => (streams ? this.#stream(signal) : this.#poll(signal)), signal);
        if (pause === null) return false;
        await sleep(pause, signal);
        if (performance.now() - this.#changed > PATIENCE_MS) {
          this.#stand("resting");
          return false;
        }
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
      if (document.hidden || performance.now() - this.#heard <= SILENCE_MS) continue;
      const pause = await this.#attempt(() => this.#poll(signal), signal);
      if (pause === null) return;
      await sleep(pause, signal);
    }
  }

  /** How long to wait after a try, whatever became of it; null for no more. */
  async #attempt(ask, signal) {
    try {
      const pause = await ask();
      this.#failures = 0;
      return pause;
    } catch (error) {
      if (signal.aborted) throw error;
      return this.#failed(error instanceof Refused ? error : new Refused(0), signal);
    }
  }

  async #failed(error, signal) {
    if (error.status === 401) {
      this.#stand("signed-out", error);
      await comesBack(signal, SIGNED_OUT_MS);
      return 0;
    }
    if (error.status === 404) {
      this.#document = this.#tag = null;
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
    this.#streamFrom = Math.max(this.#streamFrom, now + Math.max(wait, POLL_MS) * 2);
    return error.retryAfterMs ?? spread(wait);
  }

  /** One stream, where there is a place for it, until it ends. */
  async #stream(signal) {
    if (this.#name === null || navigator.locks === undefined) return this.#read(signal);
    for (let place = 0; place < STREAMS_AT_ONCE; place += 1) {
      const name = `glassfolio stream ${place}`;
      const read = (lock) => (lock === null ? undefined : this.#read(signal));
      const pause = await navigator.locks.request(name, { ifAvailable: true }, read);
      if (pause !== undefined) return pause;
    }
    return this.#withoutStream(FULL_MS);
  }

  async #read(signal) {
    const silence = new AbortController();
    let timer = setTimeout(() => silence.abort(), FIRST_EVENT_MS);
    const heard = () => {
      clearTimeout(timer);
      timer = setTimeout(() => silence.abort(), SILENCE_MS);
      this.#failures = 0;
      this.#stand("live");
      this.#beat();
    };
    const opened = performance.now();
    try {
      const known = this.#document === null ? {} : { "Last-Event-ID": String(this.#document.seq) };
      const both = AbortSignal.any([signal, silence.signal]);
      const reply = await this.#client.request(`${this.#client.address}/events`, { headers: known, signal: both });
      if (reply.status === 204) return this.#end();
      for await (const event of events(reply.body, heard)) {
        if (event.name === "status") this.#take(JSON.parse(event.data), null);
        if (event.name === "done") return this.#end();
        if (event.name === "reconnect") return spread(RECONNECT_MS);
      }
      throw new Refused(0);
    } catch (error) {
      if (signal.aborted) throw error;
      // There is no place for one more stream just now.
      if (error.status === 429 || error.status === 503) return this.#withoutStream(error.retryAfterMs ?? POLL_MS);
      if (performance.now() - opened > BROKEN_MS) this.#broken = 0;
      this.#broken += 1;
      if (this.#broken >= BROKEN_STREAMS && this.#failures === 0) return this.#withoutStream(BROKEN_REST_MS);
      throw error;
    } finally {
      clearTimeout(timer);
      silence.abort();
    }
  }

  #withoutStream(milliseconds) {
    this.#streamFrom = performance.now() + milliseconds;
    return 0;
  }

  async #poll(signal) {
    const headers = this.#tag === null ? {} : { "If-None-Match": this.#tag };
    const reply = await this.#client.request(this.#client.address, { headers, signal: Client.patient(signal) });
    this.#stand("polling");
    this.#beat();
    if (reply.status === 200) this.#take(await reply.json(), reply.headers.get("ETag"));
    if (this.#document.status !== "running") return this.#end();
    return spread(Math.max(POLL_MS, hinted(reply.headers.get("Retry-After")) ?? 0));
  }

  #end() {
    this.#ended = performance.now();
    this.#stand("ended");
    return null;
  }

  #take(doc, tag) {
    if (doc.seq !== this.#document?.seq) this.#changed = performance.now();
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

  #beat() {
    if (this.#leads) this.#channel?.postMessage({ beat: true });
  }

  #share() {
    if (!this.#leads) return;
    const age = performance.now() - this.#arrived;
    this.#channel?.postMessage({ document: this.#document, age, state: this.#state });
  }

  #listen() {
    if (this.#name === null || this.#channel !== null || typeof BroadcastChannel === "undefined") return;
    this.#channel = new BroadcastChannel(this.#name);
    this.#channel.onmessage = ({ data }) => {
      if (data.asks) return this.#share();
      if (this.#leads) return;
      this.#heard = performance.now();
      if (data.document && data.document.seq >= (this.#document?.seq ?? 0)) {
        if (data.document.seq !== this.#document?.seq) this.#changed = performance.now();
        this.#document = data.document;
        this.#arrived = performance.now() - data.age;
        this.#tag = null;
        this.#told(this.#document, this.#arrived);
        if (this.#stopping === null && this.#document.status === "running") this.start();
      }
      // Whether there is a sign-in, and what it may see, each tab finds out for itself.
      if (SHARED_STATES.includes(data.state)) this.#stand(data.state);
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

/** Until somebody looks at the page, or the time is over. */
function comesBack(signal, longestMs = 2 ** 31 - 1) {
  const looking = new AbortController();
  const seen = new Promise((resolve) => {
    const look = () => document.hidden || resolve();
    window.addEventListener("focus", look, { signal: looking.signal });
    document.addEventListener("visibilitychange", look, { signal: looking.signal });
  });
  return Promise.race([seen, sleep(longestMs, signal)]).finally(() => looking.abort());
}
