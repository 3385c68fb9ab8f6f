/** Where the traffic goes: the map, and the table that says the same. */

import { get } from "../api.js";
import { Poll } from "../data/poll.js";
import { span } from "../data/time.js";
import { fill, h, setText } from "../dom.js";
import * as format from "../format.js";
import { panel } from "../parts/panel.js";
import { legend, shape } from "../parts/map_words.js";
import { WorldMap } from "../parts/world_map.js";
import { term } from "../query.js";
import { address, go } from "../router.js";
import { has, t } from "../strings.js";

const total = (one) => one.bytes ?? one.bytes_sent + one.bytes_recv;
const connectionsOf = (code) => address("connections", { q: term("country", code) });

const LIMIT = 300; // countries there are fewer

export class WorldView {
  answersPast = true;
  #loading = null;

  constructor() {
    this.map = new WorldMap({ onPick: (code) => go("connections", { q: term("country", code) }) });
    this.countries = h("tbody");
    this.elsewhere = h("tbody");
    this.none = h("p.faint", {}, t("world.none"));
    this.noneElsewhere = h("p.faint", {}, t("world.elsewhereNone"));
    this.problem = h("p.note", { role: "status", hidden: true });
    const head = (...keys) => h("thead", {}, h("tr", {}, keys.map((key, i) => h(i === 2 || i === 3 || i === 5 ? "th.wide" : "th", { scope: "col" }, t(key)))));
    this.table = h("table.place-table", {}, head("world.country", "world.bytes", "world.sent", "world.received", "world.connections", "world.hosts"), this.countries);
    this.nowhere = panel(t("world.elsewhere"), "span-4", [h("table.place-table", {}, head("world.scope", "world.bytes"), this.elsewhere), this.noneElsewhere]);
    this.element = h("div.view", { id: "world" },
      h("div.view-head", {}, h("h1", {}, t("world.title"))),
      h("div.grid", {},
        panel(t("world.picture"), "span-12", [this.map.element, legend(), h("p.note", {}, t("world.note")), this.problem]),
        panel(t("world.countries"), "span-8", [h("div.place-scroll", { tabindex: "0", role: "group", "aria-label": t("world.countries") }, this.table), this.none]),
        this.nowhere));
    this.poll = new Poll({ path: "/api/world", onAnswer: (found) => {
      setText(this.none, t("world.none"));
      this.#draw(found);
    } });
  }

  show() {
    this.hide();
    const past = span();
    this.nowhere.hidden = past !== null; // the history keeps countries alone
    if (past) this.#load(past);
    else this.poll.start();
  }

  hide() {
    this.poll.stop();
    this.#loading?.abort();
  }

  async #load(past) {
    const loading = (this.#loading = new AbortController());
    try {
      const rows = await get("/api/history/top", { by: "country", ...past, limit: LIMIT }, loading.signal);
      const countries = rows.filter((row) => row.name).map((row) => ({ country: row.name, name: row.country_name ?? row.name, bytes: row.traffic, flows: row.flows }));
      setText(this.none, t("time.none.title"));
      this.#draw({ countries, elsewhere: [] });
    } catch (problem) {
      if (problem.name === "AbortError") return;
      this.#draw({ countries: [], elsewhere: [] });
      setText(this.none, problem.message);
    }
  }

  #draw({ countries, elsewhere, database, probes }) {
    this.map.set(countries.map(shape));
    this.table.hidden = !countries.length;
    this.none.hidden = countries.length > 0;
    fill(this.countries, countries.map((one) => h("tr", {},
      h("td", {}, h("span.code", {}, one.country), h("a", { href: connectionsOf(one.country) }, one.name)),
      h("td", {}, format.bytes(total(one))), h("td.wide", {}, format.bytes(one.bytes_sent)), h("td.wide", {}, format.bytes(one.bytes_recv)), h("td", {}, format.count(one.flows)), h("td.wide", {}, format.count(one.hosts)))));
    this.noneElsewhere.hidden = elsewhere.length > 0;
    fill(this.elsewhere, elsewhere.map((one) => h("tr", {},
      h("td", {}, h("a", { href: address("connections", { q: `${term("scope", one.scope)}${one.scope === "global" ? " -country:*" : ""}` }) }, scopeName(one.scope))),
      h("td", {}, format.bytes(one.bytes)))));
    const source = database?.problem ? t("places.problem", { text: database.problem }) : database?.bundled === false ? t("places.own", { name: database.database ?? "" }) : null;
    const asked = Object.entries(probes ?? {}).filter(([, one]) => one.state !== "off").map(([name, one]) => t(`places.probe.${name}`, { text: one.text }));
    const said = [source, ...asked].filter(Boolean).join("\n");
    this.problem.hidden = !said;
    setText(this.problem, said);
  }
}

/** link_local → Link local */
export function scopeName(scope) {
  if (has(`world.scope.${scope}`)) return t(`world.scope.${scope}`);
  return (scope ?? format.NONE).replaceAll("_", " ").replace(/^./, (letter) => letter.toUpperCase());
}
