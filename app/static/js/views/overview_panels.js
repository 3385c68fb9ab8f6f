/** The panels around the chart: applications, protocols, top lists, sizes, round trips, and how well the capture itself does. */

import * as session from "../data/session.js";
import { fill, h, setData, setPart, setText } from "../dom.js";
import * as format from "../format.js";
import { empty } from "../parts/empty.js";
import { panel } from "../parts/panel.js";
import { Ranked } from "../parts/ranked.js";
import { Spark } from "../parts/spark.js";
import { address } from "../router.js";
import { t } from "../strings.js";
import { term } from "../query.js";
import { ApplicationsPanel } from "./overview_applications.js";

const TOP = 8;
const LINK_LAYERS = ["eth", "sll", "raw", "null"]; // carried by every frame of a link: they say nothing

export class CapturePanels {
  constructor() {
    const traffic = [t("column.packets"), t("column.bytes")];
    this.byProtocol = new Ranked({ headings: [t("column.protocol"), t("column.share"), t("column.bytes")], narrow: [1] });
    this.byHost = new Ranked({ headings: [t("column.host"), t("column.sent"), t("column.received")] });
    this.byPort = new Ranked({ headings: [t("column.port"), ...traffic] });
    this.byPair = new Ranked({ headings: [t("column.pair"), t("column.bytes")] });
    this.sizes = h("div.bars", { role: "img", "aria-label": t("panel.sizes") });
    this.rtt = h("div");
    this.rttSpark = new Spark({ points: 120 });
    this.health = h("dl.figures");
    this.applications = new ApplicationsPanel();
    const protocols = panel(t("panel.protocols"), "span-4", this.byProtocol.element, { aside: t("panel.protocolsNote") });
    this.rest = [
      protocols,
      panel(t("panel.hosts"), "span-4", this.byHost.element, { help: "top_ips" }),
      panel(t("panel.conversations"), "span-4", this.byPair.element, { help: "top_conversations" }),
      panel(t("panel.ports"), "span-4", this.byPort.element, { help: "top_ports" }),
      panel(t("panel.sizes"), "span-4", this.sizes, { help: "sizes" }),
      panel(t("panel.rtt"), "span-4", this.rtt, { help: "rtt_ms_median" }),
      panel(t("panel.health"), "span-12", this.health, {}),
    ];
  }

  draw(stats) {
    this.#protocols(stats);
    this.applications.draw(stats);
    this.#lists(stats);
    this.#sizes(stats.sizes);
    this.#rtt(stats);
    this.#health(stats);
  }

  #protocols(stats) {
    const total = stats.totals?.packets || 0;
    const layers = stats.protocols.filter((layer) => layer.packets > 0).sort((a, b) => b.packets - a.packets);
    const chosen = layers.filter((layer) => !LINK_LAYERS.includes(layer.name)).slice(0, TOP);
    this.byProtocol.set(chosen.map((layer) => ({
      key: layer.name,
      name: layer.name,
      swatch: layer.name,
      link: address("packets", { q: term("layer", layer.name) }),
      values: [format.percent(total ? layer.packets / total : null), format.bytes(layer.bytes)],
      part: total ? layer.packets / total : 0,
    })));
  }

  #lists(stats) {
    const hosts = stats.top_ips.map((host) => ({ ...host, bytes: (host.bytes_sent ?? 0) + (host.bytes_recv ?? 0) }));
    this.byHost.set(ranked(hosts, (host) => ({ key: host.ip, name: host.ip, link: address("connections", { q: term("ip", host.ip) }), values: [format.bytes(host.bytes_sent), format.bytes(host.bytes_recv)] })));
    this.byPort.set(ranked(stats.top_ports, (port) => ({ key: `${port.protocol}/${port.port}`, name: [`${port.protocol}/${port.port}`, port.service].filter(Boolean).join("  "), link: address("connections", { q: `${term("protocol", port.protocol)} ${term("port", port.port)}` }), values: [format.short(port.packets), format.bytes(port.bytes)] })));
    this.byPair.set(ranked(stats.top_conversations, (pair) => {
      const { a, b } = pair;
      return { key: `${a} ${b}`, name: `${a} ↔ ${b}`, link: address("connections", { q: `${term("ip", a)} ${term("ip", b)}` }), values: [format.bytes(pair.bytes)] };
    }));
  }

  #sizes(sizes) {
    const total = sizes.reduce((sum, size) => sum + size.packets, 0);
    if (this.sizes.children.length !== sizes.length) {
      fill(this.sizes, sizes.map(() => h("div", {}, h("div.column", {}, h("i"), h("span")), h("div.name"))));
    }
    const top = Math.max(1, ...sizes.map((size) => size.packets));
    sizes.forEach((size, i) => {
      const [column, name] = this.sizes.children[i].children;
      setPart(column, size.packets / top);
      setText(column.lastChild, size.packets ? format.percent(size.packets / total, 0) : "");
      setText(name, size.label);
      setData(this.sizes.children[i], "tip", t("size.tip", { label: size.label, n: size.packets, bytes: format.bytes(size.bytes) }));
    });
    this.sizes.setAttribute("aria-label", `${t("panel.sizes")}: ${sizes.map((size) => `${size.label}: ${format.count(size.packets)}`).join(", ")}`);
  }

  #rtt(stats) {
    const latency = stats.latency ?? {};
    if (!latency.samples) {
      fill(this.rtt, empty({ iconName: "wait", text: t("rtt.empty"), small: true }));
      return;
    }
    this.rttSpark.set(session.history.map((entry) => entry.rtt));
    const isFile = stats.capture?.source === "file"; // its medians have no course
    fill(this.rtt, h("dl.figures", {},
      figure(t("rtt.median"), format.milliseconds(latency.rtt_ms_median)),
      figure(t("rtt.p95"), format.milliseconds(latency.rtt_ms_p95)),
      figure(t("rtt.samples"), format.short(latency.samples))), isFile ? null : h("div.rtt-spark", {}, this.rttSpark.element));
  }

  #health(stats) {
    const undecoded = Object.values(stats.losses?.undecoded ?? {}).reduce((sum, n) => sum + n, 0);
    const health = stats.health ?? {};
    fill(this.health,
      figure(t("health.drops"), format.short(stats.losses?.kernel_drops), "kernel_drops"),
      figure(t("health.undecoded"), format.short(undecoded), "undecoded"),
      figure(t("health.loss"), stats.packet_loss_percent === null || stats.packet_loss_percent === undefined ? format.NONE : format.percent(stats.packet_loss_percent / 100), "packet_loss_percent"),
      figure(t("health.kept"), format.short(stats.store?.packets), "store_packets"),
      figure(t("health.memory"), format.bytes(health.rss_bytes), "rss_bytes"),
      figure(t("health.lag"), format.milliseconds(health.lag_ms), "lag_ms"),
      ...coverage(stats.insight));
  }
}

/** How much of the payload inspectors have read, and what they left out. */
function coverage(insight) {
  if (!insight) return [];
  const { bytes_read: read, bytes_skipped: skipped, flows_passed_over: passed, failures } = insight;
  return [
    figure(t("health.read"), format.bytes(read), "bytes_read"),
    figure(t("health.skipped"), format.bytes(skipped), "bytes_skipped"),
    figure(t("health.passedOver"), format.short(passed), "flows_passed_over"),
    figure(t("health.failures"), format.short(failures), "failures"),
  ];
}

export function figure(label, value, help = null) {
  return h("div", {}, h("dt", help ? { data: { help } } : {}, label), h("dd", {}, value));
}

function ranked(list, shape) {
  const shown = [...list].sort((a, b) => (b.bytes ?? 0) - (a.bytes ?? 0)).slice(0, TOP);
  const top = shown[0]?.bytes || 1;
  return shown.map((row) => ({ ...shape(row), part: (row.bytes ?? 0) / top }));
}
