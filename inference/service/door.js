// The door of the service's pages: the key, requests that carry it, the way from page to page.
//
// Belongs here: what the studio and the pages of a home share. Not here: what either shows.
// The key comes in the link's fragment, which no server sees, and stays in this tab.
"use strict";

const KEY = "selvedge-key";
const ROOMS = [["/", "Today"], ["/champions", "Champions"], ["/rounds", "Rounds"], ["/studio", "Ad studio"], ["/trace", "Trace"]];
const door = { key: "", shut: () => {} };

const key = () => door.key;

async function ask(method, address, body) {
  const headers = { Authorization: `Bearer ${door.key}` };
  if (body && !(body instanceof FormData)) headers["Content-Type"] = "application/json";
  const answer = await fetch(address, { method, headers, body: body && !(body instanceof FormData) ? JSON.stringify(body) : body });
  if (answer.ok) return answer;
  const refusal = await answer.json().catch(() => ({ error: `the service answered ${answer.status}.` }));
  if (answer.status === 401) shut(refusal.error);
  throw new Refused(refusal);
}

// fetch throws a TypeError when nobody answers.
const told = (error) => error instanceof TypeError ? "The service does not answer; start `selvedge serve` again." : capital(error.message);

function shut(sentence) {
  door.key = "";
  sessionStorage.removeItem(KEY);
  door.shut();
  by("door").hidden = false;
  if (sentence) by("door-says").textContent = capital(sentence);
  by("key").focus();
}

// open: shows the page, once there is a key; closed: hides it again.
async function enter(open, closed) {
  door.shut = closed;
  const turn = async (given) => {
    door.key = given;
    by("door").hidden = true;
    await open();
    if (door.key) sessionStorage.setItem(KEY, door.key);
  };
  by("door").addEventListener("submit", (event) => {
    event.preventDefault();
    turn(by("key").value.trim()).catch((error) => shut(told(error)));
  });
  const linked = new URLSearchParams(location.hash.slice(1)).get("key");
  if (linked) window.history.replaceState({}, "", location.pathname + location.search);
  const first = linked || sessionStorage.getItem(KEY);
  if (first) await turn(first).catch((error) => shut(told(error)));
  else shut("");
}

by("rooms").replaceChildren(...ROOMS.map(([address, name]) => {
  const link = make("a", { href: address, textContent: name });
  if (address === location.pathname) link.setAttribute("aria-current", "page");
  return link;
}));
