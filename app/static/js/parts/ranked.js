/** A short ranked list: a real table whose rows carry their own bar. Rows are kept and rewritten, so nothing flickers. */

import { h, setData, setPart, setText } from "../dom.js";
import { t } from "../strings.js";

export class Ranked {
  /** `narrow` are the indices of columns that need little room. */
  constructor({ headings, narrow = [], none = t("empty.small") }) {
    this.narrow = narrow;
    this.columns = headings.length;
    this.body = h("tbody");
    this.none = h("p.faint", { hidden: true }, none);
    this.table = h("table.ranked", {}, h("thead", {}, h("tr", {}, headings.map((heading, i) => h(narrow.includes(i) ? "th.narrow" : "th", { scope: "col" }, heading)))), this.body);
    this.element = h("div", {}, this.table, this.none);
  }

  /** `items` [{name, link, swatch, values, part, tip}]; `tip` is told when a row is pointed at, otherwise its name. */
  set(items) {
    this.none.hidden = items.length > 0;
    this.table.hidden = !items.length;
    while (this.body.children.length > items.length) this.body.lastChild.remove();
    while (this.body.children.length < items.length) this.body.append(this.#row());
    items.forEach((item, i) => this.#write(this.body.children[i], item));
  }

  #row() {
    const cells = Array.from({ length: this.columns - 1 }, (_, i) => h(this.narrow.includes(i + 1) ? "td.narrow" : "td"));
    return h("tr", {}, h("td", {}, h("span.swatch", { hidden: true }), h("a.plain")), cells);
  }

  #write(row, { name, link, swatch, values, part, tip = null }) {
    const [first, ...cells] = row.children;
    const [mark, text] = first.children;
    mark.hidden = !swatch;
    if (swatch) mark.dataset.kind = swatch;
    setText(text, name);
    setData(row, "tip", tip);
    if (tip) first.removeAttribute("title");
    else if (first.title !== name) first.title = name;
    if (text.getAttribute("href") !== link) text.setAttribute("href", link);
    cells.forEach((cell, i) => setText(cell, values[i] ?? ""));
    setPart(row, part);
  }
}
