/** The live connections: filter, sort, choose columns, pause; a row opens its details. */

import { Connections } from "../data/connections.js";
import * as session from "../data/session.js";
import { fill, framed, h, icon, setText } from "../dom.js";
import { empty, whyEmpty } from "../parts/empty.js";
import { FilterBar } from "../parts/filter_bar.js";
import { closeMenu, menuAnchor, openMenu } from "../parts/floating.js";
import { footText, sorter, VirtualTable } from "../parts/table.js";
import { pickMenu } from "../parts/pick_menu.js";
import { credit } from "../parts/credit.js";
import { span } from "../data/time.js";
import { note } from "../router.js";
import { t } from "../strings.js";
import { COLUMNS } from "./connection_columns.js";
import { ConnectionDetails } from "./connection_details.js";

const LIMIT = 10_000;
const WIDTHS = [...new Set(COLUMNS.map((column) => column.least).filter(Boolean))].map((width) => matchMedia(`(min-width: ${width}px)`));
const ROW_HEIGHT = 40; // px: two lines, as in .vt-two of the style sheet
const CHOICE_KEY = "netglass.columns";
const SORT_KEY = "netglass.sort";

export class ConnectionsView {
  answersPast = true;
  #past = null; // {from, to} of the history; null: live
  #paused = false;
  #known = new Set(); // columns of which a value has been seen
  #shown = ""; // keys of the columns as they were set last
  #choice = readChoice();
  #stop = [];
  #refused = null;

  constructor() {
    this.data = new Connections();
    this.data.onChange(() => this.draw());
    this.details = new ConnectionDetails({ onTerm: (term, exclude) => this.filter.add(term.field, term.value, exclude), onClose: () => this.table.setOpen(null) });
    this.pause = h("button.btn", { type: "button", id: "connections-pause", "aria-pressed": "false", onclick: () => this.togglePause() });
    const columns = h("button.btn", { type: "button", "aria-haspopup": "menu", "aria-expanded": "false", onclick: () => this.#chooseColumns(columns) }, icon("columns"), h("span.label", {}, t("connections.columns")));
    this.filter = new FilterBar({ id: "connections-filter", placeholder: t("connections.filter"), actions: [columns, this.pause], list: () => (this.#past ? "history" : "connections"), columns: COLUMNS, rows: () => this.data.rows.values(), onApply: (q) => this.#ask(q) });
    this.table = new VirtualTable({
      label: t("connections.title"),
      columns: this.#visible(),
      keyOf: (row) => row.key ?? row.flow_id,
      rowHeight: ROW_HEIGHT,
      sort: readSort(),
      faded: (row) => row.session_status === "Closed" && !this.#past && session.capture.value?.source !== "file", // in a file everything has ended
      onOpen: (row) => this.#open(row),
      onPick: (row, column, cell) => this.#pick(row, column, cell),
      onKey: (key, row, column) => this.#filterBy(row, column, key === "-"),
      onSort: (sort) => {
        localStorage.setItem(SORT_KEY, JSON.stringify(sort));
        this.draw();
      },
    });
    this.table.element.id = "connections-table";
    this.table.element.classList.add("vt-two");
    this.count = h("span", { role: "status" });
    this.table.element.append(h("div.vt-foot", {}, this.count, h("span.end.desktop-only", {}, t("connections.hint")), credit()));
    this.sub = h("span.sub");
    this.element = h("div.view.view-fill", { id: "connections" }, h("div.view-head", {}, h("h1", {}, t("connections.title"), this.sub)), this.filter.element, this.table.element);
    this.draw = framed(() => this.#draw());
    for (const width of WIDTHS) width.addEventListener("change", () => this.table.setColumns(this.#visible()));
    this.#showPause();
  }

  show({ q = "" }) {
    this.#past = span();
    this.pause.hidden = Boolean(this.#past);
    this.filter.adopt(q);
    this.#ask(q);
    for (const stop of this.#stop) stop();
    this.#stop = [session.capture.watch(this.draw), session.stats.watch(this.draw)];
  }

  hide() {
    this.filter.rest();
    this.data.stop();
    for (const stop of this.#stop) stop();
    this.#stop = [];
  }

  focusFilter() {
    this.filter.focus();
  }

  togglePause() {
    this.#paused = !this.#paused;
    if (this.#paused) this.data.stop();
    else this.data.want(this.filter.value, LIMIT, (problem) => this.#refuse(problem));
    this.#showPause();
  }

  #showPause() {
    fill(this.pause, icon(this.#paused ? "play" : "pause", this.#paused ? "icon-sm" : ""), h("span.label", {}, t(this.#paused ? "action.resume" : "action.pause")));
    this.pause.setAttribute("aria-pressed", String(this.#paused));
    setText(this.sub, this.#paused ? t("connections.paused") : "");
  }

  #ask(q) {
    note("connections", { q });
    this.#refused = null;
    if (this.#paused) this.#paused = false;
    this.#showPause();
    this.data.want(q, LIMIT, (problem) => this.#refuse(problem), this.#past);
  }

  #refuse(problem) {
    this.#refused = problem;
    this.filter.refuse(problem?.status === 400 ? problem : null);
  }

  #open(row) {
    this.details.open(row);
    this.table.setOpen(row.key ?? row.flow_id);
  }

  #pick(row, column, cell) {
    const term = column.term(row);
    pickMenu(cell, { title: column.cell(row), term, onDetails: () => this.#open(row), onTerm: (one, exclude) => this.filter.add(one.field, one.value, exclude) });
  }

  #filterBy(row, column, exclude) {
    const term = column.term?.(row);
    if (term) this.filter.add(term.field, term.value, exclude);
  }

  // -- columns -------------------------------------------------------------------------------------------------------

  #visible() {
    return COLUMNS.filter((column) => this.#choice[column.key] ?? (this.#fits(column) && (column.first === true || (column.first === "known" && this.#known.has(column.key)))));
  }

  /** Whether there is room for a column, in the place of another where that has nothing to say. */
  #fits(column) {
    const free = column.instead && this.data.rows.size > 0 && !this.#known.has(column.instead);
    return innerWidth >= ((free ? column.leastInstead : column.least) ?? 0);
  }

  #chooseColumns(anchor) {
    if (menuAnchor() === anchor) return closeMenu();
    const items = COLUMNS.map((column, index) => {
      const on = this.#visible().includes(column);
      const tick = h("input", { type: "checkbox", tabindex: "-1", "aria-hidden": "true", checked: on });
      const item = h("button.menu-item", { type: "button", role: "menuitemcheckbox", "aria-checked": String(on), disabled: index === 0, onclick: () => {
        tick.checked = !tick.checked;
        item.setAttribute("aria-checked", String(tick.checked));
        this.#choice[column.key] = tick.checked;
        localStorage.setItem(CHOICE_KEY, JSON.stringify(this.#choice));
        this.table.setColumns(this.#visible());
      } }, tick, column.label);
      return item;
    });
    const reset = h("button.btn.btn-sm", { type: "button", onclick: () => {
      this.#choice = {};
      localStorage.removeItem(CHOICE_KEY);
      closeMenu();
      this.table.setColumns(this.#visible());
    } }, t("action.reset"));
    return openMenu(anchor, [items, h("div.menu-foot", {}, reset)], { label: t("connections.columns") });
  }

  /** A column that was empty until now appears as soon as it has something to say. */
  #learn(rows) {
    const waiting = COLUMNS.filter((column) => column.first === "known" && !this.#known.has(column.key));
    const found = waiting.filter((column) => rows.some((row) => column.cell(row)));
    for (const column of found) this.#known.add(column.key);
    const shown = this.#visible().map((column) => column.key).join();
    if (shown !== this.#shown) this.table.setColumns(this.#visible());
    this.#shown = shown;
  }

  // -- drawing -------------------------------------------------------------------------------------------------------

  #draw() {
    if (!this.element.isConnected) return;
    const rows = [...this.data.rows.values()];
    this.#learn(rows);
    const { key, descending } = this.table.sort;
    const column = COLUMNS.find((one) => one.key === key) ?? COLUMNS[0];
    rows.sort(sorter(column.value ?? column.cell, descending));
    this.table.setRows(rows);
    setText(this.count, footText(rows.length, this.data.total));
    this.table.setEmpty(rows.length ? null : this.#whyNone());
    if (this.details.flowId !== null && !this.#past) this.details.update(this.data.rows.get(this.details.flowId));
  }

  #whyNone() {
    const why = this.#past ? null : whyEmpty();
    if (why) return why;
    if (this.#past && this.data.loaded && !this.filter.value) return empty({ iconName: "wait", title: t("time.none.title"), text: this.#refused?.message ?? t("history.none") });
    if (!this.data.loaded && !this.#refused) return empty({ iconName: "wait", text: t("connections.loading") });
    if (!this.filter.value) return empty({ iconName: "connections", title: t("connections.empty.title") });
    const clear = h("button.btn.btn-sm", { type: "button", onclick: () => this.filter.set("") }, t("action.clear"));
    return empty({ iconName: "search", title: t("connections.noMatch.title"), text: this.#refused?.message ?? t("connections.noMatchUnknown"), actions: [clear] });
  }
}

function readChoice() {
  return stored(CHOICE_KEY, {});
}

function readSort() {
  const sort = stored(SORT_KEY, null);
  return COLUMNS.some((column) => column.key === sort?.key) ? sort : { key: "time_of_detection", descending: true };
}

function stored(key, otherwise) {
  try {
    return JSON.parse(localStorage.getItem(key)) ?? otherwise;
  } catch {
    return otherwise; // written by another version
  }
}
