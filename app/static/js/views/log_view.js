/**
 * A page with a live log, newest first: filter, pause, what is new while the reader looks further down, a click on a value, and
 * details in the drawer. Packets and DNS queries are such pages; each says its own columns, words and details.
 */

import * as session from "../data/session.js";
import { fill, framed, h, icon, setText } from "../dom.js";
import { empty, whyEmpty } from "../parts/empty.js";
import { FilterBar } from "../parts/filter_bar.js";
import { pickMenu } from "../parts/pick_menu.js";
import { VirtualTable } from "../parts/table.js";
import { span } from "../data/time.js";
import { note } from "../router.js";
import { t } from "../strings.js";

export class LogView {
  #paused = false;
  #away = false; // scrolled down from the newest
  #stop = [];
  #refused = null;

  /** `name`: of the section, its strings and its icon; `details`: has open(row); `above`: elements between the head and the filter. */
  constructor({ name, data, columns, details, above = [] }) {
    Object.assign(this, { name, data, columns, details });
    this.data.onChange(() => this.draw());
    this.pause = h("button.btn", { type: "button", id: `${name}-pause`, "aria-pressed": "false", onclick: () => this.togglePause() });
    this.filter = new FilterBar({ id: `${name}-filter`, placeholder: t(`${name}.filter`), actions: [this.pause], list: () => name, columns, rows: () => this.data.rows, onApply: (q) => this.#ask(q) });
    this.table = new VirtualTable({
      label: t(`${name}.title`),
      columns,
      keyOf: (row) => row.id,
      onOpen: (row) => this.#open(row),
      onPick: (row, column, cell) => this.#pick(row, column, cell),
      onKey: (key, row, column) => this.#filterBy(row, column, key === "-"),
      onScroll: (scroll) => this.#scrolled(scroll),
    });
    this.table.element.id = `${name}-table`;
    this.newer = h("button.btn.btn-primary.btn-sm.vt-newer", { type: "button", hidden: true, onclick: () => this.#toNewest() }, icon("up", "icon-sm"), h("span"));
    this.count = h("span");
    this.table.element.append(this.newer, h("div.vt-foot", {}, this.count, h("span.end.desktop-only", {}, t(`${name}.hint`))));
    this.sub = h("span.sub");
    this.element = h("div.view.view-fill", { id: name }, h("div.view-head", {}, h("h1", {}, t(`${name}.title`), this.sub)), above, this.filter.element, this.table.element);
    this.draw = framed(() => this.element.isConnected && this.drawNow());
    this.#showPause();
  }

  show({ q = "" }) {
    this.past = this.answersPast ? span() : null;
    this.data.past = this.past;
    this.pause.hidden = Boolean(this.past);
    this.filter.adopt(q);
    this.#ask(q);
    for (const stop of this.#stop) stop();
    this.#stop = [session.capture.watch((capture) => this.#follow(capture)), session.stats.watch(this.draw)];
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
    this.#hold();
    this.#showPause();
  }

  /** The capture has changed its state; pages with more to say about it do so here. */
  followed(_capture) {}

  /** The details are closed. */
  closed() {
    this.table.setOpen(null);
  }

  /** `inverted`: the term stands for the absence of a value. */
  addTerm({ field, value, inverted = false }, exclude) {
    this.filter.add(field, value, exclude !== inverted);
  }

  #showPause() {
    fill(this.pause, icon(this.#paused ? "play" : "pause", this.#paused ? "icon-sm" : ""), h("span.label", {}, t(this.#paused ? "action.resume" : "action.pause")));
    this.pause.setAttribute("aria-pressed", String(this.#paused));
    setText(this.sub, this.#paused ? t("connections.paused") : "");
  }

  #follow(capture) {
    const run = capture?.started ? `${capture.started} ${capture.file ?? ""}` : this.run;
    if (this.run !== undefined && run !== this.run && !this.past) this.#ask(this.filter.value); // numbers begin again with every capture
    this.run = run;
    this.followed(capture);
    this.draw();
  }

  #hold() {
    this.data.hold(this.#paused || this.#away);
    this.draw();
  }

  #scrolled(scroll) {
    const away = scroll.scrollTop > 24;
    if (away !== this.#away) {
      this.#away = away;
      this.#hold();
    }
    if (scroll.scrollTop + scroll.clientHeight > scroll.scrollHeight - 600) this.data.more();
  }

  #toNewest() {
    this.table.scroll.scrollTop = 0;
    this.#away = false;
    if (this.#paused) this.togglePause();
    else this.#hold();
    this.table.focus();
  }

  #ask(q) {
    note(this.name, { q });
    this.#refused = null;
    this.table.scroll.scrollTop = 0;
    this.data.want(q, (problem) => {
      this.#refused = problem;
      this.filter.refuse(problem?.status === 400 ? problem : null);
    });
  }

  #open(row) {
    this.details.open(row);
    this.table.setOpen(row.id);
  }

  #pick(row, column, cell) {
    pickMenu(cell, { title: column.cell(row), term: column.term?.(row), onDetails: () => this.#open(row), onTerm: (term, exclude) => this.addTerm(term, exclude) });
  }

  #filterBy(row, column, exclude) {
    const term = column.term?.(row);
    if (term) this.addTerm(term, exclude);
  }

  drawNow() {
    const { rows, pending, skipped } = this.data;
    this.table.setRows(rows);
    this.newer.hidden = !pending.length;
    setText(this.newer.lastChild, t(`${this.name}.newer`, { n: pending.length }));
    setText(this.count, [t("table.shown", { shown: rows.length }), skipped ? t(`${this.name}.skipped`, { n: skipped }) : null].filter(Boolean).join(" · "));
    this.table.setEmpty(rows.length ? null : this.#whyNone());
  }

  #whyNone() {
    const why = this.past ? null : whyEmpty();
    if (why) return why;
    if (this.past && this.data.loaded && !this.filter.value) return empty({ iconName: "wait", title: t("time.none.title"), text: this.#refused?.message ?? t("history.none") });
    if (!this.data.loaded && !this.#refused) return empty({ iconName: "wait", text: t("connections.loading") });
    if (!this.filter.value) return empty({ iconName: this.name, title: t(`${this.name}.empty.title`), text: t(`${this.name}.empty`) });
    const clear = h("button.btn.btn-sm", { type: "button", onclick: () => this.filter.set("") }, t("action.clear"));
    return empty({ iconName: "search", title: t(`${this.name}.noMatch.title`), text: this.#refused?.message ?? t(`${this.name}.noMatch`), actions: [clear] });
  }
}
