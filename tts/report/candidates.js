"use strict";

const byId = (id) => document.getElementById(id);
const index = JSON.parse(byId("index").textContent);
const details = new Map(); // parsed when a problem is picked or searched

function detailOf(place) {
  if (!details.has(place)) details.set(place, JSON.parse(byId(`problem-${place}`).textContent));
  return details.get(place);
}

function make(tag, name, text) {
  const made = document.createElement(tag);
  if (name) made.className = name;
  if (text !== undefined) made.textContent = text;
  return made;
}
