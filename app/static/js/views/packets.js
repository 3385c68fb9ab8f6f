/** The live packets: newest first, held while the reader looks further down; a row opens its dissection. */

import { Packets } from "../data/packets.js";
import * as session from "../data/session.js";
import { fill, framed, h, icon, setText } from "../dom.js";
import * as format from "../format.js";
import { empty, whyEmpty } from "../parts/empty.js";
import { FilterBar } from "../parts/filter_bar.js";
import { pickMenu } from "../parts/pick_menu.js";
import { VirtualTable } from "../parts/table.js";
import { note } from "../router.js";
import { t } from "../strings.js";
import { Dissection } from "./dissection.js";

const host = (ip, port) => (ip === null || ip === undefined ? null : port === null || port === undefined ? ip : ip.includes(":") ? `[${ip}]:${port}` : `${ip}:${port}`);
const valueTerm = (field, key) => (row) => (row[key] === null || row[key] === undefined ? null : { field, value: row[key] });

const COLUMNS = [
  { key: "timestamp", label: t("pcol.time"), width: 126, mono: true, className: "dim", cell: (row) => format.timeOfDay(row.timestamp) },
  { key: "src_ip", label: t("pcol.source"), width: 180, grow: 0.7, mono: true, pick: true, cell: (row) => host(row.src_ip, row.src_port), term: valueTerm("ip", "src_ip") },
  { key: "dst_ip", label: t("pcol.destination"), width: 180, grow: 0.7, mono: true, pick: true, cell: (row) => host(row.dst_ip, row.dst_port), term: valueTerm("ip", "dst_ip") },
  { key: "protocol", label: t("pcol.protocol"), width: 92, pick: true, cell: (row) => row.protocol?.toUpperCase(), kind: (row) => row.protocol, term: valueTerm("protocol", "protocol") },
  { key: "service", label: t("pcol.service"), width: 84, pick: true, cell: (row) => row.service, term: valueTerm("service", "service") },
  { key: "size", label: t("pcol.size"), width: 76, align: "num", cell: (row) => format.bytes(row.size) },
  { key: "flags", label: t("pcol.flags"), width: 92, cell: (row) => row.flags, tone: (row) => (row.flags?.includes("RST") ? "bad" : null) },
  { key: "info", label: t("pcol.info"), width: 256, grow: 2, cell: (row) => row.info, tone: (row) => (row.reason || row.card_data_detected ? "warn" : null) },
  { key: "interface", label: t("pcol.interface"), width: 92, className: "dim", cell: (row) => row.interface },
  { key: "id", label: t("pcol.id"), width: 80, align: "num", className: "dim", cell: (row) => String(row.id) },
].map((column) => ({ help: column.key, ...column }));

export class PacketsView {
  several = true; // interfaces in the capture, so that the column says something
  #paused = false;
  #away = false; // scrolled down from the newest
  #stop = [];
  #refused = null;

  constructor() {
    this.data = new Packets();
    this.data.onChange(() => this.draw());
    this.dissection = new Dissection({ onClose: () => this.table.setOpen(null) });
    this.pause = h("button.btn", { type: "button", id: "packets-pause", "aria-pressed": "false", onclick: () => this.togglePause() });
    this.filter = new FilterBar({ id: "packets-filter", placeholder: t("packets.filter"), actions: [this.pause], onApply: (q) => this.#ask(q) });
    this.table = new VirtualTable({
      label: t("packets.title"),
      columns: COLUMNS,
      keyOf: (row) => row.id,
      onOpen: (row) => this.#open(row),
      onPick: (row, column, cell) => this.#pick(row, column, cell),
      onKey: (key, row, column) => this.#filterBy(row, column, key === "-"),
      onScroll: (scroll) => this.#scrolled(scroll),
    });
    this.table.element.id = "packets-table";
    this.newer = h("button.btn.btn-primary.btn-sm.vt-newer", { type: "button", hidden: true, onclick: () => this.#toNewest() }, icon("up", "icon-sm"), h("span"));
    this.count = h("span");
    this.table.element.append(this.newer, h("div.vt-foot", {}, this.count, h("span.end.desktop-only", {}, t("packets.hint"))));
    this.sub = h("span.sub");
    this.element = h("div.view.view-fill", { id: "packets" }, h("div.view-head", {}, h("h1", {}, t("packets.title"), this.sub)), this.filter.element, this.table.element);
    this.draw = framed(() => this.#draw());
    this.#showPause();
  }

  show({ q = "" }) {
    this.filter.adopt(q);
    this.#ask(q);
    for (const stop of this.#stop) stop();
    this.#stop = [session.capture.watch((capture) => this.#follow(capture)), session.stats.watch(this.draw)];
  }

  hide() {
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

  #showPause() {
    fill(this.pause, icon(this.#paused ? "play" : "pause", this.#paused ? "icon-sm" : ""), h("span.label", {}, t(this.#paused ? "action.resume" : "action.pause")));
    this.pause.setAttribute("aria-pressed", String(this.#paused));
    setText(this.sub, this.#paused ? t("connections.paused") : "");
  }

  #follow(capture) {
    const run = capture?.started ? `${capture.started} ${capture.file ?? ""}` : this.run;
    if (this.run !== undefined && run !== this.run) this.#ask(this.filter.value); // numbers begin again with every capture
    this.run = run;
    this.#chooseColumns(capture);
  }

  /** With one interface there is nothing to tell apart. */
  #chooseColumns(capture) {
    const several = (capture?.interfaces?.length ?? 0) !== 1;
    if (several !== this.several) this.table.setColumns(COLUMNS.filter((column) => several || column.key !== "interface"));
    this.several = several;
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
    note("packets", { q });
    this.#refused = null;
    this.table.scroll.scrollTop = 0;
    this.data.want(q, (text) => {
      this.#refused = text;
      this.filter.refuse(text);
    });
  }

  #open(row) {
    this.dissection.open(row);
    this.table.setOpen(row.id);
  }

  #pick(row, column, cell) {
    pickMenu(cell, { title: column.cell(row), term: column.term?.(row), onDetails: () => this.#open(row), onTerm: (term, exclude) => this.filter.add(term.field, term.value, exclude) });
  }

  #filterBy(row, column, exclude) {
    const term = column.term?.(row);
    if (term) this.filter.add(term.field, term.value, exclude);
  }

  #draw() {
    if (!this.element.isConnected) return;
    const { rows, pending, skipped } = this.data;
    this.table.setRows(rows);
    this.newer.hidden = !pending.length;
    setText(this.newer.lastChild, t("packets.newer", { n: pending.length }));
    setText(this.count, [t("table.shown", { shown: rows.length }), skipped ? t("packets.skipped", { n: skipped }) : null].filter(Boolean).join(" · "));
    this.table.setEmpty(rows.length ? null : this.#whyNone());
  }

  #whyNone() {
    const why = whyEmpty();
    if (why) return why;
    if (!this.data.loaded && !this.#refused) return empty({ iconName: "wait", text: t("connections.loading") });
    if (!this.filter.value) return empty({ iconName: "packets", title: t("packets.empty.title") });
    const clear = h("button.btn.btn-sm", { type: "button", onclick: () => this.filter.set("") }, t("action.clear"));
    return empty({ iconName: "search", title: t("packets.noMatch.title"), text: this.#refused ?? t("packets.noMatch"), actions: [clear] });
  }
}
