/** Who or what made up a time in the past, most traffic first: the same list for hosts, programs and countries, in the place of what is live. */

import { get } from "../api.js";
import { h, setText } from "../dom.js";
import * as format from "../format.js";
import { empty } from "../parts/empty.js";
import { pickMenu } from "../parts/pick_menu.js";
import { footText, sorter, VirtualTable } from "../parts/table.js";
import { term } from "../query.js";
import { go } from "../router.js";
import { t } from "../strings.js";

const LIMIT = 1_000;

export class PastList {
  #rows = [];
  #loading = null;

  /** `by`: a list of /api/history/top; `field`: what the query language calls its names; `heading` stands above them; `onTerm(one, exclude)` filters, where the page can. */
  constructor({ by, field, heading, onTerm = null }) {
    Object.assign(this, { by, field, onTerm });
    this.columns = [
      { key: "name", label: heading, width: 180, grow: 3, sortable: true, pick: true, cell: nameOf },
      ...["traffic", "packets", "flows"].map((key) => ({ key, label: t(`past.${key}`), width: 110, grow: 1, align: "num", sortable: true, cell: (row) => (key === "traffic" ? format.bytes(row[key]) : format.count(row[key])) })),
    ];
    this.table = new VirtualTable({
      label: heading,
      columns: this.columns,
      keyOf: (row) => row.name,
      sort: { key: "traffic", descending: true },
      onOpen: (row) => this.#open(row),
      onPick: (row, _column, cell) => this.#pick(row, cell),
      onKey: (key, row) => row.name !== null && this.onTerm?.(this.#term(row), key === "-"),
      onSort: () => this.#draw(),
    });
    this.element = this.table.element;
    this.element.id = `past-${by}`;
    this.count = h("span", { role: "status" });
    this.element.append(h("div.vt-foot", {}, this.count, h("span.end.desktop-only", {}, t("past.hint"))));
  }

  /** `past` {from, to}; `q` goes to the server, `find` is looked for in the names. Returns the rows; a query that does not parse is thrown. */
  async load(past, { q = "", find = "" } = {}) {
    this.stop();
    const loading = (this.#loading = new AbortController());
    this.table.setRows([]);
    this.table.setEmpty(empty({ iconName: "wait", text: t("past.loading") }));
    try {
      const rows = await get("/api/history/top", { by: this.by, ...past, q, limit: LIMIT }, loading.signal);
      this.#rows = rows.filter((row) => nameOf(row).toLowerCase().includes(find.toLowerCase()));
      this.#draw();
    } catch (problem) {
      if (problem.name === "AbortError") return [];
      this.#rows = [];
      this.table.setEmpty(empty({ iconName: "wait", title: t(problem.status === 400 ? "past.refused" : "history.off.title"), text: problem.message }));
      if (problem.status === 400) throw problem;
    }
    return this.#rows;
  }

  stop() {
    this.#loading?.abort();
  }

  #term(row) {
    return { field: this.field, value: row.name };
  }

  #pick(row, cell) {
    if (row.name === null) return this.#open(row);
    const one = this.#term(row);
    pickMenu(cell, { title: nameOf(row), term: this.onTerm ? one : null, pivot: one, onDetails: () => this.#open(row), onTerm: this.onTerm });
  }

  /** The connections of that name and time. */
  #open(row) {
    go("connections", { q: row.name === null ? `-${this.field}:*` : term(this.field, row.name) });
  }

  #draw() {
    const { key, descending } = this.table.sort;
    const rows = [...this.#rows].sort(sorter(key === "name" ? nameOf : (row) => row[key], descending));
    this.table.setRows(rows);
    setText(this.count, footText(rows.length, rows.length));
    this.table.setEmpty(rows.length ? null : empty({ iconName: "wait", title: t("time.none.title"), text: t("history.none") }));
  }
}

const nameOf = (row) => row.country_name ?? row.name ?? t("history.unknown");
