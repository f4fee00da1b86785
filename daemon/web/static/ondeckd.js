"use strict";

// The server renders everything; this asks it again when something has happened.

const PAUSE_MS = 500;
let due = 0;

function localTimes() {
  for (const time of document.querySelectorAll("time")) {
    time.textContent = new Date(time.dateTime).toLocaleString([], { dateStyle: "medium", timeStyle: "short" });
  }
}

async function refresh() {
  due = 0;
  const answer = await fetch("/");
  if (!answer.ok || answer.redirected) {
    location.reload();
    return;
  }
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  document.querySelector("main").replaceWith(fresh.querySelector("main"));
  const live = document.querySelector("#live").hidden;
  document.querySelector("header").replaceWith(fresh.querySelector("header"));
  document.querySelector("#live").hidden = live;
  localTimes();
}

function soon() {
  due ||= setTimeout(() => refresh().catch(() => showLive(false)), PAUSE_MS);
}

function showLive(live) {
  document.querySelector("#live").hidden = live;
}

function follow() {
  const stream = new EventSource("/api/v1/events");
  let opened = false;
  stream.addEventListener("open", () => {
    showLive(true);
    if (opened) soon();
    opened = true;
  });
  stream.addEventListener("error", () => showLive(false));
  for (const kind of ["task", "session", "entry", "notice", "resync"]) {
    stream.addEventListener(kind, soon);
  }
  stream.addEventListener("progress", (event) => {
    const { id, bytes_done: done, bytes_total: total } = JSON.parse(event.data);
    const bar = document.querySelector(`progress[data-task="${Number(id)}"]`);
    if (bar) {
      bar.max = total || 1;
      bar.value = done;
    }
  });
}

document.addEventListener("click", async (event) => {
  const button = event.target.closest("button[data-post]");
  if (!button) return;
  button.disabled = true;
  const { post, target } = button.dataset;
  const body = target ? JSON.stringify({ target }) : undefined;
  const headers = body ? { "Content-Type": "application/json" } : {};
  try {
    const answer = await fetch(post, { method: "POST", headers, body });
    if (!answer.ok) alert((await answer.json()).error.message);
  } catch {
    showLive(false);
  } finally {
    button.disabled = false;
  }
  soon();
});

localTimes();
follow();
