/** The filter box of a table: typed text goes out after a short rest, at once on Enter; the server's words about it stand below. */

import { h, icon, setText } from "../dom.js";
import { t } from "../strings.js";
import { withTerm } from "../query.js";

const REST_MS = 350;

export class FilterBar {
  #rest = null;
  #applied = "";

  constructor({ placeholder, onApply, actions = [], id }) {
    this.onApply = onApply;
    this.input = h("input", { type: "search", id, spellcheck: "false", autocomplete: "off", autocapitalize: "off", "aria-label": t("filter.label"), placeholder, "aria-describedby": `${id}-error`, oninput: () => this.#typed(), onkeydown: (event) => this.#key(event) });
    this.clear = h("button.btn.btn-quiet.btn-sm.btn-icon", { type: "button", "aria-label": t("action.clear"), hidden: true, onclick: () => { this.set(""); this.input.focus(); } }, icon("close", "icon-sm"));
    this.hint = h("kbd", { "aria-hidden": "true" }, "/");
    this.error = h("p.field-error", { id: `${id}-error`, role: "alert", hidden: true });
    this.element = h("div.filterbar", {}, h("div.filter-field", {}, icon("search"), this.input, h("span.end", {}, this.hint, this.clear), this.error), actions);
  }

  get value() {
    return this.#applied;
  }

  /** Puts a query in and applies it. */
  set(q) {
    this.input.value = q;
    this.#apply();
  }

  /** Shows a query without applying it again: it came from the address. */
  adopt(q) {
    this.rest();
    this.input.value = q;
    this.#applied = q;
    this.#marks();
  }

  /** Forgets what was about to be applied: the page is left. */
  rest() {
    clearTimeout(this.#rest);
  }

  add(field, value, exclude) {
    this.set(withTerm(this.input.value, field, value, exclude));
  }

  refuse(text) {
    this.error.hidden = !text;
    setText(this.error, text ?? "");
    if (text) this.input.setAttribute("aria-invalid", "true");
    else this.input.removeAttribute("aria-invalid");
  }

  focus() {
    this.input.focus();
    this.input.select();
  }

  #typed() {
    this.#marks();
    clearTimeout(this.#rest);
    this.#rest = setTimeout(() => this.#apply(), REST_MS);
  }

  #key(event) {
    if (event.key === "Enter") this.#apply();
  }

  #marks() {
    this.clear.hidden = !this.input.value;
    this.hint.hidden = Boolean(this.input.value);
  }

  #apply() {
    clearTimeout(this.#rest);
    this.#marks();
    const q = this.input.value.trim();
    if (q === this.#applied) return;
    this.#applied = q;
    this.refuse(null);
    this.onApply(q);
  }
}
