/** The map on the first page, with the countries that have the most traffic. */

import { Poll } from "../data/poll.js";
import { h } from "../dom.js";
import * as format from "../format.js";
import { panel } from "../parts/panel.js";
import { Ranked } from "../parts/ranked.js";
import { WorldMap } from "../parts/world_map.js";
import { term } from "../query.js";
import { address, go } from "../router.js";
import { t } from "../strings.js";
import { legend, shape } from "./world.js";

const TOP = 8;
const SECONDS = 5;

export class WorldPanels {
  constructor() {
    this.map = new WorldMap({ onPick: (code) => go("connections", { q: term("country", code) }) });
    this.list = new Ranked({ headings: [t("world.country"), t("column.share"), t("world.bytes")], narrow: [1], none: t("world.none") });
    const all = h("a.plain", { href: address("world") }, t("world.all"));
    this.elements = [
      panel(t("panel.world"), "span-8", [this.map.element, legend()]),
      panel(t("world.countries"), "span-4", this.list.element, { aside: all }),
    ];
    this.poll = new Poll({ path: "/api/world", seconds: SECONDS, onAnswer: (found) => this.#draw(found.countries) });
  }

  show() {
    this.poll.start();
  }

  hide() {
    this.poll.stop();
  }

  #draw(countries) {
    const shapes = countries.map(shape);
    this.map.set(shapes);
    const sum = shapes.reduce((all, one) => all + one.bytes, 0);
    this.list.set(shapes.slice(0, TOP).map((one, i) => ({
      name: countries[i].name,
      tip: one.tip,
      link: address("connections", { q: term("country", one.country) }),
      values: [format.percent(sum ? one.bytes / sum : null), format.bytes(one.bytes)],
      part: sum ? one.bytes / sum : 0,
    })));
  }
}
