// The trace of a product: every hop from its sentence to the row of the delivery.
//
// Belongs here: the layout of the hops. Not here: finding them (/api/trace). Every text is put in as text, never as markup.
"use strict";

function shown({ hop, value, link, state, note }) {
  const text = value || "–";
  const row = make("li", { className: state }, make("span", { className: "hop", textContent: hop }),
    link ? make("a", { href: link, textContent: text }) : make("span", { textContent: text }));
  if (note) row.append(make("span", { className: "note", textContent: note }));
  return row;
}

async function follow() {
  const asked = new URLSearchParams(location.search);
  const about = { product: asked.get("product") || "", drop: asked.get("drop") || "" };
  const told = await get(`/api/trace?${new URLSearchParams(about)}`);
  by("name").textContent = told.name || `Product ${told.product_id}`;
  by("lead").textContent = `Product ${told.product_id} of drop ${told.drop}: from the published sentence back to the weights and the delivered row.`;
  document.title = `Trace of ${told.product_id}`;
  by("chain").replaceChildren(...told.hops.map(shown));
  by("legend").hidden = false;
}

by("back").addEventListener("click", (event) => {
  if (!document.referrer && history.length < 2) return;
  event.preventDefault();
  history.back();
});
follow().catch((error) => {
  const away = error instanceof TypeError;
  const sentence = away ? "the page's own service does not answer; start `selvedge discover` again." : error.message;
  by("says").textContent = capital(sentence);
  by("says").classList.add("bad");
});
