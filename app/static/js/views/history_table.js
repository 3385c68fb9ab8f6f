/** The connections of a time in the past, newest first, a page at a time. */

import { get } from "../api.js";
import { fill, h, setText } from "../dom.js";
import * as format from "../format.js";
import { toast } from "../parts/floating.js";
import { t } from "../strings.js";

const PAGE = 100;
const COLUMNS = [
  { name: "time", cell: (row) => format.dateTime(row.last_seen) },
  { name: "process", cell: (row) => row.app_name ?? format.NONE },
  { name: "app", cell: (row) => row.application ?? row.service ?? row.protocol },
  { name: "local", cell: (row) => row.local_address, mono: true },
  { name: "remote", cell: (row) => row.hostname ?? row.remote_address, pick: true },
  { name: "sent", cell: (row) => format.bytes(row.bytes_sent), number: true },
  { name: "received", cell: (row) => format.bytes(row.bytes_recv), number: true },
  { name: "duration", cell: (row) => format.span(row.duration), number: true },
];

export class HistoryTable {
  #wanted = {};
  #offset = 0;

  /** `onPick(address)`: somebody wants to see more of a remote address. */
  constructor(onPick) {
    this.onPick = onPick;
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
    return h("tr", {}, COLUMNS.map(({ cell, mono, number, pick }) => {
      const text = cell(row) ?? format.NONE;
      const address = remoteIp(row.remote_address);
      const content = pick && address ? h("button.plain", { type: "button", onclick: () => this.onPick(address) }, text) : text;
      return h(number ? "td.num" : mono ? "td.mono" : "td", { title: pick ? row.remote_address : undefined }, content);
    }));
  }
}

/** `192.0.2.1:443` → `192.0.2.1`, `[2001:db8::1]:443` → `2001:db8::1`. */
function remoteIp(text) {
  if (!text) return null;
  if (text.startsWith("[")) return text.slice(1, text.indexOf("]"));
  return text.split(":").length === 2 ? text.split(":")[0] : text;
}
