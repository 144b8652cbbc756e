// What Label Studio's template cannot do for an annotator, put into the label stream by the proxy in front of it.
//
// Belongs here: how many pairs are done, hints, the warning of a vote that was too fast, the next pair after a
// correction, thanks at the end, a picture in large; a region of its own for each class that is drawn. Not here: pair, keys
// and rules, which the template shows by itself (label_page.py, labeling/handsoff/page.py); this page works without the
// script. Nothing here votes, and nothing tells one side from the other.
// The rules are read off the template's classes: sv-pairs-144 sv-least-1500 (milliseconds) sv-words-120 (a second, ten times).
"use strict";

(() => {
  const WARNED = "selvedge-warned-"; // of a project: the first vote that was too fast warns, later ones count
  const BALLOT = /\/api\/tasks\/(\d+)\/annotations/;
  const CORRECTION = /\/api\/annotations\/(\d+)/;
  const project = location.pathname.match(/\/projects\/(\d+)/)?.[1];
  if (!project) return;
  const seen = { task: null, drawing: false, since: 0, done: null, rules: [], data: null };
  const task = () => window.Htx?.task;

  // Label Studio takes a pair off the page before it sends the vote on it: what was last there is kept.
  function keep() {
    seen.rules = [...(document.querySelector(".sv")?.classList ?? seen.rules)];
    seen.data = task()?.dataObj ?? seen.data;
  }

  const rule = (name) => {
    const of = seen.rules.find((one) => one.startsWith(`sv-${name}-`));
    return of ? Number(of.slice(`sv-${name}-`.length)) : null;
  };

  function bar() {
    let made = document.getElementById("sv-bar");
    if (!made) {
      made = document.createElement("div");
      made.id = "sv-bar";
      made.append(Object.assign(document.createElement("span"), { id: "sv-count" }),
        Object.assign(document.createElement("span"), { id: "sv-hint", role: "status" }));
      document.body.append(made);
    }
    return made;
  }

  function hint(text, kind = "") {
    bar();
    const shown = document.getElementById("sv-hint");
    shown.textContent = text;
    shown.className = kind;
  }

  const drawing = () => seen.rules.includes("sv-drawing");

  // Pictures are drawn on once, whoever does it: those of all people count, not one person's.
  async function countDrawn() {
    const answer = await fetch(`/api/projects/${project}`).catch(() => null);
    if (!answer?.ok) return;
    const { finished_task_number: done, task_number: pictures } = await answer.json();
    bar();
    document.getElementById("sv-count").textContent = `${done} of ${pictures} done`;
  }

  async function count() {
    if (drawing()) return countDrawn();
    const answer = await fetch(`/api/projects/${project}/label-stream-history`).catch(() => null);
    if (!answer?.ok) return;
    const history = await answer.json();
    seen.done = new Set(history.filter((one) => one.annotationId).map((one) => one.taskId)).size;
    show();
  }

  function show() {
    bar();
    const pairs = rule("pairs");
    document.getElementById("sv-count").textContent =
      seen.done === null ? "" : pairs ? `${seen.done} of ${pairs} done` : `${seen.done} done`;
  }

  // A vote that was too fast to have read the pair: by the same two figures of the plan that later exclude.
  function tooFast(seconds, data) {
    const words = ["left", "right"].map((side) => String(data?.[side] ?? "").replace(/<[^>]*>/g, " "))
      .flatMap((text) => text.split(/\s+/).filter(Boolean)).length;
    const least = rule("least"), pace = rule("words");
    return least !== null && pace !== null && seconds < Math.max(least / 1000, words / (pace / 10));
  }

  function voted(seconds, data) {
    if (!tooFast(seconds, data)) return hint("");
    const before = localStorage.getItem(WARNED + project);
    try { localStorage.setItem(WARNED + project, "1"); } catch { /* then it warns every time */ }
    hint(before ? "That was again too fast to have read both sides. Whoever goes on like this is left out."
      : "That was too fast to have read both sides. This one is a warning: whoever goes on like this is left out.", "warns");
  }

  // Label Studio stays on a corrected pair, where every further key would be lost on it. Its button leads over the pairs
  // that were voted on to the first that was not, where the same button would postpone: it is looked up anew each time.
  async function corrected() {
    hint("Corrected. The next pair comes …");
    for (let tries = 0; tries < 40; tries += 1) {
      const next = document.querySelector("button[aria-label='Next task']:not([disabled])");
      if (next) next.click();
      else if (document.querySelector("button[aria-label='Postpone task']")) break;
      await new Promise((resolve) => setTimeout(resolve, 400));
    }
    hint("Corrected.");
  }

  const ask = window.fetch;
  window.fetch = async function (resource, options) {
    const address = String(resource?.url ?? resource), method = (options?.method ?? resource?.method ?? "GET").toUpperCase();
    keep();
    const data = seen.data, took = (performance.now() - seen.since) / 1000;
    const answer = await ask.apply(this, arguments);
    if (!answer.ok) return answer;
    if (method === "POST" && BALLOT.test(address)) {
      let seconds = took;
      try { seconds = JSON.parse(options.body).lead_time ?? took; } catch { /* sent in another form */ }
      voted(seconds, data);
      setTimeout(count, 300);
    } else if (method === "PATCH" && CORRECTION.test(address)) setTimeout(corrected, 300);
    return answer;
  };

  document.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || !document.querySelector(".sv-verdict")) return;
    const last = document.querySelector(".sv-picks") ? 0 : 4;
    if (!document.querySelector(".sv-verdict input:checked")) hint(`Choose first: press 1, 2, 3 or ${last}.`, "warns");
  }, true);
  document.addEventListener("change", (event) => {
    if (event.target.closest?.(".sv-verdict") && document.getElementById("sv-hint")?.textContent.startsWith("Choose")) hint("");
  });

  // Label Studio would give the region that was drawn last the class that is chosen for the next.
  const nextRegion = () => window.Htx?.annotationStore?.selected?.unselectAll?.();
  document.addEventListener("keydown", (event) => {
    const typing = event.target.closest?.("input, textarea") || event.ctrlKey || event.metaKey || event.altKey;
    if (drawing() && !typing && /^[a-z0-9]$/.test(event.key) && keyed(event.key)) nextRegion();
  }, true);
  document.addEventListener("click", (event) => {
    if (drawing() && event.target.closest?.(".sv-tools .lsf-label")) nextRegion();
  }, true);
  const keyed = (key) => [...document.querySelectorAll(".sv-tools .lsf-label__hotkey")].some((one) => one.textContent === key);

  // A picture in large, as long as it is looked at.
  document.addEventListener("click", (event) => {
    const large = document.getElementById("sv-large");
    if (large) return large.remove();
    const box = event.target.closest?.(".sv-photo, .sv-side");
    const picture = box?.querySelector(".lsf-image img, img");
    if (!picture?.src || !event.target.closest(".lsf-object, .lsf-image, .konvajs-content")) return undefined;
    const shown = Object.assign(document.createElement("div"), { id: "sv-large" });
    shown.append(Object.assign(document.createElement("img"), { src: picture.src, alt: "" }));
    document.body.append(shown);
    return undefined;
  });

  function end() {
    const said = [...document.querySelectorAll("h1, h2, h3, div, p")].find(
      (one) => !one.children.length && /^No More Tasks Left|^All tasks in the queue have been completed/i.test(one.textContent));
    const shown = document.getElementById("sv-end");
    if (!said) return shown?.remove();
    if (shown) return undefined;
    const thanks = Object.assign(document.createElement("p"), { id: "sv-end" });
    thanks.textContent = "Thank you! Everything is done and your answers are kept. You may close this page.";
    said.after(thanks);
    return undefined;
  }

  setInterval(() => {
    keep();
    const now = task()?.id ?? null;
    if (now !== seen.task || drawing() !== seen.drawing) {
      seen.task = now;
      seen.drawing = drawing();
      seen.since = performance.now();
      count();
    }
    document.body.classList.toggle("sv-page", Boolean(document.querySelector(".sv")));
    end();
  }, 250);
})();
