/** The filter box of a table: typed text goes out after a short rest, at once on Enter; the server's words about it stand below. */

import { h, icon } from "../dom.js";
import { t } from "../strings.js";
import { withTerm } from "../query.js";
import { QueryBox } from "./query_box.js";

const REST_MS = 350;
const HALF = /[:=<>,-]$/;

export class FilterBar {
  #rest = null;
  #applied = "";

  /** `list`, `columns` and `rows`: what the box completes from, as QueryBox takes them. */
  constructor({ placeholder, onApply, actions = [], id, list, columns, rows }) {
    this.onApply = onApply;
    this.box = new QueryBox({ id, placeholder, list, columns, rows, onType: () => this.#typed(), onEnter: () => this.#apply() });
    this.clear = h("button.btn.btn-quiet.btn-sm.btn-icon", { type: "button", "aria-label": t("action.clear"), hidden: true, onclick: () => { this.set(""); this.focus(); } }, icon("close", "icon-sm"));
    this.hint = h("kbd", { "aria-hidden": "true" }, "/");
    this.element = h("div.filterbar", {}, h("div.filter-field", {}, icon("search"), this.box.elements, h("span.end", {}, this.hint, this.clear)), actions);
  }

  get value() {
    return this.#applied;
  }

  /** Puts a query in and applies it. */
  set(q) {
    this.box.value = q;
    this.#apply();
  }

  /** Shows a query without applying it again: it came from the address. */
  adopt(q) {
    this.rest();
    this.box.value = q;
    this.#applied = q;
    this.#marks();
  }

  /** Forgets what was about to be applied: the page is left. */
  rest() {
    clearTimeout(this.#rest);
  }

  add(field, value, exclude) {
    this.set(withTerm(this.box.value, field, value, exclude));
  }

  /** `problem`: why the server does not take the query, or null. */
  refuse(problem) {
    this.box.refuse(problem);
  }

  focus() {
    this.box.input.focus();
    this.box.input.select();
  }

  #typed() {
    this.#marks();
    this.rest();
    if (HALF.test(this.box.value)) return; // a field without its value yet: Enter says that it is meant so
    this.#rest = setTimeout(() => this.#apply(), REST_MS);
  }

  #marks() {
    this.clear.hidden = !this.box.value;
    this.hint.hidden = Boolean(this.box.value);
  }

  #apply() {
    this.rest();
    this.#marks();
    const q = this.box.value.trim();
    if (q === this.#applied) return;
    this.#applied = q;
    this.refuse(null);
    this.onApply(q);
  }
}
