/** One figure with its unit, its course over the last minute, and how it compares. */

import { h, setText } from "../dom.js";
import * as format from "../format.js";
import { helpMark } from "../parts/floating.js";
import { Spark } from "../parts/spark.js";
import { t } from "../strings.js";

const RECENT = 5; // seconds that count as now
const BEFORE = 60; // seconds it is compared with

export class Tile {
  constructor({ label, help, tone }) {
    this.spark = new Spark({ tone, points: 60 });
    this.value = h("span.tile-value");
    this.unit = h("span.tile-unit");
    this.change = h("span.tile-change", { data: { tip: t("tile.change") } });
    this.note = h("p.tile-note");
    this.element = h("section.panel.tile.span-3", { "aria-label": label },
      h("div.tile-label", {}, h("span", {}, label), helpMark(help, label)),
      h("div.tile-figures", {}, this.value, this.unit, this.change),
      this.note,
      this.spark.element);
  }

  set({ figure, unit, note, values, compare }) {
    setText(this.value, figure);
    setText(this.unit, unit);
    setText(this.note, note);
    this.spark.set(values);
    const change = compare ? format.change(mean(values.slice(-RECENT)), mean(values.slice(-BEFORE - RECENT, -RECENT))) : null;
    setText(this.change, change?.text ?? "");
  }
}

function mean(values) {
  const known = values.filter((value) => value !== null && value !== undefined);
  return known.length ? known.reduce((sum, value) => sum + value, 0) / known.length : null;
}
