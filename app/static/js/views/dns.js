/** Every DNS query that was seen, with what came back: four figures about those in the list, and the list. */

import { NewestFirst } from "../data/newest_first.js";
import { h, setText } from "../dom.js";
import * as format from "../format.js";
import { t } from "../strings.js";
import { COLUMNS, isUnanswered, NARROW_COLUMNS } from "./dns_columns.js";
import { DnsDetails } from "./dns_details.js";
import { LogView } from "./log_view.js";

const NARROW = matchMedia("(max-width: 720px)");
const fitting = () => (NARROW.matches ? NARROW_COLUMNS : COLUMNS);

export class DnsView extends LogView {
  answersPast = true;

  constructor() {
    const figures = new Figures();
    super({
      name: "dns",
      data: new NewestFirst({ path: "/api/dns_queries", topic: "dns", field: "dns_queries" }),
      columns: fitting(),
      details: new DnsDetails({ onTerm: (term, exclude) => this.addTerm(term, exclude), onClose: () => this.closed() }),
      above: figures.element,
    });
    this.figures = figures;
    this.element.classList.add("view-fill-4");
    NARROW.addEventListener("change", () => this.table.setColumns(fitting()));
  }

  drawNow() {
    super.drawNow();
    this.figures.set(this.data.rows);
  }
}

class Figures {
  constructor() {
    this.cells = Object.fromEntries(["queries", "nxdomain", "unanswered", "latency"].map((name) => [name, { value: h("b"), note: h("small") }]));
    this.element = h("dl.strip.panel", {}, Object.entries(this.cells).map(([name, { value, note }]) => h("div", { data: { name, tip: t(`dns.figure.${name}.tip`) } }, h("dt", {}, t(`dns.figure.${name}`)), h("dd", {}, value, note))));
  }

  set(rows) {
    const { queries, nxdomain, unanswered, latency } = this.cells;
    const count = rows.length;
    const missing = rows.filter((row) => row.rcode === "NXDOMAIN").length;
    const silent = rows.filter(isUnanswered).length;
    const waits = rows.map((row) => row.latency_ms).filter((value) => value !== null && value !== undefined).sort((a, b) => a - b);
    write(queries, format.count(count), count > 1 ? rate(rows) : "");
    write(nxdomain, count ? format.percent(missing / count) : format.NONE, missing ? t("dns.of", { n: missing }) : "", missing ? "warn" : null);
    write(unanswered, count ? format.percent(silent / count) : format.NONE, silent ? t("dns.of", { n: silent }) : "", silent ? "warn" : null);
    write(latency, format.milliseconds(median(waits)), waits.length ? t("dns.slowest", { value: format.milliseconds(waits.at(-1)) }) : "");
  }
}

function write({ value, note }, text, beside, tone = null) {
  setText(value, text);
  setText(note, beside);
  if (tone) value.dataset.tone = tone;
  else delete value.dataset.tone;
}

/** Queries in a second, over the time the list covers. */
function rate(rows) {
  const seconds = (Date.parse(rows[0].timestamp) - Date.parse(rows.at(-1).timestamp)) / 1000;
  if (!(seconds > 0)) return "";
  const perSecond = rows.length / seconds;
  return perSecond >= 0.1 ? t("dns.perSecond", { value: format.decimal(perSecond) }) : t("dns.perMinute", { value: format.decimal(perSecond * 60) });
}

function median(sorted) {
  if (!sorted.length) return null;
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}
