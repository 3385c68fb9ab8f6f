/** One flow's entropy: a graph of both directions, what the bytes look like, and the same as a table. */

import { fill, h, setText } from "../dom.js";
import * as format from "../format.js";
import { TimeChart } from "../parts/chart.js";
import { address } from "../router.js";
import { has, t } from "../strings.js";

const SERIES = [{ key: "src", token: "--accent" }, { key: "dst", token: "--udp" }];
const SHOWN_ROWS = 30;
const bits = (value) => (value === null || value === undefined ? format.NONE : value.toFixed(2));
const verdict = (name) => (has(`entropy.verdict.${name}`) ? t(`entropy.verdict.${name}`) : name);

export class EntropyCard {
  constructor(flow) {
    const label = `${flow.src_ip}:${flow.src_port} → ${flow.dst_ip}:${flow.dst_port}`;
    this.tags = h("span.entropy-tags");
    this.sides = { src: side("entropy.out", "src"), dst: side("entropy.in", "dst") };
    this.chart = new TimeChart({ label: t("entropy.chart", { flow: label }) });
    this.chart.configure(SERIES, { stacked: false, format: (value) => value.toFixed(0), top: 8.3 });
    this.body = h("tbody");
    this.facts = h("dl.entropy-facts");
    this.more = h("details", { ontoggle: () => this.#fillTable() }, h("summary", {}, t("entropy.table")), this.facts, h("div.entropy-table", { tabindex: "0", role: "region", "aria-label": t("entropy.table") }, h("table.records", {},
      h("thead", {}, h("tr", {}, ["entropy.time", "entropy.out", "entropy.in"].map((key) => h("th", { scope: "col" }, t(key))))), this.body)));
    this.element = h("section.panel.card.entropy-card", { "aria-label": label },
      h("header", {}, h("h2.mono", { title: label }, h("a", { href: address("connections", { q: `flow_id:${flow.flow_id}` }), "aria-label": `${t("entropy.open")}: ${label}` }, h("span", {}, `${flow.src_ip}:${flow.src_port}`), " → ", h("span", {}, `${flow.dst_ip}:${flow.dst_port}`)))),
      this.tags, this.sides.src.element, this.sides.dst.element, this.chart.element, this.more);
  }

  set(flow) {
    this.flow = flow;
    const alerts = flow.alerts.map((name) => h("span.tag.tag-bad", {}, t(`entropy.${name}`)));
    const told = JSON.stringify([flow.alerts, flow.detailed_protocol, flow.server_name, flow.ended]);
    if (told !== this.told) fill(this.tags, alerts.length ? alerts : h("span.tag.tag-good", {}, t("entropy.quiet")), h("span.tag", {}, flow.detailed_protocol ?? flow.protocol), flow.server_name ? h("span.tag", {}, flow.server_name) : null, flow.ended ? h("span.tag", {}, t("entropy.ended")) : null);
    this.told = told;
    this.sides.src.set(flow.src);
    this.sides.dst.set(flow.dst);
    const times = flow.series.map(([at]) => at);
    const last = times.at(-1) ?? 0;
    const range = [Math.min(times[0] ?? last, last - 30), last + 1];
    // one sample alone is a short line, so that it can be seen
    const points = times.length === 1 ? [[times[0] - 2, ...flow.series[0].slice(1)], flow.series[0]] : flow.series;
    this.chart.set(points.map(([at]) => at), [points.map(([, src]) => src), points.map(([, , dst]) => dst)], range);
    this.#fillTable();
  }

  #fillTable() {
    if (!this.more.open || !this.flow) return;
    const { src, dst, series } = this.flow;
    const pair = (key, value) => [h("dt", {}, t(key)), h("dd", {}, value)];
    const both = (name, write) => `${write(src?.[name])} / ${write(dst?.[name])}`;
    fill(this.facts, pair("entropy.beginning", both("life", bits)), pair("entropy.level", both("level", bits)), pair("entropy.chi", both("chi_square", (value) => format.decimal(value, 0))), pair("entropy.serial", both("serial_correlation", (value) => format.decimal(value, 2))));
    fill(this.body, series.slice(-SHOWN_ROWS).reverse().map(([at, a, b]) => h("tr", {}, h("td", {}, format.clockTime(at)), h("td", {}, bits(a)), h("td", {}, bits(b)))));
  }
}

/** A line of words about one direction. */
function side(key, kind) {
  const value = h("b");
  const word = h("span.entropy-word");
  const note = h("small");
  const element = h("p.entropy-side", {}, h("i.swatch", { data: { kind } }), h("span.entropy-way", {}, t(key)), value, word, note);
  return {
    element,
    set(said) {
      setText(value, said ? bits(said.value ?? said.life) : format.NONE);
      setText(word, said ? verdict(said.value === null ? said.life_verdict : said.verdict) : t("entropy.noBytes"));
      const parts = said ? [t("entropy.interval", { low: bits(said.low ?? said.life_low), high: bits(said.high ?? said.life_high) }), t("entropy.bytes", { value: format.bytes(said.bytes || said.life_bytes) }), said.expected_low === null ? null : t("entropy.expected", { low: bits(said.expected_low), high: bits(said.expected_high) })] : [];
      setText(note, parts.filter(Boolean).join(" · "));
    },
  };
}
