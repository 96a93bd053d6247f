"use strict";

// Helpers of all other files: elements, text, order.

const byId = (id) => document.getElementById(id);

/** Makes an element with properties and children; a string becomes text, so that no data is ever read as HTML. */
function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name in element && name !== "list") element[name] = value;
    else if (value !== false && value != null) element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child != null));
  return element;
}

function button(text, action, properties = {}) {
  return make("button", { type: "button", onclick: action, ...properties }, text);
}

/** Writes a value as text: a number with at most eight digits, a mapping from layers to weights as its layers. */
function text(value) {
  if (value === undefined || value === null) return "–";
  if (typeof value === "number") return String(Number(value.toPrecision(8)));
  if (Array.isArray(value)) return value.map(text).join(", ");
  if (typeof value !== "object") return value === "" ? "“”" : String(value);
  return Object.entries(value).map(([key, inner]) => (inner === 1 ? key : `${key}: ${text(inner)}`)).join(" ");
}

function duration(seconds) {
  if (seconds == null) return "–";
  if (seconds < 100) return `${Number(seconds.toPrecision(3))} s`;
  const minutes = seconds / 60;
  return minutes < 100 ? `${Number(minutes.toPrecision(2))} min` : `${Number((minutes / 60).toPrecision(3))} h`;
}

function memory(bytes) {
  if (bytes == null) return "–";
  return bytes < 2 ** 30 ? `${Math.round(bytes / 2 ** 20)} MiB` : `${Number((bytes / 2 ** 30).toPrecision(3))} GiB`;
}

/** Tells whether two values look the same to a reader. */
const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);

const collator = new Intl.Collator("en", { numeric: true });

/** Compares two values for sorting: numbers by size, other values as text; missing values come last. */
function order(a, b) {
  if (a == null || b == null) return (a == null) - (b == null);
  if (typeof a === "number" && typeof b === "number") return a - b;
  return collator.compare(text(a), text(b));
}

/** Fills a select with [value, label] pairs, or with groups of pairs {label: pairs}. */
function fill(select, choices, value) {
  const option = ([key, label]) => make("option", { value: key }, label);
  const items = Array.isArray(choices)
    ? choices.map(option)
    : Object.entries(choices).filter(([, pairs]) => pairs.length)
      .map(([label, pairs]) => make("optgroup", { label }, ...pairs.map(option)));
  select.replaceChildren(...items);
  select.value = value;
}

function tableOf(className, head, rows) {
  return make("table", { className }, make("thead", {}, head), make("tbody", {}, ...rows));
}

function press(element, on) {
  element.setAttribute("aria-pressed", String(Boolean(on)));
}

async function copy(command, told) {
  try {
    await navigator.clipboard.writeText(command);
    told.textContent = "Copied";
  } catch {
    told.textContent = "Select the command and copy it by hand";
  }
  setTimeout(() => { told.textContent = "Copy"; }, 2000);
}
