// Parts of both pages: elements, and what is asked of the service.
//
// Belongs here: what the discovery page and the trace page share. Not here: what either shows (page.js, trace.js).
"use strict";

const by = (id) => document.getElementById(id);

function make(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

class Refused extends Error {
  constructor(told) { super(told.error); this.told = told; }
}

async function get(address) {
  const answer = await fetch(address);
  const told = await answer.json();
  if (!answer.ok) throw new Refused(told);
  return told;
}

function capital(sentence) {
  return sentence.charAt(0).toUpperCase() + sentence.slice(1);
}
