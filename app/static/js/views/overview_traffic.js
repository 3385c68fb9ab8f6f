/** Traffic over time: bits per second stacked by protocol, packets per second, or new flows per second, over three ranges. */

import * as session from "../data/session.js";
import { between } from "../data/time.js";
import { load, loadPast, RANGES } from "../data/timeline.js";
import { fill, h, setText } from "../dom.js";
import * as format from "../format.js";
import { TimeChart } from "../parts/chart.js";
import { ChartFoot } from "../parts/chart_foot.js";
import { empty } from "../parts/empty.js";
import { theme } from "../parts/theme.js";
import { choose } from "../parts/time_range.js";
import { go } from "../router.js";
import { t } from "../strings.js";

const METRICS = {
  bits: {
    series: [
      { key: "tcp_bytes", token: "--tcp", kind: "tcp", label: "chart.tcp" },
      { key: "udp_bytes", token: "--udp", kind: "udp", label: "chart.udp" },
      { key: "icmp_bytes", token: "--icmp", kind: "icmp", label: "chart.icmp" },
      { key: "other_bytes", token: "--other", kind: "other", label: "chart.other" },
    ],
    stacked: true,
    factor: 8,
    format: format.bitRate,
  },
  packets: { series: [{ key: "packets", token: "--accent", kind: "pps", label: "chart.pps" }], stacked: false, factor: 1, format: (value) => `${format.short(value)}/s` },
  flows: { series: [{ key: "flows", token: "--accent", kind: "flows", label: "chart.newFlows" }], stacked: false, factor: 1, format: (value) => `${format.short(value)}/s` },
};

const EVERY_MS = { "10m": 1000, "3h": 5000, "24h": 15_000 };
const PAST_EVERY_MS = 30_000;

export class TrafficPanel {
  #metric = "bits";
  #range = "10m";
  #past = null; // {from, to}; null: live
  #points = null;
  #cursor = null;
  #due = 0;
  #loading = null;
  #stop = [];

  constructor() {
    this.chart = new TimeChart({ label: t("chart.label"), onCursor: (index) => this.#pointAt(index), onSelect: (from, to) => this.#select(from, to) });
    this.foot = new ChartFoot({ label: t("chart.label"), hint: t("chart.brush") });
    this.legend = h("div.legend");
    this.none = h("div", { hidden: true }, empty({ iconName: "wait", text: t("chart.empty") }));
    const metrics = this.#choice(t("chart.metric"), Object.keys(METRICS), () => this.#metric, (name) => { this.#metric = name; this.#configure(); });
    this.ranges = this.#choice(t("chart.range"), Object.keys(RANGES), () => this.#range, (name) => { this.#range = name; this.#reload(); });
    this.element = h("section.panel.span-8", { "aria-label": t("chart.title"), id: "traffic" },
      h("div.panel-head", {}, h("h2", {}, t("chart.title")), h("span.aside", {}, metrics, this.ranges)),
      this.legend, this.chart.element, this.none, this.foot.element);
    this.#configure();
    theme.watch(() => this.chart.rebuild());
  }

  /** `past` {from, to}: a time that is over, in place of what is live. */
  show(past = null) {
    this.hide();
    this.#past = past;
    this.ranges.hidden = past !== null;
    this.#points = null;
    this.#due = 0;
    this.#stop = [session.stats.watch(() => this.#tick())];
  }

  hide() {
    for (const stop of this.#stop) stop();
    this.#loading?.abort();
    this.#loading = null;
  }

  #choice(label, names, now, choose) {
    const buttons = names.map((name) => h("button", { type: "button", "aria-pressed": String(name === now()), onclick: () => {
      choose(name);
      buttons.forEach((button, i) => button.setAttribute("aria-pressed", String(names[i] === now())));
    } }, t(`chart.${name}`)));
    return h("div.segmented", { role: "group", "aria-label": label }, buttons);
  }

  #configure() {
    const { series, stacked, format: write } = METRICS[this.#metric];
    this.chart.configure(series, { stacked, format: write });
    this.values = series.map(() => h("b"));
    this.total = h("b");
    this.time = h("time");
    const items = series.map(({ kind, label }, i) => h("span", {}, h("i.swatch", { data: { kind } }), t(label), this.values[i]));
    fill(this.legend, items, stacked ? h("span", {}, t("chart.total"), this.total) : null, this.time);
    this.#reload();
  }

  #reload() {
    this.#points = null;
    this.#due = 0;
    this.#loading?.abort();
    this.#loading = null;
    if (this.element?.isConnected) this.#tick();
  }

  async #tick() {
    if (document.hidden || this.#loading || performance.now() < this.#due) return;
    const loading = new AbortController();
    this.#loading = loading;
    try {
      const keys = METRICS[this.#metric].series.map((one) => one.key);
      const points = await (this.#past ? loadPast(keys, this.#past, loading.signal) : load(keys, this.#range, loading.signal, isFile()));
      if (!loading.signal.aborted) this.#take(points);
    } catch (error) {
      if (error.name !== "AbortError") this.#due = performance.now() + 3000; // the banner says what is wrong
    }
    if (this.#loading === loading) {
      this.#loading = null;
      this.#due = Math.max(this.#due, performance.now() + (this.#past ? PAST_EVERY_MS : EVERY_MS[this.#range]) - 200);
    }
  }

  #take(points) {
    this.none.hidden = points !== null;
    this.chart.element.hidden = this.foot.element.hidden = points === null;
    if (!points) return;
    const { series, factor, format: write } = METRICS[this.#metric];
    const values = series.map(({ key }) => points.series[key].map((value) => (value === null ? null : (value * factor) / points.step)));
    this.#points = { times: points.times, values };
    this.chart.set(points.times, values, points.range);
    this.foot.set(points.times, series.map(({ label }, i) => ({ label: t(label), values: values[i] })), write);
    this.#showLegend();
  }

  /** A time that was dragged over goes to all pages; a file has no history, so its connections are asked for those of that time. */
  #select(from, to) {
    const chosen = between(from, to);
    if (isFile()) go("connections", { q: `start:<=${chosen.to} end:>=${chosen.from}` });
    else choose(chosen);
  }

  #pointAt(index) {
    this.#cursor = index;
    this.#showLegend();
  }

  /** The value under the pointer, otherwise the newest complete one. */
  #showLegend() {
    if (!this.#points) return;
    const { times, values } = this.#points;
    const at = this.#cursor ?? Math.max(0, times.length - 2);
    const write = METRICS[this.#metric].format;
    values.forEach((row, i) => setText(this.values[i], write(row[at] ?? null)));
    setText(this.total, write(values.reduce((sum, row) => sum + (row[at] ?? 0), 0)));
    setText(this.time, this.#cursor === null && !isFile() && !this.#past ? t("chart.now") : format.clockTime(times[at]));
  }
}

const isFile = () => session.capture.value?.source === "file";
