// The discovery page: asks for pictures while somebody types, and shows what comes back.
//
// Belongs here: what is shown when, keys, the history of queries. Not here: drawing and searching (they are behind /api).
// Every text is put into the page as text, never as markup. Answers that come late, for words that have changed since,
// are dropped: a picture always belongs to the words that stand above it.
"use strict";

const WAIT_MS = 160;       // after a key: between two letters of one word nobody wants a picture
const SETTLE_MS = 1400;    // after a key: what is still there then is worth remembering
const REMEMBERED = 12;
const STORE = "selvedge-discovery";
const EXAMPLES = ["women black pants", "men blue jeans", "women red shorts", "men khaki pants"];
const FACTS = { type: "Type", article_type: "Sold as", colour: "Colour", gender: "For", brand: "Brand", drop: "Drop", product_id: "Product" };

const by = (id) => document.getElementById(id);
const state = { seed: 0, words: [], chosen: -1, shown: "", asked: 0, place: 0, history: [] };
let waiting = 0, settling = 0;

function make(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

function say(text, bad = false) {
  by("says").textContent = text;
  by("says").classList.toggle("bad", bad);
}

async function get(address) {
  const answer = await fetch(address);
  const told = await answer.json();
  if (!answer.ok) throw new Error(told.error);
  return told;
}

// Words

async function draw() {
  const query = by("query").value.trim();
  const mine = ++state.asked;
  try {
    const told = await get(`/api/refine?q=${encodeURIComponent(query)}&seed=${state.seed}`);
    if (mine !== state.asked) return;
    const strangers = told.words.filter((word) => !word.known).map((word) => word.text);
    say(strangers.length ? `Not known to this model and left out: ${strangers.join(", ")}.` : "");
    show(query, told.words);
  } catch (error) {
    if (mine !== state.asked) return;
    const away = error instanceof TypeError;  // what fetch throws when nobody answers
    say(away ? "The page's own service does not answer; start `selvedge discover` again." : capital(error.message), true);
    by("result").classList.add("stale");
  }
}

function capital(sentence) {
  return sentence.charAt(0).toUpperCase() + sentence.slice(1);
}

function show(query, words) {
  state.words = words;
  state.shown = query;
  by("start").hidden = true;
  by("result").hidden = false;
  by("result").classList.remove("stale");
  by("words").replaceChildren(...words.map((word, place) => {
    const button = make("button", { type: "button", title: word.known ? word.text : `${word.text}: not known to this model` },
      make("img", { src: word.picture, alt: "" }), make("span", { textContent: word.text }));
    button.classList.toggle("unknown", !word.known);
    button.addEventListener("click", () => choose(place));
    return button;
  }));
  choose(words.length - 1);
  list();
}

function choose(place) {
  state.chosen = place;
  const word = state.words[place], upto = state.words.slice(0, place + 1).map((one) => one.text).join(" ");
  by("picture").src = word.picture;
  by("picture").alt = `Drawn for: ${upto}`;
  by("phrase").textContent = upto;
  [...by("words").children].forEach((button, at) => {
    button.setAttribute("aria-pressed", String(at === place));
    button.tabIndex = at === place ? 0 : -1;
  });
  by("words").children[place].scrollIntoView({ block: "nearest", inline: "nearest" });
  by("products").replaceChildren(...word.products.map((product, at) => {
    const facts = [product.gender, product.colour, product.article_type].filter(Boolean).join(" · ");
    const button = make("button", { type: "button" },
      make("img", { src: product.picture, alt: "", loading: "lazy" }),
      make("b", { textContent: product.name || `Product ${product.product_id}` }), make("small", { textContent: facts }));
    button.addEventListener("click", () => open(at));
    return make("li", {}, button);
  }));
}

function typed() {
  clearTimeout(waiting);
  clearTimeout(settling);
  if (!by("query").value.trim()) {
    state.asked++;
    say("");
    by("result").hidden = true;
    by("start").hidden = false;
    return;
  }
  waiting = setTimeout(draw, WAIT_MS);
  settling = setTimeout(remember, SETTLE_MS);
}

async function ask(query) {
  by("query").value = query;
  clearTimeout(waiting);
  clearTimeout(settling);
  await draw();
  remember();
}

// History

function remember() {
  const query = by("query").value.trim();
  if (!query || query !== state.shown || !state.words.length) return;
  const entry = { query, seed: state.seed, pictures: state.words.map((word) => word.picture) };
  state.history = [entry, ...state.history.filter((one) => one.query !== query)].slice(0, REMEMBERED);
  try { sessionStorage.setItem(STORE, JSON.stringify(state.history)); } catch { /* full or forbidden: this page only */ }
  list();
}

function list() {
  const earlier = state.history.filter((one) => one.query !== state.shown);
  by("past").hidden = !earlier.length;
  by("history").replaceChildren(...earlier.map((entry) => {
    const pictures = entry.pictures.slice(-6).map((src) => make("img", { src, alt: "" }));
    const button = make("button", { type: "button" }, make("span", { textContent: entry.query }), make("i", {}, ...pictures));
    button.addEventListener("click", async () => {
      state.seed = entry.seed;
      await ask(entry.query);
      by("query").focus({ preventScroll: true });
      window.scrollTo(0, 0);
    });
    return make("li", {}, button);
  }));
}

function recall() {
  try {
    const kept = JSON.parse(sessionStorage.getItem(STORE) || "[]");
    state.history = kept.filter((one) => typeof one.query === "string" && Array.isArray(one.pictures));
  } catch { state.history = []; }
  list();
}

// One product, large

async function open(place) {
  const products = state.words[state.chosen].products;
  state.place = (place + products.length) % products.length;
  const product = products[state.place];
  remember();
  by("product-picture").src = product.picture;
  by("product-picture").alt = product.name;
  by("product-name").textContent = product.name || `Product ${product.product_id}`;
  by("place").textContent = `${state.place + 1} of ${products.length}`;
  facts(product);
  if (!by("product").open) by("product").showModal();
  try {
    const told = await get(`/api/product/${encodeURIComponent(product.drop)}/${product.product_id}`);
    if (products[state.place] === product) facts(told);
  } catch (error) {
    if (products[state.place] === product) by("facts").replaceChildren(make("dd", { textContent: capital(error.message) }));
  }
}

function facts(product) {
  const same = product.type.toLowerCase() === product.article_type.toLowerCase();  // "jeans" are sold as "Jeans"
  const told = Object.entries(FACTS).filter(([name]) => (product[name] ?? "") !== "" && !(same && name === "type"));
  by("facts").replaceChildren(...told.flatMap(([name, label]) =>
    [make("dt", { textContent: label }), make("dd", { textContent: String(product[name]) })]));
}

// Keys

function grid() {
  const buttons = [...by("products").querySelectorAll("button")];
  const top = buttons.length ? buttons[0].offsetTop : 0;
  return { buttons, columns: Math.max(1, buttons.filter((one) => one.offsetTop === top).length) };
}

function moveInGrid(event) {
  const { buttons, columns } = grid();
  const at = buttons.indexOf(document.activeElement);
  const step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: columns, ArrowUp: -columns }[event.key];
  if (at < 0 || !step) return;
  event.preventDefault();
  if (event.key === "ArrowUp" && at < columns) by("query").focus();
  else (buttons[at + step] || buttons[at]).focus();
}

function moveInWords(event) {
  const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
  const next = state.chosen + (step || 0);
  if (!step || next < 0 || next >= state.words.length) return;
  event.preventDefault();
  choose(next);
  by("words").children[next].focus();
}

by("query").addEventListener("input", typed);
by("query").addEventListener("keydown", (event) => {
  const first = by("products").querySelector("button");
  if (event.key !== "ArrowDown" || !first || by("result").hidden) return;
  event.preventDefault();
  first.focus();
});
by("ask").addEventListener("submit", (event) => {
  event.preventDefault();
  ask(by("query").value);
});
by("products").addEventListener("keydown", moveInGrid);
by("words").addEventListener("keydown", moveInWords);
by("again").addEventListener("click", () => {
  state.seed += 1;
  ask(by("query").value);
});
by("close").addEventListener("click", () => by("product").close());
by("before").addEventListener("click", () => open(state.place - 1));
by("next").addEventListener("click", () => open(state.place + 1));
by("product").addEventListener("click", (event) => { if (event.target === by("product")) by("product").close(); });
by("product").addEventListener("keydown", (event) => {
  const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
  if (step) open(state.place + step);
});
by("product").addEventListener("close", () => grid().buttons[state.place]?.focus());
document.addEventListener("keydown", (event) => {
  if (event.key !== "/" || document.activeElement === by("query") || by("product").open) return;
  event.preventDefault();
  by("query").select();
});

by("examples").replaceChildren(...EXAMPLES.map((text) => {
  const button = make("button", { type: "button", textContent: text });
  button.addEventListener("click", () => { by("query").focus(); ask(text); });
  return button;
}));
recall();
get("/api/about").then((told) => {
  by("about").textContent = `${told.products.toLocaleString("en")} products · ${told.model}`;
}).catch(() => {});
if (by("query").value.trim()) draw();
