/** What stands below a time chart: the same as a table, unfolded on demand, and how to choose a time in it. */

import { fill, h } from "../dom.js";
import * as format from "../format.js";
import { t } from "../strings.js";

const SHOWN_ROWS = 120; // of the newest

export class ChartFoot {
  #points = null;

  /** `hint`: a sentence at the right, or null. */
  constructor({ label, hint = null }) {
    this.head = h("tr");
    this.body = h("tbody");
    this.table = h("details", { ontoggle: () => this.#fill() }, h("summary", {}, t("chart.table")),
      h("div.chart-values", { tabindex: "0", role: "region", "aria-label": label }, h("table.records", {}, h("thead", {}, this.head), this.body)));
    this.element = h("div.chart-foot", {}, this.table, hint ? h("p.chart-hint", {}, hint) : null);
  }

  /** `series` [{label, values}]; `write(value)` makes text of one. */
  set(times, series, write) {
    this.#points = { times, series, write };
    this.#fill();
  }

  #fill() {
    if (!this.table.open || !this.#points) return;
    const { times, series, write } = this.#points;
    const first = Math.max(0, times.length - SHOWN_ROWS);
    fill(this.head, [t("chart.time"), ...series.map((one) => one.label)].map((label) => h("th", { scope: "col" }, label)));
    fill(this.body, times.slice(first).map((at, i) => h("tr", {}, h("td", {}, format.clockTime(at)), series.map((one) => h("td", {}, write(one.values[first + i] ?? null))))).reverse());
  }
}
