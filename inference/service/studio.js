// The ad studio: asks for an ad, follows it stage by stage, shows plans and pictures, picks, comments, downloads.
//
// Belongs here: what the page does. Not here: elements shared with the other pages (parts.js), the key (door.js), its looks (studio.css).
"use strict";

const MADE = "selvedge-ads", LOOK_MS = 600, REMEMBERED = 12;
const NAMES = {
  brief: "Brief", guardrails: "Guardrails", cutout: "Cut-out", decomposition: "Words", retrieval: "Library", caption: "Caption",
  composition: "Nine plans", background: "Backgrounds", compositing: "Shadows", quality: "Judging", ranking: "Ranking",
};
const SIDES = { 1: "left", 2: "middle", 3: "right" };
const state = { ad: null, asked: 0, passed: new Set(), typed: false };

// The service

const json = async (method, address, body) => (await ask(method, address, body)).json();

async function picture(image, address) {
  const blob = await (await ask("GET", address)).blob();
  const reader = new FileReader();
  reader.addEventListener("load", () => { image.src = reader.result; });
  reader.readAsDataURL(blob);
}

function say(sentence, bad = false) {
  by("says").textContent = sentence;
  by("says").classList.toggle("bad", bad);
}

const tell = (error) => say(told(error), true);

async function open() {
  const choices = await json("GET", "/choices");
  for (const [name, values] of [["theme", choices.themes], ["brand", choices.brands], ["size", choices.sizes]]) {
    const chosen = by(name).value;
    by(name).replaceChildren(by(name).options[0], ...values.map((value) =>
      make("option", { value, textContent: name === "size" ? value.replace("x", " × ") : value.replaceAll("_", " ") })));
    by(name).value = chosen;
  }
  by("who").textContent = `${choices.products.toLocaleString("en")} ${choices.products === 1 ? "product" : "products"} · ${choices.client}`;
  by("studio").hidden = false;
  by("product").focus();
  past();
  await recall();
}

// Asking

function order() {
  const fields = {};
  for (const name of ["prompt", "theme", "brand", "size"]) if (by(name).value.trim()) fields[name] = by(name).value.trim();
  if (Number(by("seed").value)) fields.seed = Number(by("seed").value);
  const [photo] = by("photo").files, product = by("product").value.trim();
  if (photo && product) throw new Refused({ error: "a product and a photograph are two things; clear one of them." });
  if (!photo && !product) throw new Refused({ error: "name a product, or choose a photograph." });
  if (product) return { ...fields, product: Number(product) };
  const form = new FormData();
  for (const [name, value] of Object.entries(fields)) form.append(name, value);
  form.append("photo", photo);
  return form;
}

async function send(body) {
  const id = crypto.randomUUID();
  state.typed = false;
  busy(true);
  try {
    const told = await json("PUT", `/ads/${id}`, body);
    window.history.pushState({}, "", `?ad=${id}`);
    state.passed.clear();
    say("");
    await follow(told);
  } catch (error) {
    tell(error);
    busy(false);
  }
}

function busy(is) {
  by("make").disabled = is;
  by("comment-form").querySelector("button").disabled = is;
}

async function follow(told) {
  const mine = ++state.asked;
  busy(true);
  by("progress").scrollIntoView({ block: "nearest" });
  while (!["done", "refused", "failed"].includes(told.state)) {
    progress(told);
    await new Promise((resolve) => { setTimeout(resolve, LOOK_MS); });
    if (mine !== state.asked) return;
    try {
      told = await json("GET", `/ads/${told.request_id}`);
      if (by("says").classList.contains("bad")) say("");
    } catch (error) {
      tell(error);
      if (!(error instanceof TypeError)) break;  // one that does not answer may be back soon
    }
  }
  if (mine === state.asked) show(told);
}

function progress({ stage, stages, attempts }) {
  by("start").hidden = true;
  by("progress").hidden = false;
  by("result").classList.add("stale");
  const at = stages.indexOf(stage);
  if (stage) state.passed.add(stage);
  by("progress-name").textContent = !stage ? "Waiting for its turn" : attempts > 1 ? `At work again (${attempts})` : "At work";
  by("stages").replaceChildren(...stages.map((name, place) => {
    const item = make("li", { textContent: NAMES[name] ?? name });
    // A retry goes back; what was passed before stays passed.
    item.className = name === stage ? "now" : at > place || state.passed.has(name) ? "done" : "";
    if (name === stage) item.setAttribute("aria-current", "step");
    return item;
  }));
}

// Showing

function show(told) {
  state.ad = told;
  busy(false);
  by("progress").hidden = true;
  by("start").hidden = true;
  by("result").classList.remove("stale");
  const done = told.state === "done";
  by("result").hidden = !told.plans.length;
  for (const part of ["best", "comment-form", "notes"]) by(part).hidden = !done;
  by("plans").replaceChildren(...told.plans.map(plan));
  if (!done) {
    say(told.error ? capital(told.error) : "It is not made.", true);
    return;
  }
  const passed = told.plans.filter((plan) => plan.passed).length;
  by("about").textContent = `${capital(told.subject)} · theme ${told.theme} · ${passed} of ${told.plans.length} plans passed`;
  by("pictures").replaceChildren(...told.pictures.map(best));
  by("comments").textContent = told.comments.length ? `So far: ${told.comments.join("; ")}` : "";
  by("comment").value = "";
  notes(told);
  remember(told);
  if (!state.typed) by("top-name").focus();  // keys pick from here; whoever types meanwhile is left alone
}

function best({ rank, png, jpg, recipe }) {
  const image = make("img", { alt: `Picture ${rank}: ${state.ad.caption}` });
  picture(image, png).catch(tell);
  const pick = make("button", { type: "button", textContent: state.ad.picked === rank ? "Picked" : "Pick" });
  pick.setAttribute("aria-pressed", String(state.ad.picked === rank));
  pick.setAttribute("aria-label", `Pick picture ${rank}`);
  pick.addEventListener("click", () => choose(rank));
  const files = [["PNG", png], ["JPEG", jpg], ["Recipe", recipe]].map(([name, address]) => {
    const button = make("button", { type: "button", textContent: name });
    button.setAttribute("aria-label", `Download picture ${rank} as ${name}`);
    button.addEventListener("click", () => download(address).catch(tell));
    return button;
  });
  const item = make("li", {}, image, make("div", {}, make("span", { textContent: `Number ${rank}` }), pick, ...files));
  item.classList.toggle("picked", state.ad.picked === rank);
  return item;
}

function plan({ number, section, sections, rotation, rank, passed, why, let_go: letGo, url }) {
  const image = make("img", { alt: `Plan ${number}`, loading: "lazy" });
  picture(image, url).catch(tell);
  const side = sections === 3 ? SIDES[section] : `section ${section} of ${sections}`;
  const turned = rotation ? `, turned ${rotation > 0 ? "+" : ""}${Math.round(rotation)}°` : "";
  const verdict = rank ? `Shown as number ${rank}` : passed ? "Passed" : "Fell";
  const item = make("li", {}, image, make("b", { textContent: verdict }), `Plan ${number}: ${side}${turned}`,
    ...why.map((sentence) => make("p", { textContent: capital(sentence) })),
    ...(letGo.length ? [make("p", { textContent: `Let go: ${letGo.join(", ")}` })] : []));
  item.className = [passed ? "passed" : "fell", rank ? "shown" : ""].join(" ").trim();
  return item;
}

function notes({ reasons, changed, made_by: by_, seconds, model }) {
  const said = [...changed.map((change) => `Changed: ${change}`), ...reasons].map(capital);
  by("reasons").replaceChildren(...said.map((textContent) => make("li", { textContent })));
  const total = Object.values(seconds).reduce((sum, one) => sum + one, 0);
  const facts = { ranker: model, ...by_, seconds: total.toFixed(1) };
  by("facts").replaceChildren(...Object.entries(facts).filter(([, value]) => value).flatMap(([name, value]) =>
    [make("dt", { textContent: name }), make("dd", { textContent: /^[0-9a-f]{64}$/.test(value) ? value.slice(0, 12) : value, title: value })]));
}

async function choose(rank) {
  if (!state.ad?.pictures.some((one) => one.rank === rank)) return;
  try {
    state.ad = await json("POST", `/ads/${state.ad.request_id}/pick`, { rank });
  } catch (error) {
    tell(error);
    return;
  }
  [...by("pictures").children].forEach((item, place) => {
    const is = place + 1 === rank, button = item.querySelector("button");
    item.classList.toggle("picked", is);
    button.setAttribute("aria-pressed", String(is));
    button.textContent = is ? "Picked" : "Pick";
  });
  say(`Picture ${rank} is picked.`);
}

async function download(address) {
  const url = URL.createObjectURL(await (await ask("GET", address)).blob());
  const [, , id, file] = address.split("/");
  make("a", { href: url, download: `${id.slice(0, 8)}-${file}` }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

// What was made before, in this tab

function made() {
  try { return JSON.parse(sessionStorage.getItem(MADE) || "[]"); } catch { return []; }
}

function remember({ request_id: id, subject, theme, comments }) {
  const entry = { id, text: [`${subject}, ${theme}`, ...comments].join(" · ") };
  sessionStorage.setItem(MADE, JSON.stringify([entry, ...made().filter((one) => one.id !== id)].slice(0, REMEMBERED)));
  past();
}

function past() {
  const earlier = made().filter((one) => one.id !== state.ad?.request_id);
  by("past").hidden = !earlier.length;
  by("history").replaceChildren(...earlier.map(({ id, text }) => {
    const button = make("button", { type: "button" }, make("span", { textContent: text }));
    button.addEventListener("click", () => {
      window.history.pushState({}, "", `?ad=${id}`);
      recall();
    });
    return make("li", {}, button);
  }));
}

async function recall() {
  const id = new URLSearchParams(location.search).get("ad");
  if (!id) return;
  state.passed.clear();
  say("");
  try {
    await follow(await json("GET", `/ads/${encodeURIComponent(id)}`));
  } catch (error) { tell(error); }
}

// Events

by("ask").addEventListener("submit", (event) => {
  event.preventDefault();
  try { send(order()); } catch (error) { tell(error); }
});
by("comment-form").addEventListener("submit", (event) => {
  event.preventDefault();
  if (by("comment").value.trim()) send({ after: state.ad.request_id, comment: by("comment").value.trim() });
});
document.addEventListener("input", () => { state.typed = true; });
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches("input, textarea, select")) return;
  if (["1", "2", "3"].includes(event.key)) choose(Number(event.key));
  const field = { c: "comment", "/": "product" }[event.key];
  if (!field || by(field).offsetParent === null) return;
  event.preventDefault();
  by(field).focus();
});
window.addEventListener("popstate", recall);
enter(open, () => { by("studio").hidden = true; });
