/** The map on the first page, with the countries that have the most traffic. */

import { Poll } from "../data/poll.js";
import { h } from "../dom.js";
import * as format from "../format.js";
import { legend, shape } from "../parts/map_words.js";
import { panel } from "../parts/panel.js";
import { Ranked } from "../parts/ranked.js";
import { term } from "../query.js";
import { address, go } from "../router.js";
import { t } from "../strings.js";

const TOP = 8;
const SECONDS = 5;

export class WorldPanels {
  #shapes = [];

  constructor() {
    this.map = null; // its shapes are a third of the page's weight: they come after the rest
    this.place = h("div.world-place");
    this.list = new Ranked({ headings: [t("world.country"), t("column.share"), t("world.bytes")], narrow: [1], none: t("world.none") });
    const all = h("a.plain", { href: address("world") }, t("world.all"));
    this.elements = [
      panel(t("panel.world"), "span-8", [this.place, legend()]),
      panel(t("world.countries"), "span-4", this.list.element, { aside: all }),
    ];
    this.poll = new Poll({ path: "/api/world", seconds: SECONDS, onAnswer: (found) => this.#draw(found.countries) });
  }

  show() {
    this.poll.start();
    this.#fetchMap();
  }

  hide() {
    this.poll.stop();
  }

  async #fetchMap() {
    if (this.map) return;
    const { WorldMap } = await import("../parts/world_map.js");
    if (this.map) return;
    this.map = new WorldMap({ onPick: (code) => go("connections", { q: term("country", code) }) });
    this.map.set(this.#shapes);
    this.place.replaceWith(this.map.element);
  }

  #draw(countries) {
    const shapes = countries.map(shape);
    this.#shapes = shapes;
    this.map?.set(shapes);
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
