/** The programs of this machine that have connections: how much each sends and receives, with whom, and what could not be attributed. */

import { Poll } from "../data/poll.js";
import { span } from "../data/time.js";
import { framed, h, setText } from "../dom.js";
import * as format from "../format.js";
import { empty, whyEmpty } from "../parts/empty.js";
import { FilterBar } from "../parts/filter_bar.js";
import { pickMenu } from "../parts/pick_menu.js";
import { footText, sorter, VirtualTable } from "../parts/table.js";
import { term } from "../query.js";
import { go, note } from "../router.js";
import { t } from "../strings.js";
import { PastList } from "./past_list.js";
import { COLUMNS } from "./program_columns.js";
import { ProgramDetails } from "./program_details.js";

const LIMIT = 1_000;
const ROW_HEIGHT = 40; // px: two lines, as in .vt-two of the style sheet
const WIDTHS = [...new Set(COLUMNS.map((column) => column.least).filter(Boolean))].map((width) => matchMedia(`(min-width: ${width}px)`));

export class ProgramsView {
  answersPast = true;
  #past = null; // {from, to} of the history; null: live
  #found = null;

  constructor() {
    this.details = new ProgramDetails({ onClose: () => this.table.setOpen(null) });
    this.filter = new FilterBar({ id: "programs-filter", placeholder: t("programs.filter"), onApply: (q) => this.#ask(q) });
    this.table = new VirtualTable({
      label: t("programs.title"),
      columns: visible(),
      keyOf: (row) => row.id,
      rowHeight: ROW_HEIGHT,
      sort: { key: "bytes", descending: true },
      onOpen: (row) => this.#open(row),
      onPick: (row, column, cell) => pickMenu(cell, { title: column.cell(row), pivot: { field: "app_name", value: row.app_name }, onDetails: () => this.#open(row) }),
      onKey: (key, row) => go("connections", { q: term("app_name", row.app_name, key === "-") }),
      onSort: () => this.draw(),
    });
    this.table.element.id = "programs-table";
    this.table.element.classList.add("vt-two");
    this.count = h("span", { role: "status" });
    this.unknown = h("span.end");
    this.table.element.append(h("div.vt-foot", {}, this.count, this.unknown));
    this.methods = h("span.sub.desktop-only");
    this.kept = new PastList({ by: "process", field: "app_name", heading: t("programs.program") });
    this.element = h("div.view.view-fill", { id: "programs" }, h("div.view-head", {}, h("h1", {}, t("programs.title"), this.methods)), this.filter.element, this.table.element, this.kept.element);
    this.draw = framed(() => this.#draw());
    this.poll = new Poll({ path: "/api/programs", onAnswer: (found) => {
      this.#found = found;
      this.draw();
    } });
    for (const width of WIDTHS) width.addEventListener("change", () => this.table.setColumns(visible()));
  }

  show({ q = "" }) {
    this.#past = span();
    this.table.element.hidden = this.#past !== null;
    this.kept.element.hidden = this.#past === null;
    this.methods.hidden = this.#past !== null;
    this.filter.adopt(q);
    this.#ask(q);
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
    note("programs", { q });
    if (this.#past) {
      this.poll.stop();
      this.kept.load(this.#past, { find: q });
      return;
    }
    this.poll.start({ q, limit: LIMIT });
  }

  #open(row) {
    this.details.open(row);
    this.table.setOpen(row.id);
  }

  #draw() {
    if (!this.element.isConnected || !this.#found) return;
    const { programs, total, attribution } = this.#found;
    const { key, descending } = this.table.sort;
    const column = COLUMNS.find((one) => one.key === key) ?? COLUMNS[0];
    const rows = [...programs].sort(sorter(column.value ?? column.cell, descending));
    this.table.setRows(rows);
    setText(this.count, footText(rows.length, total));
    setText(this.methods, attribution.methods.length ? t("programs.methods", { methods: attribution.methods.map((method) => method.meaning).join("; ") }) : "");
    const missing = attribution.unknown.reduce((sum, one) => sum + one.flows, 0);
    setText(this.unknown, missing ? t("programs.unknown", { n: missing, bytes: format.bytes(attribution.unknown.reduce((sum, one) => sum + one.bytes, 0)) }) : "");
    this.unknown.title = attribution.unknown.map((one) => `${format.count(one.flows)}: ${one.text}`).join("\n");
    this.table.setEmpty(rows.length ? null : this.#whyNone(attribution));
  }

  #whyNone({ unknown }) {
    const why = whyEmpty();
    if (why) return why;
    if (this.filter.value) {
      const clear = h("button.btn.btn-sm", { type: "button", onclick: () => this.filter.set("") }, t("action.clear"));
      return empty({ iconName: "search", title: t("programs.noMatch.title"), actions: [clear] });
    }
    return empty({ iconName: "programs", title: t("programs.empty.title"), text: unknown[0]?.text ?? "" });
  }
}

const visible = () => COLUMNS.filter((column) => innerWidth >= (column.least ?? 0));
