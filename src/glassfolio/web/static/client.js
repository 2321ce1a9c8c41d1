// Requests with a bearer token, and what they come to when they come to no answer.

const REPLY_MS = 15_000;
const LONGEST_HINT_MS = 120_000;

/** No answer that can be used. status: 0 where none arrived; 401 also where there is no token to send. */
export class Refused extends Error {
  constructor(status, problem = null, retryAfter = null) {
    super(sentence(status, problem));
    this.status = status;
    this.problem = problem;
    this.retryAfterMs = hinted(retryAfter);
  }
}

function sentence(status, problem) {
  if (status === 401) return "You are signed out.";
  return problem?.detail ?? (status ? `The service answered ${status}.` : "The service cannot be reached.");
}

/** What a Retry-After says, in milliseconds; null where it is no number of seconds, such as a date. */
export function hinted(header) {
  const seconds = header === null ? NaN : Number(header);
  return Number.isFinite(seconds) ? Math.min(LONGEST_HINT_MS, Math.max(1, seconds) * 1000) : null;
}

export class Client {
  /**
   * address: what others are relative to. token: an async function that gives a bearer token, or throws an
   * error named SignedOut. forget: drops a token that was refused.
   */
  constructor({ address, token, forget }) {
    this.address = new URL(address, document.baseURI).href;
    this.token = token;
    this.forget = forget;
  }

  /** One answer; a refused token is renewed once. signal: ends the request. Throws Refused, AbortError. */
  async request(where, { headers = {}, signal = AbortSignal.timeout(REPLY_MS), ...rest } = {}) {
    for (let renewed = false; ; renewed = true) {
      const reply = await this.#ask(where, { ...rest, headers, signal });
      if (reply.ok || reply.status === 304) return reply;
      if (reply.status === 401 && !renewed) {
        this.forget();
        continue;
      }
      const isProblem = reply.headers.get("Content-Type")?.startsWith("application/problem+json");
      throw new Refused(reply.status, isProblem ? await reply.json() : null, reply.headers.get("Retry-After"));
    }
  }

  /** The signal of a request that is given up when the service is silent, or when `signal` says so. */
  static patient(signal) {
    return AbortSignal.any([signal, AbortSignal.timeout(REPLY_MS)]);
  }

  async #ask(where, options) {
    try {
      const headers = { ...options.headers, Authorization: `Bearer ${await this.token()}` };
      return await fetch(new URL(where, this.address), { cache: "no-store", ...options, headers });
    } catch (error) {
      if (error.name === "AbortError") throw error;
      throw new Refused(error.name === "SignedOut" ? 401 : 0);
    }
  }
}
