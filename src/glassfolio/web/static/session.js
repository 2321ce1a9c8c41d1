// A short bearer token for the page's own requests, from the browser's sign-in; renewed before it expires.
const MARGIN_MS = 10_000;
let known = null;

/** The token to send as `Authorization: Bearer …`. Throws SignedOut when the browser is not signed in. */
export async function bearer() {
  if (known === null || known.until <= performance.now()) {
    known = await renew();
  }
  return known.token;
}

/** Forget the token; the next request gets a new one. For use after a 401. */
export function forget() {
  known = null;
}

export class SignedOut extends Error {
  name = "SignedOut";
}

async function renew() {
  const asked = performance.now();
  const reply = await fetch("/session/token", { method: "POST", cache: "no-store", signal: AbortSignal.timeout(15_000) });
  if (reply.status === 401) throw new SignedOut("not signed in");
  if (!reply.ok) throw new Error(`no token: ${reply.status}`);
  const { token, expires_in: seconds } = await reply.json();
  return { token, until: asked + seconds * 1000 - MARGIN_MS };
}
