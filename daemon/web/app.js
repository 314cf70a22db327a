// The link to the daemon: server-sent events, or a question every two seconds where those are refused.
import { $, get, set } from "./format.js";
import { begin, load, report, showWatching } from "./list.js";
import { loadHistory, showSilence, showStatus } from "./status.js";

const SILENCE_MS = 5000;

let source = null;
let stale = null;
let polling = false;

function link(state, text) {
  $("link").className = `link ${state}`;
  set("link", text);
}

function lost() {
  link("lost", "No answer");
  showSilence();
  showWatching("silent");
}

/** The status came by event or by asking, which `how` says; a daemon that does not watch is not shown as alive and well. */
function heard(status, how) {
  clearTimeout(stale);
  stale = setTimeout(ask, SILENCE_MS);
  const blind = status.level === "blind";
  link(blind ? "" : how.state, blind ? "Connected, not watching" : how.text);
  showStatus(status);
  showWatching(blind ? "blind" : status.baseline.state === "running" ? "scanning" : "ok");
}

const LIVE = { state: "live", text: "Live" };
const ASKED = { state: "", text: "Every 2 seconds" };

/** Nothing came for a while: is anybody there? A status that stays the same is not sent again. */
async function ask() {
  try {
    heard(await get("api/status", AbortSignal.timeout(3000)), source.readyState === EventSource.OPEN ? LIVE : ASKED);
  } catch {
    lost();
  }
}

const failed = () => {}; // The link's own state tells of it.

function connect() {
  source = new EventSource("api/events");
  source.addEventListener("list", () => load().catch(failed));
  source.addEventListener("finding", ({ data }) => report(JSON.parse(data), failed));
  source.addEventListener("status", ({ data }) => heard(JSON.parse(data), LIVE));
  source.addEventListener("error", () => {
    // The browser comes back by itself after a broken connection, not after a refusal (too many clients).
    if (source.readyState === EventSource.CLOSED) setTimeout(connect, 15000);
    poll();
  });
}

async function poll() {
  if (polling) return;
  polling = true;
  while (source.readyState !== EventSource.OPEN) {
    await ask();
    await load().catch(failed);
    await new Promise((resolve) => setTimeout(resolve, 2000));
  }
  polling = false;
}

// A link within the page, which leaves the address as it is: that is the view.
for (const jump of document.querySelectorAll("[data-jump]")) {
  jump.addEventListener("click", (event) => {
    event.preventDefault();
    const target = $(jump.dataset.jump);
    target.focus();
    target.scrollIntoView();
  });
}

begin(failed).catch(failed);
stale = setTimeout(ask, SILENCE_MS);
connect();
loadHistory().catch(failed);
setInterval(() => document.hidden || loadHistory().catch(failed), 5000);
