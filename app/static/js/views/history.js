/** A time in the past: its totals beside the time before, a curve, top lists, and the connections of it. */

import { get, query } from "../api.js";
import { fill, h, icon, setData, setText } from "../dom.js";
import * as format from "../format.js";
import { TimeChart } from "../parts/chart.js";
import { empty } from "../parts/empty.js";
import { ChartFoot } from "../parts/chart_foot.js";
import { between, instant, local, RANGES } from "../data/time.js";
import { theme } from "../parts/theme.js";
import { withTerm } from "../query.js";
import * as router from "../router.js";
import { t } from "../strings.js";
import { ConnectionDetails } from "./connection_details.js";
import { HistoryTable } from "./history_table.js";
import { PastSummary } from "./past_summary.js";

const OFFERED = ["1h", "24h", "7d", "30d"];
const CANCEL_AFTER_MS = 700;

export class HistoryView {
  answersPast = true;
  ownTime = true;
  #loading = null;
  #wanted = { range: "24h", from: "", to: "", q: "" };

  constructor() {
    this.sub = h("span.sub");
    this.summary = new PastSummary((q) => router.address("history", { ...this.#wanted, q: [this.#wanted.q, q].filter(Boolean).join(" ") }));
    this.chart = new TimeChart({ label: t("history.traffic"), onSelect: (from, to) => this.#go(between(from, to)) });
    this.foot = new ChartFoot({ label: t("history.traffic"), hint: t("chart.brush") });
    this.chart.configure([{ key: "bps", token: "--accent" }], { stacked: false, format: format.bitRate });
    this.chartTitle = h("h2");
    const onTerm = (one, exclude) => this.#go({ q: withTerm(this.q.value.trim(), one.field, one.value, exclude) });
    this.details = new ConnectionDetails({ onTerm, onClose: () => {} });
    this.table = new HistoryTable({ onTerm, onOpen: (row) => this.details.open(row) });
    this.message = h("section.panel", { hidden: true });
    this.body = h("div.history-body", {},
      this.summary.figures,
      h("section.panel", { "aria-label": t("history.traffic") }, h("div.panel-head", {}, this.chartTitle), this.chart.element, this.foot.element),
      h("div.grid", {}, this.summary.panels),
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
    this.summary.draw(summary);
    setText(this.chartTitle, t(q ? "history.trafficAll" : "history.traffic"));
    const { times, step, series } = summary.series;
    const rates = series.bytes.map((value) => (value * 8) / step);
    this.chart.set(times, [rates], [Date.parse(summary.from) / 1000, Date.parse(summary.to) / 1000]);
    this.foot.set(times, [{ label: t("history.traffic"), values: rates }], format.bitRate);
  }
}
