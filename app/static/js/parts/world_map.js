/** The world as shapes that are coloured by traffic. A picture beside a table that says the same: it has no keyboard of its own. */

import { PATHS, POINTS, VIEW } from "../../vendor/world.js";
import { h, setData, setPart, svg } from "../dom.js";
import { t } from "../strings.js";

const LEAST = 0.14; // so that a country with any traffic is told from one with none

export class WorldMap {
  #shapes = new Map();

  /** `onPick(code)` hears a click on a country with traffic. */
  constructor({ onPick }) {
    const shapes = [
      ...Object.entries(PATHS).map(([code, d]) => [code, svg("path", { d })]),
      ...Object.entries(POINTS).map(([code, [x, y]]) => [code, svg("circle", { cx: x, cy: y, r: 3 })]),
    ];
    for (const [code, shape] of shapes) {
      this.#shapes.set(code, shape);
      shape.dataset.country = code;
    }
    const picture = svg("svg", { viewBox: VIEW, role: "img", "aria-label": t("world.map") }, ...this.#shapes.values());
    picture.addEventListener("click", ({ target }) => "part" in target.dataset && onPick?.(target.dataset.country));
    this.element = h("div.world", {}, picture);
  }

  /** `countries` [{country, bytes, tip}] */
  set(countries) {
    const most = Math.log1p(Math.max(1, ...countries.map(({ bytes }) => bytes)));
    const told = new Map(countries.map((one) => [one.country, one]));
    for (const [code, shape] of this.#shapes) {
      const one = told.get(code);
      setData(shape, "tip", one?.tip ?? null);
      if (one) setPart(shape, LEAST + (1 - LEAST) * (Math.log1p(one.bytes) / most) ** 2);
      else delete shape.dataset.part;
    }
  }
}
