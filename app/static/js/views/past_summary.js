/** A time in the past at a glance: its totals beside those of the time before, and who and what made it up. */

import { h, setText } from "../dom.js";
import * as format from "../format.js";
import { panel } from "../parts/panel.js";
import { Ranked } from "../parts/ranked.js";
import { term } from "../query.js";
import { t } from "../strings.js";

const FIGURES = ["bytes", "bytes_sent", "bytes_recv", "flows", "hosts", "dns_queries"];
const TOPS = { app: "app", process: "process", host: "ip", local: "ip", country: "country", port: "port" };

export class PastSummary {
  /** `link(q)`: where a name of a list leads, given the term that stands for it. */
  constructor(link) {
    this.link = link;
    this.values = Object.fromEntries(FIGURES.map((name) => [name, { value: h("b"), note: h("small") }]));
    this.figures = h("dl.strip.strip-6.panel", {}, FIGURES.map((name) => h("div", { data: { name } }, h("dt", {}, t(`history.${name}`)), h("dd", {}, this.values[name].value, this.values[name].note))));
    this.tops = Object.fromEntries(Object.keys(TOPS).map((name) => [name, new Ranked({ headings: [t("history.name"), t("history.traffic"), t("history.change")] })]));
    this.panels = Object.entries(this.tops).map(([name, list]) => panel(t(`history.top.${name}`), "span-4", list.element));
  }

  /** `summary`: an answer of /api/history/summary with `compare`. */
  draw(summary) {
    for (const name of FIGURES) this.#figure(name, summary);
    for (const [name, field] of Object.entries(TOPS)) this.#list(name, field, summary.top[name]);
  }

  #figure(name, { totals, change, previous }) {
    const { value, note } = this.values[name];
    setText(value, name.startsWith("bytes") ? format.bytes(totals[name]) : format.short(totals[name]));
    const part = change[name];
    const text = previous.totals[name] ? (part ? `${part > 0 ? "+" : ""}${format.decimal(part)} %` : t("history.same")) : totals[name] ? t("history.new") : "";
    setText(note, text);
  }

  #list(name, field, rows) {
    const most = Math.max(1, ...rows.map((row) => row.traffic));
    this.tops[name].set(rows.map((row) => ({
      name: shownName(name, row),
      link: row.name === null ? undefined : this.link(termOf(field, row.name)),
      values: [format.bytes(row.traffic), grown(row)],
      part: row.traffic / most,
    })));
  }
}

/** A port is listed with its protocol: tcp/443. */
function termOf(field, name) {
  if (field !== "port") return term(field, name);
  const [protocol, port] = name.split("/");
  return `${term("protocol", protocol)} ${term("port", port)}`;
}

function shownName(name, row) {
  if (row.name === null) return t("history.unknown");
  if (name === "country") return row.country_name ?? row.name;
  return name === "port" && row.service ? `${row.name} ${row.service}` : row.name;
}

function grown({ traffic, previous }) {
  if (!previous) return "";
  const part = Math.round((100 * (traffic - previous)) / previous) || 0; // no "-0"
  return `${part > 0 ? "+" : ""}${format.count(part)} %`;
}
