/** Latency and loss of each interface, as its connections show them: nothing is sent to measure it. */

import { Poll } from "../data/poll.js";
import { fill, h } from "../dom.js";
import * as format from "../format.js";
import { helpMark } from "../parts/floating.js";
import { t } from "../strings.js";

const loss = (value) => format.percent(value / 100, 2);
const COLUMNS = [
  ["rtt_median_ms", format.milliseconds], ["rtt_p95_ms", format.milliseconds], ["handshake_median_ms", format.milliseconds],
  ["retransmission_percent", loss], ["out_of_order_percent", loss], ["dns_median_ms", format.milliseconds], ["flows", format.count],
];

export class InterfaceLatency {
  constructor() {
    this.rows = h("tbody");
    const label = (key) => t(`interfaces.latency.${key}`);
    this.table = h("div.history-scroll", { tabindex: "0", role: "region", "aria-label": t("interfaces.latency") },
      h("table.history-table", {}, h("thead", {}, h("tr", {}, h("th", { scope: "col" }, label("key")), COLUMNS.map(([key]) => h("th.num", { scope: "col" }, label(key), helpMark(key, label(key)))))), this.rows));
    this.none = h("p.faint", {}, t("interfaces.latency.none"));
    this.element = h("section.panel", { "aria-label": t("interfaces.latency") },
      h("div.panel-head", {}, h("h2", {}, t("interfaces.latency"))), h("div.panel-body", {}, this.table, this.none));
    this.poll = new Poll({ path: "/api/latency", seconds: 5, onAnswer: (rows) => this.#draw(rows) });
    this.#draw([]);
  }

  show() {
    this.poll.start({ by: "interface" });
  }

  hide() {
    this.poll.stop();
  }

  #draw(rows) {
    this.table.hidden = !rows.length;
    this.none.hidden = rows.length > 0;
    fill(this.rows, rows.map((row) => h("tr", {}, h("td", {}, row.key), COLUMNS.map(([key, shape]) => h("td.num", {}, row[key] === null ? format.NONE : shape(row[key]))))));
  }
}
