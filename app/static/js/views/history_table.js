/** The connections of a time in the past, newest first, a page at a time. */

import { get } from "../api.js";
import { fill, h, setText } from "../dom.js";
import * as format from "../format.js";
import { toast } from "../parts/floating.js";
import { pickMenu } from "../parts/pick_menu.js";
import { endpoint } from "../query.js";
import { t } from "../strings.js";

const PAGE = 100;
const COLUMNS = [
  { name: "time", cell: (row) => format.dateTime(row.last_seen) },
  { name: "process", cell: (row) => row.app_name, term: (row) => ({ field: "app_name", value: row.app_name }) },
  { name: "app", cell: (row) => row.application ?? row.service ?? row.protocol, term: (row) => [["application", row.application], ["service", row.service], ["protocol", row.protocol]].filter(([, value]) => value).map(([field, value]) => ({ field, value }))[0] },
  { name: "local", cell: (row) => row.local_address, term: (row) => ({ field: "ip", value: endpoint(row.local_address).ip }), mono: true },
  { name: "remote", cell: (row) => row.hostname ?? row.remote_address, term: (row) => ({ field: "ip", value: endpoint(row.remote_address).ip }) },
  { name: "sent", cell: (row) => format.bytes(row.bytes_sent), number: true },
  { name: "received", cell: (row) => format.bytes(row.bytes_recv), number: true },
  { name: "duration", cell: (row) => format.span(row.duration), number: true },
];

export class HistoryTable {
  #wanted = {};
  #offset = 0;

  /** `onTerm(term, exclude)`: somebody wants only connections with a value, or all others; `onOpen(row)`: all that was kept of one. */
  constructor({ onTerm, onOpen }) {
    Object.assign(this, { onTerm, onOpen });
    this.title = h("h2");
    this.rows = h("tbody");
    this.more = h("button.btn.btn-sm", { type: "button", hidden: true, onclick: () => this.#add() }, t("history.more"));
    const heads = COLUMNS.map(({ name, number }) => h(number ? "th.num" : "th", { scope: "col" }, t(`history.col.${name}`)));
    this.element = h("section.panel", { "aria-label": t("history.title") },
      h("div.panel-head", {}, this.title),
      h("div.history-scroll", { tabindex: 0, role: "region", "aria-label": t("history.title") }, h("table.history-table", {}, h("thead", {}, h("tr", {}, heads)), this.rows)),
      h("div.panel-body", {}, this.more));
  }

  async load(wanted, signal) {
    this.#wanted = wanted;
    this.#offset = 0;
    fill(this.rows);
    const { total } = await this.#page(signal);
    setText(this.title, t("history.connections", { n: total }));
  }

  async #add() {
    this.more.disabled = true;
    try {
      await this.#page();
    } catch (problem) {
      toast(problem.message, "error");
    }
    this.more.disabled = false;
  }

  async #page(signal) {
    const parameters = { history: 1, ...this.#wanted, limit: PAGE, offset: this.#offset };
    const [rows, totals] = await Promise.all([get("/api/connections", parameters, signal), this.#offset ? null : get("/api/history/summary", this.#wanted, signal)]);
    this.#offset += rows.length;
    this.rows.append(...rows.map((row) => this.#row(row)));
    this.more.hidden = rows.length < PAGE;
    return { total: totals?.totals.flows ?? 0 };
  }

  #row(row) {
    return h("tr", {}, COLUMNS.map(({ name, cell, mono, number, term }) => {
      const text = cell(row) ?? format.NONE;
      const told = name === "remote" ? row.remote_address : undefined;
      return h(number ? "td.num" : mono ? "td.mono" : "td", { title: told }, this.#pickable(row, text, term ? term(row) : null, name));
    }));
  }

  #pickable(row, text, term, name) {
    if (name === "time") return h("button.plain", { type: "button", "aria-haspopup": "dialog", onclick: () => this.onOpen(row) }, text);
    if (!term?.value) return text;
    return h("button.plain", { type: "button", "aria-haspopup": "menu", onclick: (event) => pickMenu(event.currentTarget, { title: String(term.value), term, onDetails: () => this.onOpen(row), onTerm: this.onTerm }) }, text);
  }
}
