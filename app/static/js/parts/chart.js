/** The time chart: uPlot with our tokens, either one line or a stack of areas. Colours are read from the page's tokens. */

import { h } from "../dom.js";
import { locale } from "../strings.js";
import { brush } from "./chart_brush.js";

const { uPlot } = globalThis; // a plain script that the page loads before its modules: the package has no small file for modules
const TIME_STEPS = [1, 5, 15, 30, 60, 120, 300, 600, 1800, 3600, 7200, 14_400, 21_600, 43_200, 86_400];

const token = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

export class TimeChart {
  #plot = null;
  #series = [];
  #data = [[]];
  #stacked = false;
  #format = String;
  #top = null;

  /** `onCursor(index or null)` hears where the pointer is; `onSelect(from, to)` which stretch was chosen, in unix seconds. */
  constructor({ label, onCursor, onSelect = null }) {
    this.element = h("div.chart", { role: "img", "aria-label": label });
    Object.assign(this, { onCursor, onSelect });
    new ResizeObserver(() => this.#resize()).observe(this.element);
  }

  /** `series` [{key, token}], bottom of the stack first. `format(value)` writes the left axis, which ends at `top` where that is given. */
  configure(series, { stacked, format, top = null }) {
    this.#top = top;
    this.#series = series;
    this.#stacked = stacked;
    this.#format = format;
    this.rebuild();
  }

  /** `times` unix seconds, `values` one array per series; null is a gap. */
  set(times, values, range) {
    this.range = range;
    this.#data = [times, ...(this.#stacked ? stack(values).reverse() : values)];
    if (this.#plot) this.#plot.setData(this.#data);
    else this.rebuild();
  }

  rebuild() {
    this.#plot?.destroy();
    this.#plot = null;
    const width = this.element.clientWidth - 20;
    if (width < 50 || !this.#series.length || this.#data.length !== this.#series.length + 1) return;
    this.#plot = new uPlot(this.#options(width), this.#data, this.element);
    if (this.onSelect) brush(this.#plot.over, (left, right) => this.onSelect(this.#plot.posToVal(left, "x"), this.#plot.posToVal(right, "x")));
  }

  #resize() {
    const width = this.element.clientWidth - 20;
    if (width < 50) return;
    if (this.#plot) this.#plot.setSize({ width, height: this.element.clientHeight - 8 });
    else this.rebuild();
  }

  #options(width) {
    const text = token("--fg-3");
    const grid = { stroke: token("--chart-grid"), width: 1 };
    const axis = { stroke: text, font: `11px ${token("--font-ui")}`, grid, ticks: { show: false }, gap: 6 };
    return {
      width,
      height: this.element.clientHeight - 8,
      padding: [10, width < 500 ? 14 : 28, 0, 0],
      legend: { show: false },
      cursor: { y: false, points: { size: 7, width: 2, fill: token("--bg") }, drag: { x: false, y: false } },
      scales: { x: { range: () => this.range }, y: { range: (_, low, high) => [0, this.#top ?? (high > 0 ? high * 1.08 : 1)] } },
      axes: [
        { ...axis, size: 28, grid: { show: false }, space: 64, incrs: TIME_STEPS, values: (_, splits) => splits.map((at) => shortTime(at)) },
        { ...axis, size: 70, space: this.#top === null ? 44 : 24, values: (_, splits) => splits.map((at) => this.#format(at)) },
      ],
      series: [{}, ...this.#drawn().map((one) => this.#line(one))],
      bands: this.#stacked ? this.#series.slice(1).map((_, i) => ({ series: [i + 1, i + 2] })) : undefined,
      hooks: { setCursor: [(plot) => this.onCursor?.(plot.cursor.idx ?? null)] },
    };
  }

  /** The top of a stack is drawn first, so that a layer of nothing does not cover the one below it. */
  #drawn() {
    return this.#stacked ? [...this.#series].reverse() : this.#series;
  }

  #line({ token: name, key }) {
    const colour = token(name);
    const fill = this.#stacked ? withAlpha(colour, 0.42) : (plot) => fade(plot, colour);
    return { label: key, stroke: colour, width: this.#stacked ? 1 : 1.5, fill, points: { show: false }, spanGaps: false };
  }
}

/** Sums from below, so that each area sits on the one before it. */
function stack(values) {
  const sums = [];
  for (const row of values) {
    const below = sums.at(-1);
    sums.push(row.map((value, i) => (value === null ? null : value + (below?.[i] ?? 0))));
  }
  return sums;
}

function withAlpha(colour, alpha) {
  return `color-mix(in srgb, ${colour} ${Math.round(alpha * 100)}%, transparent)`;
}

function fade(plot, colour) {
  const { top, height } = plot.bbox;
  if (!Number.isFinite(top + height) || height <= 0) return withAlpha(colour, 0.2);
  const gradient = plot.ctx.createLinearGradient(0, top, 0, top + height);
  gradient.addColorStop(0, withAlpha(colour, 0.36));
  gradient.addColorStop(1, withAlpha(colour, 0.02));
  return gradient;
}

const minutes = new Intl.DateTimeFormat(locale, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
const seconds = new Intl.DateTimeFormat(locale, { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
const days = new Intl.DateTimeFormat(locale, { month: "short", day: "numeric" });

/** Midnight is told by its day. */
function shortTime(at) {
  const date = new Date(at * 1000);
  if (!date.getHours() && !date.getMinutes() && !date.getSeconds()) return days.format(date);
  return (at % 60 ? seconds : minutes).format(date);
}
