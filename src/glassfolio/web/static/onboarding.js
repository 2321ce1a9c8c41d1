// The onboarding page: signs the element's requests, keeps the tab's title, and tells of the end if asked to.

import "./onboarding-progress.js";
import { bearer, forget } from "./session.js";

const progress = document.querySelector("onboarding-progress");
progress.token = bearer;
progress.forget = forget;

const AWAY = { unavailable: "Offline", absent: "Nothing here", "signed-out": "Signed out", resting: "Not looking" };
const tell = document.querySelector("#tell");
const label = tell?.closest("label") ?? null;
let last = null;

progress.addEventListener("status", ({ detail: doc }) => {
  document.title = `${title(doc)} · glassfolio`;
  if (last === "running" && doc.status !== "running" && tell?.checked) {
    new Notification("glassfolio", { body: `${progress.dataset.name}: ${title(doc)}` });
  }
  last = doc.status;
  if (label !== null) label.hidden = doc.status !== "running" || !("Notification" in window && isSecureContext);
});

progress.addEventListener("stand", ({ detail: { state } }) => {
  if (AWAY[state]) document.title = `${AWAY[state]} · glassfolio`;
});

function title(doc) {
  if (doc.status === "completed") return doc.warnings_total ? "⚠ Done, with gaps" : "✓ Done";
  if (doc.status === "failed") return doc.conclusion === "cancelled" ? "✕ Cancelled" : "✕ Failed";
  return doc.status === "running" ? `${doc.overall_progress.percent_complete} %` : "Not started";
}

tell?.addEventListener("change", async () => {
  if (tell.checked && (await Notification.requestPermission()) !== "granted") tell.checked = false;
});
