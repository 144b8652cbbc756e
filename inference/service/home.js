// The pages of a home: asks for a page's part with the key, and puts it in.
//
// Belongs here: which page is open, when it is asked for again. Not here: the key and the way between pages (door.js), what a part
// says (home_pages.py and its templates), its looks (home.css).
"use strict";

const AGAIN_MS = 30_000;
const ABOUT = {
  "/": ["Today", "What needs you, then how the rest stands.", "today"],
  "/champions": ["Champions", "Who answers now, and every time that changed.", "champions"],
  "/rounds": ["Rounds", "What people were asked, and what came out.", "rounds"],
  "/trace": ["Trace", "What was published of a product, followed back to ballots, weights and rows.", "trace"],
};
const [name, lead, part] = ABOUT[location.pathname];
let asked = 0;

async function fill() {
  const mine = ++asked, query = part === "trace" ? new URLSearchParams(location.search) : "";
  if (part === "trace" && !query.get("product")) {
    by("parts").setAttribute("aria-busy", "false");
    by("product").focus();
    return;
  }
  by("parts").setAttribute("aria-busy", "true");
  try {
    const text = await (await ask("GET", `/parts/${part}${query ? `?${query}` : ""}`)).text();
    if (mine !== asked) return;
    by("parts").replaceChildren(...new DOMParser().parseFromString(text, "text/html").body.children);
    tell("");
  } catch (error) {
    if (mine === asked && !by("door").checkVisibility()) {
      tell(told(error), true);
      if (!(error instanceof TypeError)) by("parts").replaceChildren();
    }
  }
  by("parts").setAttribute("aria-busy", "false");
}

function tell(sentence, bad = false) {
  by("says").textContent = sentence;
  by("says").classList.toggle("bad", bad);
}

function recall() {
  const query = new URLSearchParams(location.search);
  by("product").value = query.get("product") ?? "";
  by("drop").value = query.get("drop") ?? "";
  fill();
}

by("name").textContent = name;
by("lead").textContent = lead;
document.title = `Selvedge: ${name.toLowerCase()}`;
by("follow").addEventListener("submit", (event) => {
  event.preventDefault();
  const query = new URLSearchParams({ product: by("product").value.trim() });
  if (by("drop").value.trim()) query.set("drop", by("drop").value.trim());
  window.history.pushState({}, "", `?${query}`);
  fill();
});
window.addEventListener("popstate", recall);
setInterval(() => { if (part !== "trace" && !document.hidden && key()) fill(); }, AGAIN_MS);
enter(async () => {
  by("follow").hidden = part !== "trace";
  recall();
}, () => {
  by("follow").hidden = true;
  by("parts").replaceChildren();
});
