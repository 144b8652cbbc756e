// The discovery page: asks for pictures while somebody types, and shows what comes back.
//
// Belongs here: what is shown when, keys, the history of queries, the address. Not here: drawing, reading and searching
// (they are behind /api). Every text is put into the page as text, never as markup. Answers that come late, for words
// that have changed since, are dropped: a picture always belongs to the words that stand above it. The address holds the
// query, its seed and the filters that were lifted, so that it opens the same search elsewhere.
"use strict";

const WAIT_MS = 160;       // after a key: between two letters of one word nobody wants a picture
const SETTLE_MS = 1400;    // after a key: what is still there then is worth remembering
const REMEMBERED = 12;
const STORE = "selvedge-discovery";
const EXAMPLES = ["women black pants", "men blue jeans", "women red shorts", "men khaki pants"];
const FACTS = { type: "Type", article_type: "Sold as", colour: "Colour", gender: "For", brand: "Brand", drop: "Drop", product_id: "Product" };

const state = { seed: 0, lifted: new Set(), words: [], listed: [], chosen: -1, shown: "", asked: 0, settled: true,
  open: [], opened: "products", place: 0, history: [], products: null };
let waiting = 0, settling = 0;

function say(text, bad = false) {
  by("says").textContent = text;
  by("says").classList.toggle("bad", bad);
}

// How the words were read

function quoted(words) {
  return words.map((word) => `“${word}”`).join(", ");
}

function listing(words, total) {
  return total ? `${total.toLocaleString("en")} ${total === 1 ? "product has" : "products have"} these words` : "no product has these words";
}

function notes({ reading, catalogue }) {
  const lines = [];
  const line = (...parts) => lines.push(make("p", {}, ...parts));
  if (reading.not_drawn.length) {
    line(`This model draws ${reading.draws} only, no ${reading.not_drawn.join(", no ")}. In the catalogue `
      + `${listing(reading.not_drawn, catalogue.total)}.`);
    lines.at(-1).className = "first";
  }
  for (const [word, near] of reading.read_as) line(`“${word}” is read as “${near}”.`);
  if (reading.left_out.length) line(`Not understood and left out: ${quoted(reading.left_out.map((part) => part.phrase))}.`);
  if (reading.said_again.length) {
    line(`Only the first colour, type and person are drawn; left out: ${reading.said_again.join(", ")}.`);
  }
  if (reading.unknown.length) {
    line(`Not known to this model and left out: ${reading.unknown.map((one) => one.word).join(", ")}.`);
    for (const { word, suggestion } of reading.unknown.filter((one) => one.suggestion)) {
      const button = make("button", { type: "button", textContent: suggestion });
      button.addEventListener("click", () => { by("query").focus(); ask(replaced(by("query").value, word, suggestion)); });
      lines.at(-1).append(" Did you mean ", button, "?");
    }
  }
  if (catalogue.error) line(capital(catalogue.error));
  return lines;
}

function replaced(text, word, other) {
  const place = text.toLowerCase().indexOf(word.toLowerCase());
  return place < 0 ? text.replace(word, other) : text.slice(0, place) + other + text.slice(place + word.length);
}

function chips(filters) {
  by("filters").hidden = !filters.length;
  by("filters").replaceChildren(...filters.map(({ column, says, holds, lifted }) => {
    if (!holds) return make("span", { textContent: `no product is ${says}` });
    const button = make("button", { type: "button", title: lifted ? `Show only ${says} again` : `Show others than ${says} too` },
      says, make("i", { textContent: lifted ? "+" : "×", ariaHidden: "true" }));
    button.classList.toggle("lifted", lifted);
    button.setAttribute("aria-pressed", String(!lifted));
    button.addEventListener("click", async () => {
      if (lifted) state.lifted.delete(column); else state.lifted.add(column);
      state.settled = true;
      await draw();
      [...by("filters").querySelectorAll("button")].find((one) => one.firstChild.textContent === says)?.focus();
    });
    return button;
  }));
}

function shelf({ products, total }, first) {
  state.listed = products;
  by("shelf").hidden = !products.length;
  by("shelf-name").replaceChildren("With these words in the catalogue",
    make("small", { textContent: products.length < total ? `${products.length} of ${total.toLocaleString("en")}` : String(total) }));
  by("listed").replaceChildren(...cards(products, "listed"));
  by("found").classList.toggle("shelf-first", first);
}

// Words

async function draw() {
  const query = by("query").value.trim();
  const mine = ++state.asked;
  const asked = new URLSearchParams({ q: query, seed: state.seed, lifted: [...state.lifted].join(",") });
  try {
    const told = await get(`/api/refine?${asked}`);
    if (mine !== state.asked) return;
    by("says").classList.remove("bad");
    by("says").replaceChildren(...notes(told));
    by("result").classList.remove("undrawn");
    chips(told.filters);
    shelf(told.catalogue, told.reading.not_drawn.length > 0);
    about(told.about);
    show(query, told.words);
    address(query);
  } catch (error) {
    if (mine !== state.asked) return;
    const away = error instanceof TypeError;  // what fetch throws when nobody answers
    say(away ? "The page's own service does not answer; start `selvedge discover` again." : capital(error.message), true);
    by("result").classList.add("stale");
    if (error instanceof Refused && error.told.reading) undrawn(query, error.told);
  }
}

// Nothing can be drawn; what the catalogue has of the words, and what was perhaps meant, is shown all the same.
function undrawn(query, told) {
  const [sentence] = by("says").childNodes;
  by("says").replaceChildren(make("p", { className: "bad" }, sentence), ...notes(told));
  by("result").classList.add("undrawn");
  by("result").classList.remove("stale");
  chips([]);
  shelf(told.catalogue, true);
  by("start").hidden = told.catalogue.products.length > 0;
  by("result").hidden = !told.catalogue.products.length;
  address(query);
}

// Address

function address(query) {
  const asked = new URLSearchParams(query ? { q: query } : {});
  if (state.seed) asked.set("seed", state.seed);
  if (state.lifted.size) asked.set("lifted", [...state.lifted].join(","));
  const now = String(asked) ? `?${asked}` : "/";
  if (now === (location.search || "/")) return;
  // While somebody types there is one entry for all that is typed; what settled before stays behind "back".
  window.history[state.settled ? "pushState" : "replaceState"]({}, "", now);
  state.settled = false;
}

async function recallAddress() {
  const asked = new URLSearchParams(location.search);
  const seed = Number.parseInt(asked.get("seed") || "0", 10);
  state.seed = seed >= 0 ? seed : 0;
  state.lifted = new Set((asked.get("lifted") || "").split(",").filter(Boolean));
  by("query").value = asked.get("q") || "";
  if (by("query").value.trim()) await draw();
  else clear();
  state.settled = true;
}

function clear() {
  state.asked++;
  say("");
  chips([]);
  by("result").hidden = true;
  by("start").hidden = false;
}

// What is in the index

function about({ products, model, drops }) {
  by("about").textContent = `${products.toLocaleString("en")} products · ${model}`;
  const before = state.products;
  state.products = { products, drops };
  if (before === null || (before.products === products && String(before.drops) === String(drops))) return false;
  const come = drops.filter((drop) => !before.drops.includes(drop));
  by("news").textContent = `${come.length ? `Drop ${come.join(", ")} was published` : "The catalogue changed"} while this page was open: `
    + `${products.toLocaleString("en")} products now, ${before.products.toLocaleString("en")} before.`;
  return true;
}

async function lookAgain() {
  if (document.hidden) return;
  const changed = await get("/api/about").then(about).catch(() => false);
  if (changed && by("query").value.trim()) draw();
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
  const word = state.words[place], upto = state.words.slice(0, place + 1).filter((one) => one.known).map((one) => one.text).join(" ");
  by("picture").src = word.picture;
  by("picture").alt = `Drawn for: ${upto}`;
  by("phrase").textContent = upto;
  [...by("words").children].forEach((button, at) => {
    button.setAttribute("aria-pressed", String(at === place));
    button.tabIndex = at === place ? 0 : -1;
  });
  by("words").children[place].scrollIntoView({ block: "nearest", inline: "nearest" });
  by("products").replaceChildren(...cards(word.products, "products"));
  by("none").hidden = word.products.length > 0;
}

function cards(products, list) {
  return products.map((product, at) => {
    const facts = [product.gender, product.colour, product.article_type].filter(Boolean).join(" · ");
    const picture = product.picture ? make("img", { src: product.picture, alt: "", loading: "lazy" })
      : make("span", { className: "blank", textContent: "no picture" });
    const button = make("button", { type: "button" }, picture,
      make("b", { textContent: product.name || `Product ${product.product_id}` }), make("small", { textContent: facts }));
    button.addEventListener("click", () => open(at, list));
    return make("li", {}, button);
  });
}

function typed() {
  clearTimeout(waiting);
  clearTimeout(settling);
  if (!by("query").value.trim()) {
    state.lifted.clear();
    clear();
    address("");
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
  state.settled = true;
  const entry = { query, seed: state.seed, lifted: [...state.lifted], pictures: state.words.map((word) => word.picture) };
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
      state.lifted = new Set(entry.lifted || []);
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

async function open(place, list = state.opened) {
  state.opened = list;
  const products = state.open = list === "listed" ? state.listed : state.words[state.chosen].products;
  state.place = (place + products.length) % products.length;
  const product = products[state.place];
  remember();
  by("product-picture").src = product.picture || "data:,";
  by("product-picture").alt = product.name;
  by("product-name").textContent = product.name || `Product ${product.product_id}`;
  by("place").textContent = `${state.place + 1} of ${products.length}`;
  facts(product);
  if (!by("product").open) by("product").showModal();
  try {
    const told = await get(`/api/product/${encodeURIComponent(product.drop)}/${product.product_id}`);
    if (products[state.place] === product && state.open === products) facts(told);
  } catch (error) {
    if (products[state.place] === product) by("facts").replaceChildren(make("dd", { textContent: capital(error.message) }));
  }
}

function facts(product) {
  const same = (product.type ?? "").toLowerCase() === product.article_type.toLowerCase();  // "jeans" are sold as "Jeans"
  const told = Object.entries(FACTS).filter(([name]) => (product[name] ?? "") !== "" && !(same && name === "type"));
  by("facts").replaceChildren(...told.flatMap(([name, label]) =>
    [make("dt", { textContent: label }), make("dd", { textContent: String(product[name]) })]));
  by("description").textContent = product.description ?? "";
  const read = product.attributes ?? [];
  by("attributes").hidden = !read.length;
  by("attributes").tBodies[0].replaceChildren(...read.map(({ name, value, confidence }) => make("tr", {},
    make("td", { textContent: name }), make("td", { textContent: value || "not sure enough to say" }),
    make("td", { textContent: `${Math.round(100 * confidence)} %`, title: "how sure the model is" }))));
  by("origin").hidden = !product.traced;
  by("trace").href = `/trace?${new URLSearchParams({ product: product.product_id, drop: product.drop })}`;
}

// Keys

function grid(list = "products") {
  const buttons = [...by(list).querySelectorAll("button")];
  const top = buttons.length ? buttons[0].offsetTop : 0;
  return { buttons, columns: Math.max(1, buttons.filter((one) => one.offsetTop === top).length) };
}

function moveInGrid(event) {
  const { buttons, columns } = grid(event.currentTarget.id);
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
  const first = [...by("found").querySelectorAll("ul.products button")].filter((one) => one.offsetParent)
    .sort((one, other) => one.getBoundingClientRect().top - other.getBoundingClientRect().top)[0];
  if (event.key !== "ArrowDown" || !first || by("result").hidden) return;
  event.preventDefault();
  first.focus();
});
by("ask").addEventListener("submit", (event) => {
  event.preventDefault();
  ask(by("query").value);
});
by("products").addEventListener("keydown", moveInGrid);
by("listed").addEventListener("keydown", moveInGrid);
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
by("product").addEventListener("close", () => grid(state.opened).buttons[state.place]?.focus());
document.addEventListener("keydown", (event) => {
  if (event.key !== "/" || document.activeElement === by("query") || by("product").open) return;
  event.preventDefault();
  by("query").select();
});

by("examples").replaceChildren(...EXAMPLES.map((text) => {
  const button = make("button", { type: "button", textContent: text });
  button.addEventListener("click", () => { state.lifted.clear(); by("query").focus(); ask(text); });
  return button;
}));
recall();
get("/api/about").then(about).catch(() => {});
window.addEventListener("popstate", recallAddress);
window.addEventListener("focus", lookAgain);
document.addEventListener("visibilitychange", lookAgain);
if (location.search) recallAddress();
else if (by("query").value.trim()) draw();
