/** The hosts of the connections held: who they are, where, and how much; a row opens one with all that is known of it. */

import { get } from "../api.js";
import { Poll } from "../data/poll.js";
import { framed, h, setText } from "../dom.js";
import { empty, whyEmpty } from "../parts/empty.js";
import { FilterBar } from "../parts/filter_bar.js";
import { toast } from "../parts/floating.js";
import { pickMenu } from "../parts/pick_menu.js";
import { footText, VirtualTable } from "../parts/table.js";
import { credit } from "../parts/credit.js";
import { span } from "../data/time.js";
import { note } from "../router.js";
import { t } from "../strings.js";
import { COLUMNS } from "./host_columns.js";
import { HostDetails } from "./host_details.js";
import { PastList } from "./past_list.js";

const LIMIT = 1_000;
const ROW_HEIGHT = 40; // px: two lines, as in .vt-two of the style sheet
const WIDTHS = [...new Set(COLUMNS.map((column) => column.least).filter(Boolean))].map((width) => matchMedia(`(min-width: ${width}px)`));

export class HostsView {
  answersPast = true;
  #past = null; // {from, to} of the history; null: live
  #rows = [];
  #loaded = false;
  #refused = null;

  constructor() {
    this.details = new HostDetails({ onClose: () => this.table.setOpen(null), onOpen: (address) => this.#openAddress(address), onTerm: (one, exclude) => this.filter.add(one.field, one.value, exclude) });
    this.filter = new FilterBar({ id: "hosts-filter", placeholder: t("hosts.filter"), list: () => (this.#past ? "history" : "hosts"), columns: COLUMNS, rows: () => this.#rows, onApply: (q) => this.#ask(q) });
    this.table = new VirtualTable({
      label: t("hosts.title"),
      columns: visible(),
      keyOf: (row) => row.address,
      rowHeight: ROW_HEIGHT,
      sort: { key: "bytes", descending: true },
      onOpen: (row) => this.#open(row),
      onPick: (row, column, cell) => pickMenu(cell, { title: column.cell(row), term: column.term(row), onDetails: () => this.#open(row), onTerm: (one, exclude) => this.filter.add(one.field, one.value, exclude) }),
      onKey: (key, row, column) => {
        const term = column.term?.(row);
        if (term) this.filter.add(term.field, term.value, key === "-");
      },
      onSort: () => this.#ask(this.filter.value),
    });
    this.table.element.id = "hosts-table";
    this.table.element.classList.add("vt-two");
    this.count = h("span", { role: "status" });
    this.table.element.append(h("div.vt-foot", {}, this.count, h("span.end.desktop-only", {}, t("hosts.hint")), credit()));
    this.kept = new PastList({ by: "host", field: "ip", heading: t("past.remote"), onTerm: (one, exclude) => this.filter.add(one.field, one.value, exclude) });
    this.element = h("div.view.view-fill", { id: "hosts" }, h("div.view-head", {}, h("h1", {}, t("hosts.title"))), this.filter.element, this.table.element, this.kept.element);
    this.draw = framed(() => this.#draw());
    this.poll = new Poll({ path: "/api/hosts", onAnswer: (rows) => this.#take(rows), onProblem: (problem) => this.#refuse(problem) });
    for (const width of WIDTHS) width.addEventListener("change", () => this.table.setColumns(visible()));
  }

  show({ q = "", open = null }) {
    this.#past = span();
    this.table.element.hidden = this.#past !== null;
    this.kept.element.hidden = this.#past === null;
    this.filter.adopt(q);
    this.#ask(q);
    if (open && !this.#past) this.#openAddress(open);
  }

  hide() {
    this.filter.rest();
    this.poll.stop();
    this.kept.stop();
  }

  focusFilter() {
    this.filter.focus();
  }

  #ask(q) {
    note("hosts", { q });
    this.#refused = null;
    this.filter.refuse(null);
    if (this.#past) {
      this.poll.stop();
      this.kept.load(this.#past, { q }).catch((problem) => this.filter.refuse(problem));
      return;
    }
    const { key, descending } = this.table.sort;
    const field = COLUMNS.find((column) => column.key === key)?.sort ?? "bytes";
    this.poll.start({ q, sort: `${descending ? "-" : ""}${field}`, limit: LIMIT });
  }

  #take(rows) {
    this.#rows = rows;
    this.#loaded = true;
    this.filter.refuse(null);
    this.draw();
  }

  #refuse(problem) {
    if (problem.status === 400) {
      this.#refused = problem;
      this.#rows = [];
      this.filter.refuse(problem);
    }
    this.draw();
  }

  #open(row) {
    this.details.open(row);
    this.table.setOpen(row.address);
  }

  async #openAddress(address) {
    try {
      const { host } = await get(`/api/hosts/${encodeURIComponent(address)}`);
      this.#open(host);
    } catch (problem) {
      toast(problem.message, "error");
    }
  }

  #draw() {
    if (!this.element.isConnected) return;
    this.table.setRows(this.#rows);
    setText(this.count, this.#rows.length < LIMIT ? footText(this.#rows.length, this.#rows.length) : t("hosts.first", { shown: LIMIT }));
    this.table.setEmpty(this.#rows.length ? null : this.#whyNone());
  }

  #whyNone() {
    const why = whyEmpty();
    if (why) return why;
    if (!this.#loaded && !this.#refused) return empty({ iconName: "wait", text: t("hosts.loading") });
    if (!this.filter.value) return empty({ iconName: "hosts", title: t("hosts.empty.title") });
    const clear = h("button.btn.btn-sm", { type: "button", onclick: () => this.filter.set("") }, t("action.clear"));
    return empty({ iconName: "search", title: t("hosts.noMatch.title"), text: this.#refused?.message ?? t("hosts.noMatch"), actions: [clear] });
  }
}

const visible = () => COLUMNS.filter((column) => innerWidth >= (column.least ?? 0));
