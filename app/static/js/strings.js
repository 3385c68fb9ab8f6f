/**
 * Every visible string, in one place: `strings/` holds them by section. Another language is another object with the same keys
 * and one line in `languages`. {name} is replaced; an array is [one, many] and is chosen by {n}.
 */

import alerts from "./strings/en_alerts.js";
import cards from "./strings/en_cards.js";
import captures from "./strings/en_captures.js";
import connections from "./strings/en_connections.js";
import dns from "./strings/en_dns.js";
import history from "./strings/en_history.js";
import entropy from "./strings/en_entropy.js";
import overview from "./strings/en_overview.js";
import places from "./strings/en_places.js";
import process from "./strings/en_process.js";
import sessions from "./strings/en_sessions.js";
import settings from "./strings/en_settings.js";
import shell from "./strings/en_shell.js";
import time from "./strings/en_time.js";

// One section a line; order means nothing.
const en = {
  ...shell,
  ...alerts,
  ...captures,
  ...cards,
  ...connections,
  ...dns,
  ...entropy,
  ...history,
  ...overview,
  ...places,
  ...process,
  ...sessions,
  ...settings,
  ...time,
};

const languages = { en };

/** What the browser asks for, as far as there is a translation. */
const chosen = (navigator.languages ?? ["en"]).map((tag) => tag.split("-")[0]).find((tag) => tag in languages) ?? "en";
const strings = languages[chosen];
const plural = new Intl.PluralRules(chosen);
const number = new Intl.NumberFormat(chosen);

export const locale = chosen;

export function t(key, values = {}) {
  let text = strings[key] ?? en[key] ?? key;
  if (Array.isArray(text)) text = text[plural.select(values.n ?? values.shown ?? 0) === "one" ? 0 : 1];
  return text.replace(/\{(\w+)\}/g, (_, name) => (typeof values[name] === "number" ? number.format(values[name]) : String(values[name] ?? "")));
}

/** Whether there is such a string: for names that come from the server. */
export const has = (key) => key in strings;
