/** A sparkline: one SVG path for the line, one for the area below it. Colour comes from data-tone. */

import { svg } from "../dom.js";

const WIDTH = 100;
const HEIGHT = 30;
const FEWEST = 12; // readings that fill the width while there are no more

export class Spark {
  constructor({ tone = null, points = 60 } = {}) {
    this.points = points;
    this.line = svg("path", { class: "spark-line" });
    this.area = svg("path", { class: "spark-area" });
    this.element = svg("svg", { class: "spark", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", "aria-hidden": "true" }, this.area, this.line);
    if (tone) this.element.dataset.tone = tone;
  }

  /** `values` oldest first; null leaves out a point. The newest is always at the right edge. */
  set(values, top = null) {
    const known = (value) => value !== null && value !== undefined;
    const first = values.findIndex(known);
    const shown = first < 0 ? [] : values.slice(first).slice(-this.points);
    const numbers = shown.filter(known);
    if (numbers.length < 2) {
      this.#path("", "");
      return;
    }
    const highest = top ?? Math.max(...numbers);
    const places = Math.min(this.points, Math.max(shown.length, FEWEST));
    const step = WIDTH / (places - 1);
    const start = (places - shown.length) * step;
    const y = (value) => (HEIGHT - 1.5 - (highest > 0 ? value / highest : 0) * (HEIGHT - 4)).toFixed(2);
    const spots = shown.flatMap((value, i) => (!known(value) ? [] : [[(start + i * step).toFixed(2), y(value)]]));
    const line = spots.map(([x, height]) => `${x} ${height}`).join("L");
    this.#path(`M${line}`, `M${spots[0][0]} ${HEIGHT}L${line}L${spots.at(-1)[0]} ${HEIGHT}Z`);
  }

  #path(line, area) {
    this.line.setAttribute("d", line);
    this.area.setAttribute("d", area);
  }
}
