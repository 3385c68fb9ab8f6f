/**
 * What fits where the cursor stands in a query: fields, then values that the field takes or that have been seen, and the words of the language.
 * Text in, offers out; the search box shows them.
 */

import { quote } from "./query.js";

const MOST = 12;
const WORDS = ["OR", "NOT", "sort:"];

/** How values of a kind are compared: [what is written, key of its meaning]. */
const COMPARISONS = {
  number: [[">", "more"], ["<", "less"], ["..", "range"]],
  time: [["-5m", "ago"], [">=", "since"], ["..", "range"]],
  address: [["10.0.0.0/8", "network"]],
  text: [["=", "exact"]],
};

/**
 * {from, to, items: [{text, label, hint, meaning}]}: `text` takes the place of from..to. `fields` as the server lists them; `seen(names)` gives
 * [[value, count]] of those that the page shows. `asked`: the reader wants to be told even though nothing is written yet.
 */
export function offers({ text, cursor, fields, seen, asked = false }) {
  const from = wordStart(text, cursor);
  const word = text.slice(from, cursor);
  const minus = word.startsWith("-") ? 1 : 0;
  const colon = word.indexOf(":");
  if (colon < 0) return nameOffers(word.slice(minus), { from: from + minus, to: cursor }, fields, asked);
  const name = word.slice(minus, colon).toLowerCase();
  const start = from + valueStart(word, colon + 1);
  const place = { from: start, to: cursor };
  const value = text.slice(start, cursor);
  if (name === "sort") return sortOffers(value, place, fields);
  const field = fields.find((one) => one.name === name || one.aliases.includes(name));
  return field ? valueOffers(value, place, field, seen) : { ...place, items: [] };
}

/** Where the word around the cursor begins: after a space or parenthesis outside of quotes. */
function wordStart(text, cursor) {
  let start = 0;
  let quoted = false;
  for (let i = 0; i < cursor; i += 1) {
    if (quoted && text[i] === "\\") i += 1;
    else if (text[i] === '"') quoted = !quoted;
    else if (!quoted && /[\s()]/.test(text[i])) start = i + 1;
  }
  return start;
}

/** Where the value begins that is being written: after the last comma outside of quotes and what compares. */
function valueStart(word, after) {
  let start = after;
  let quoted = false;
  for (let i = after; i < word.length; i += 1) {
    if (quoted && word[i] === "\\") i += 1;
    else if (word[i] === '"') quoted = !quoted;
    else if (!quoted && word[i] === ",") start = i + 1;
  }
  return start + /^(?:>=|<=|>|<|=)?/.exec(word.slice(start))[0].length;
}

function nameOffers(word, place, fields, asked) {
  if (!word && !asked) return { ...place, items: [] };
  const wanted = word.toLowerCase();
  const rank = ({ name, aliases, help }) => (name.startsWith(wanted) ? 0 : aliases.some((one) => one.startsWith(wanted)) ? 1 : name.includes(wanted) ? 2 : wanted.length > 2 && help.toLowerCase().includes(wanted) ? 3 : 9);
  const found = fields.map((field) => [rank(field), field]).filter(([place_]) => place_ < 9).sort((a, b) => a[0] - b[0]);
  const items = found.map(([, { name, help }]) => ({ text: `${name}:`, label: name, hint: help }));
  const words = WORDS.filter((one) => wanted && one.toLowerCase().startsWith(wanted)).map((one) => ({ text: one.endsWith(":") ? one : `${one} `, label: one, meaning: one.toLowerCase().replace(":", "") }));
  return { ...place, items: [...items.slice(0, MOST), ...words] };
}

function sortOffers(value, place, fields) {
  const descending = value.startsWith("-");
  const wanted = value.slice(descending ? 1 : 0).toLowerCase();
  const items = fields.filter(({ name }) => name.startsWith(wanted)).map(({ name, help }) => ({ text: `${descending ? "-" : ""}${name} `, label: `${descending ? "-" : ""}${name}`, hint: help }));
  return { ...place, items: items.slice(0, MOST) };
}

function valueOffers(value, place, field, seen) {
  const wanted = value.replace(/^"/, "").toLowerCase();
  const fits = (text) => text.toLowerCase().includes(wanted) && text.toLowerCase() !== wanted;
  const known = seen([field.name, ...field.aliases]).map(([one, count]) => [String(one), count]);
  const shown = new Set(known.map(([one]) => one.toLowerCase()));
  const rest = field.values.filter((one) => !shown.has(one.toLowerCase())).map((one) => [one, null]);
  const items = [...known, ...rest].filter(([one]) => fits(one)).map(([one, count]) => ({ text: `${quote(one)} `, label: one, count }));
  const compared = wanted ? [] : [...(COMPARISONS[field.kind] ?? []), ["*", "any"]].map(([text, meaning]) => ({ text, label: text, meaning }));
  return { ...place, items: [...items.slice(0, MOST), ...compared] };
}
