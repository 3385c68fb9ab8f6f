/** A time in the past: its totals beside the time before, a curve, top lists, and the connections of it. */

import { get, query } from "../api.js";
import { fill, h, icon, setData, setText } from "../dom.js";
import * as format from "../format.js";
import { TimeChart } from "../parts/chart.js";
import { empty } from "../parts/empty.js";
import { panel } from "../parts/panel.js";
import { Ranked } from "../parts/ranked.js";
import { instant, local, RANGES } from "../data/time.js";
import { theme } from "../parts/theme.js";
import { term } from "../query.js";
import * as router from "../router.js";
import { t } from "../strings.js";
import { HistoryTable } from "./history_table.js";

const OFFERED = ["1h", "24h", "7d", "30d"];
const CANCEL_AFTER_MS = 700;
const FIGURES = ["bytes", "bytes_sent", "bytes_recv", "flows", "hosts", "dns_queries"];
const TOPS = { app: "app", process: "process", host: "ip", local: "ip", country: "country", port: null };

export class HistoryView {
  answersPast = true;
  ownTime = true;
  #loading = null;
  #wanted = { range: "24h", from: "", to: "", q: "" };

  constructor() {
    this.sub = h("span.sub");
    this.figures = Object.fromEntries(FIGURES.map((name) => [name, { value: h("b"), note: h("small") }]));
    this.lists = Object.fromEntries(Object.keys(TOPS).map((name) => [name, new Ranked({ headings: [t("history.name"), t("history.traffic"), t("history.change")] })]));
    this.chart = new TimeChart({ label: t("history.traffic"), onCursor: () => {} });
    this.chart.configure([{ key: "bps", token: "--accent" }], { stacked: false, format: format.bitRate });
    this.chartTitle = h("h2");
    this.table = new HistoryTable((remote) => this.#filterBy(term("ip", remote)));
    this.message = h("section.panel", { hidden: true });
    this.body = h("div.history-body", {},
      h("dl.strip.strip-6.panel", {}, FIGURES.map((name) => h("div", { data: { name } }, h("dt", {}, t(`history.${name}`)), h("dd", {}, this.figures[name].value, this.figures[name].note)))),
      h("section.panel", { "aria-label": t("history.traffic") }, h("div.panel-head", {}, this.chartTitle), this.chart.element),
      h("div.grid", {}, Object.entries(this.lists).map(([name, list]) => panel(t(`history.top.${name}`), "span-4", list.element))),
      this.table.element);
    this.element = h("div.view", { id: "history" }, h("div.view-head", {}, h("h1", {}, t("history.title"), this.sub), this.#export()), this.#controls(), this.message, this.body);
    theme.watch(() => this.chart.rebuild());
  }

  show(parameters) {
    const { range = parameters.from ? "" : "24h", from = "", to = "", q = "" } = parameters;
    this.#wanted = { range: range in RANGES ? range : "", from, to, q };
    this.#fillControls();
    this.#load();
  }

  hide() {
    this.#loading?.abort();
  }

  #export() {
    this.exporting = h("a.btn.end", { id: "history-export" }, icon("download"), h("span.label", {}, t("history.export")));
    return this.exporting;
  }

  #controls() {
    const names = OFFERED;
    this.ranges = names.map((name) => h("button", { type: "button", data: { range: name }, onclick: () => this.#go({ range: name, from: "", to: "" }) }, t(`history.${name}`)));
    this.from = h("input", { type: "datetime-local", step: 1, id: "history-from", "aria-label": t("history.from") });
    this.to = h("input", { type: "datetime-local", step: 1, id: "history-to", "aria-label": t("history.to") });
    this.q = h("input", { type: "search", id: "history-q", placeholder: t("history.filter"), "aria-label": t("history.filter"), autocomplete: "off", spellcheck: "false" });
    this.cancel = h("button.btn", { type: "button", id: "history-cancel", hidden: true, onclick: () => this.#cancelled() }, t("action.cancel"));
    const submit = (event) => {
      event.preventDefault();
      const own = this.from.value || this.to.value;
      this.#go({ range: own ? "" : this.#wanted.range || "24h", from: own ? instant(this.from.value) : "", to: own ? instant(this.to.value) : "", q: this.q.value.trim() });
    };
    return h("form.history-controls", { onsubmit: submit },
      h("div.segmented", { role: "group", "aria-label": t("history.range") }, this.ranges),
      this.from, h("span.faint", { "aria-hidden": "true" }, "–"), this.to, this.q,
      h("button.btn.btn-primary", { type: "submit" }, t("history.show")), this.cancel);
  }

  #fillControls() {
    const { range, from, to, q } = this.#wanted;
    for (const button of this.ranges) button.setAttribute("aria-pressed", String(button.dataset.range === range));
    this.from.value = local(from);
    this.to.value = local(to);
    this.q.value = q;
  }

  /** Goes to another time or query; what has been typed into the box and not sent goes with it. */
  #go(changes) {
    const { range, from, to, q } = { ...this.#wanted, q: this.q.value.trim(), ...changes };
    router.go("history", { range, from, to, q });
  }

  #filterBy(text) {
    this.#go({ q: [this.#wanted.q, text].filter(Boolean).join(" ") });
  }

  async #load() {
    this.#loading?.abort();
    const loading = new AbortController();
    this.#loading = loading;
    const { range, from, to, q } = this.#wanted;
    const now = Date.now();
    const span = range ? { from: new Date(now - RANGES[range] * 1000).toISOString(), to: new Date(now).toISOString() } : { from, to };
    this.exporting.href = `/api/export${query({ history: 1, ...span, q })}`;
    this.#busy(true);
    try {
      const summary = await get("/api/history/summary", { ...span, q, compare: 1 }, loading.signal);
      const state = await get("/api/history", {}, loading.signal);
      await this.table.load({ ...span, q }, loading.signal);
      this.#draw(summary, state, q);
    } catch (error) {
      if (error.name === "AbortError") return;
      this.#say(t("history.off.title"), error.message);
    } finally {
      if (this.#loading === loading) this.#busy(false);
    }
  }

  /** A question of a long time may take a while: there is a way out of it. */
  #busy(busy) {
    setData(this.body, "busy", busy);
    clearTimeout(this.waiting);
    this.cancel.hidden = true;
    if (busy) this.waiting = setTimeout(() => (this.cancel.hidden = false), CANCEL_AFTER_MS);
  }

  #cancelled() {
    this.#loading?.abort();
    this.#busy(false);
    this.#say(t("history.cancelled.title"), t("history.cancelled"));
  }

  #say(title, text) {
    this.message.hidden = false;
    this.body.hidden = true;
    fill(this.message, empty({ iconName: "wait", title, text }));
  }

  #draw(summary, state, q) {
    setText(this.sub, state.oldest ? t("history.reach", { time: format.dateTime(state.oldest), size: format.bytes(state.used_bytes) }) : "");
    if (!summary.totals.flows && !summary.totals.bytes) return this.#say(t("history.none.title"), t("history.none"));
    this.message.hidden = true;
    this.body.hidden = false;
    for (const name of FIGURES) this.#figure(name, summary);
    setText(this.chartTitle, t(q ? "history.trafficAll" : "history.traffic"));
    const { times, step, series } = summary.series;
    this.chart.set(times, [series.bytes.map((value) => (value * 8) / step)], [Date.parse(summary.from) / 1000, Date.parse(summary.to) / 1000]);
    for (const [name, field] of Object.entries(TOPS)) this.#list(name, field, summary.top[name]);
  }

  #figure(name, { totals, change, previous }) {
    const { value, note } = this.figures[name];
    setText(value, name.startsWith("bytes") ? format.bytes(totals[name]) : format.short(totals[name]));
    const part = change[name];
    const text = previous.totals[name] ? (part ? `${part > 0 ? "+" : ""}${format.decimal(part)} %` : t("history.same")) : totals[name] ? t("history.new") : "";
    setText(note, text);
  }

  #list(name, field, rows) {
    const most = Math.max(1, ...rows.map((row) => row.traffic));
    this.lists[name].set(rows.map((row) => ({
      name: shownName(name, row),
      link: row.name === null || !field ? undefined : router.address("history", { ...this.#wanted, q: [this.#wanted.q, term(field, row.name)].filter(Boolean).join(" ") }),
      values: [format.bytes(row.traffic), change(row)],
      part: row.traffic / most,
    })));
  }
}

function shownName(name, row) {
  if (row.name === null) return t("history.unknown");
  if (name === "country") return row.country_name ?? row.name;
  return name === "port" && row.service ? `${row.name} ${row.service}` : row.name;
}

function change({ traffic, previous }) {
  if (!previous) return "";
  const part = (100 * (traffic - previous)) / previous;
  return `${part > 0 ? "+" : ""}${format.decimal(part, 0)} %`;
}
