/** Pieces of a drawer that shows facts: a list of names and values, a section, a mark. All of it text nodes. */

import { h } from "../dom.js";

/** `entries` [[label, value, {mono, help}]]; a value is text, an element, or null where it is not known: then it is left out. */
export function definitions(entries) {
  const rows = entries.filter(([, value]) => value !== null && value !== undefined && value !== "");
  return h("dl", {}, rows.map(([label, value, { mono = false, help = null } = {}]) => [
    h("dt", {}, help ? h("span", { data: { help }, tabindex: "0" }, label) : label),
    h("dd", {}, value instanceof Node ? value : h(mono ? "span.mono" : "span", {}, value)),
  ]));
}

/** A section with its heading and how many there are. */
export function section(title, { count = null } = {}, ...children) {
  return h("section", {}, h("h3", {}, title, count === null ? null : h("span.tag", {}, String(count))), children);
}

export const mark = (text, tone) => h(`span.tag.tag-${tone}`, {}, text);

