/** A search box for the query language: an ARIA combobox that completes what is written, and shows at which column a query is wrong. */

import { fieldsOf, seen } from "../data/query_fields.js";
import { fill, h } from "../dom.js";
import * as format from "../format.js";
import { offers } from "../query_offers.js";
import { t } from "../strings.js";

const AROUND = 28; // characters of the query on each side of a mistake

export class QueryBox {
  #active = -1;
  #offers = null;
  #asked = 0;
  #before = []; // rows that were there when somebody began to write: half a query finds none

  /** `list()`: name of the list that is asked; null completes nothing. `columns` and `rows()`: what the page shows, for values that
      have been seen. `onType`, `onEnter` hear the reader. */
  constructor({ id, placeholder, list = () => null, columns = [], rows = () => [], onType, onEnter }) {
    Object.assign(this, { list, columns, rows, onType, onEnter });
    this.input = h("input", {
      type: "text", inputmode: "search", id, spellcheck: "false", autocomplete: "off", autocapitalize: "off", "aria-label": t("filter.label"), placeholder,
      role: "combobox", "aria-autocomplete": "list", "aria-expanded": "false", "aria-controls": `${id}-offers`, "aria-describedby": `${id}-error`,
      oninput: () => this.#typed(), onkeydown: (event) => this.#key(event), onblur: () => this.#close(), onfocus: () => this.#begin(), onclick: () => this.#offers && this.#offer(),
    });
    this.offers = h("ul.query-offers", { id: `${id}-offers`, role: "listbox", "aria-label": t("filter.offers"), hidden: true, onpointerdown: (event) => this.#pointed(event) });
    this.error = h("div.field-error", { id: `${id}-error`, role: "alert", hidden: true });
    this.elements = [this.input, this.offers, this.error];
  }

  get value() {
    return this.input.value;
  }

  set value(text) {
    this.input.value = text;
    this.#close();
  }

  /** Says what is wrong with the query and where; null takes it back. */
  refuse(problem) {
    this.error.hidden = !problem;
    fill(this.error, problem ? h("p", {}, problem.message) : null, problem ? this.#place(problem.document?.position) : null);
    if (problem) this.input.setAttribute("aria-invalid", "true");
    else this.input.removeAttribute("aria-invalid");
  }

  /** The query around the column of the mistake, which is marked; a click goes there. */
  #place(at) {
    const text = this.input.value;
    if (!Number.isInteger(at) || at < 0 || at > text.length) return null;
    const end = Math.max(at + 1, at + /^[^\s()]*/.exec(text.slice(at))[0].length);
    const from = Math.max(0, at - AROUND);
    const to = Math.min(text.length, end + AROUND);
    const go = () => {
      this.input.focus();
      this.input.setSelectionRange(at, Math.min(end, text.length));
    };
    return h("button.query-place", { type: "button", onclick: go, "aria-label": t("filter.column", { n: at + 1 }) },
      h("code", { "aria-hidden": "true" }, from ? "…" : "", text.slice(from, at), h("mark", {}, text.slice(at, end) || " "), text.slice(end, to), to < text.length ? "…" : ""),
      h("small", { "aria-hidden": "true" }, t("filter.column", { n: at + 1 })));
  }

  #begin() {
    if (this.list()) fieldsOf(this.list());
    this.#before = [...this.rows()];
  }

  #seen(names) {
    const rows = [...this.rows()];
    return seen(this.columns, rows.length ? rows : this.#before, names);
  }

  #typed() {
    this.onType();
    this.#offer();
  }

  /** Shows what fits at the cursor; `asked`: the reader pressed a key for it. */
  async #offer(asked = false) {
    const list = this.list();
    if (!list) return;
    const mine = (this.#asked += 1);
    const fields = await fieldsOf(list);
    if (mine !== this.#asked || document.activeElement !== this.input) return;
    this.#offers = offers({ text: this.input.value, cursor: this.input.selectionStart, fields, seen: (names) => this.#seen(names), asked });
    this.#active = asked && this.#offers.items.length ? 0 : -1;
    this.#draw();
  }

  #draw() {
    const { items } = this.#offers;
    const note = ({ hint, meaning, count }) => hint ?? (meaning ? t(`filter.word.${meaning}`) : count ? format.count(count) : "");
    fill(this.offers, items.map((item, index) => h("li", { role: "option", id: `${this.offers.id}-${index}`, "aria-selected": "false", data: { index } }, h("code", {}, item.label), h("small", {}, note(item)))));
    this.offers.hidden = !items.length;
    this.input.setAttribute("aria-expanded", String(items.length > 0));
    this.#mark();
  }

  #mark() {
    [...this.offers.children].forEach((option, index) => option.setAttribute("aria-selected", String(index === this.#active)));
    const option = this.offers.children[this.#active];
    if (option) {
      this.input.setAttribute("aria-activedescendant", option.id);
      option.scrollIntoView({ block: "nearest" });
    } else this.input.removeAttribute("aria-activedescendant");
  }

  #close() {
    this.#asked += 1;
    this.#offers = null;
    this.#active = -1;
    this.offers.hidden = true;
    this.input.setAttribute("aria-expanded", "false");
    this.input.removeAttribute("aria-activedescendant");
  }

  #key(event) {
    const count = this.offers.hidden ? 0 : this.#offers.items.length;
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      if (!count) this.#offer(true);
      else {
        const step = event.key === "ArrowDown" ? 1 : -1;
        this.#active = this.#active < 0 ? (step > 0 ? 0 : count - 1) : (this.#active + step + count) % count;
        this.#mark();
      }
    } else if ((event.key === "Enter" || event.key === "Tab") && this.#active >= 0) this.#take(this.#active);
    else if (event.key === "Enter") {
      this.#close();
      this.onEnter();
      return;
    } else if (event.key === "Escape" && count) this.#close();
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  #pointed(event) {
    event.preventDefault(); // the box keeps the focus
    const option = event.target.closest("[data-index]");
    if (option) this.#take(Number(option.dataset.index));
  }

  #take(index) {
    const { from, to, items } = this.#offers;
    const { text } = items[index];
    const after = this.input.value.slice(to);
    const inserted = text.endsWith(" ") && /^[\s)]/.test(after) ? text.slice(0, -1) : text;
    this.input.value = this.input.value.slice(0, from) + inserted + after;
    this.input.setSelectionRange(from + inserted.length, from + inserted.length);
    this.#typed();
  }
}
