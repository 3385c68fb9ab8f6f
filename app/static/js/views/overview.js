/** The first page: four figures, traffic over time, what wants a look, and who and what makes it up. */

import * as session from "../data/session.js";
import { fill, framed, h, setData, setText } from "../dom.js";
import { whyEmpty } from "../parts/empty.js";
import * as format from "../format.js";
import { t } from "../strings.js";
import { AttentionPanels } from "./overview_attention.js";
import { CapturePanels } from "./overview_panels.js";
import { Tile } from "./overview_tile.js";
import { TrafficPanel } from "./overview_traffic.js";
import { WorldPanels } from "./overview_world.js";

const LOSS_BAD = 0.01; // from here on totals are visibly wrong

export class OverviewView {
  #stop = [];

  constructor() {
    this.tiles = {
      throughput: new Tile({ label: t("tile.throughput"), help: "bps", tone: null }),
      packets: new Tile({ label: t("tile.packets"), help: "pps", tone: "udp" }),
      flows: new Tile({ label: t("tile.flows"), help: "flows_active", tone: "sent" }),
      losses: new Tile({ label: t("tile.losses"), help: "kernel_drops", tone: "quiet" }),
    };
    this.traffic = new TrafficPanel();
    this.panels = new CapturePanels();
    this.attention = new AttentionPanels();
    this.world = new WorldPanels();
    this.sub = h("span.sub");
    this.blank = h("section.panel", { hidden: true });
    this.full = h("div.view", {},
      h("div.grid", {}, Object.values(this.tiles).map((tile) => tile.element)),
      h("div.grid", {}, this.traffic.element, this.panels.applications.element),
      h("div.grid", {}, this.attention.elements),
      h("div.grid", {}, this.world.elements),
      h("div.grid", {}, this.panels.rest));
    this.element = h("div.view", { id: "overview" }, h("div.view-head", {}, h("h1", {}, t("overview.title"), this.sub)), this.blank, this.full);
    this.draw = framed(() => this.#draw());
  }

  show() {
    this.#stop = [session.stats.watch(this.draw), session.capture.watch(this.draw)];
    this.traffic.show();
    this.attention.show();
    this.world.show();
  }

  hide() {
    for (const stop of this.#stop) stop();
    this.traffic.hide();
    this.attention.hide();
    this.world.hide();
  }

  #draw() {
    const stats = session.stats.value;
    const why = whyEmpty();
    this.blank.hidden = !why;
    this.full.hidden = Boolean(why) && !["running", "replaying"].includes(session.capture.value?.state);
    if (why) fill(this.blank, why);
    setText(this.sub, subtitle(session.capture.value, stats));
    if (!stats) return;
    this.#figures(stats);
    this.panels.draw(stats);
  }

  #figures(stats) {
    const { throughput, packets, flows, losses } = this.tiles;
    const series = (key) => session.history.map((entry) => entry[key]);
    const totals = stats.totals ?? {};
    const isFile = stats.capture?.source === "file";
    const mean = (total) => (isFile && stats.runtime_s > 0 ? total / stats.runtime_s : null);
    const bps = format.bitRateParts(isFile ? mean(totals.bytes * 8) : stats.rates?.bps);
    const pps = isFile ? mean(totals.packets) : stats.rates?.pps;
    const scope = isFile ? t("tile.average") : null;
    throughput.set({ ...bps, note: joined(scope, t("tile.totalBytes", { value: format.bytes(totals.bytes) })), values: series("bps"), compare: !isFile });
    packets.set({ figure: pps < 10 ? format.decimal(pps) : format.short(pps && Math.round(pps)), unit: t("unit.packetsPerSecond"), note: joined(scope, t("tile.totalPackets", { value: format.short(totals.packets) })), values: series("pps"), compare: !isFile });
    flows.set({ figure: format.count(stats.flows?.active), unit: "", note: joined(isFile ? null : t("tile.newFlows", { value: format.decimal(stats.rates?.new_flows) }), t("tile.totalFlows", { value: format.short(stats.flows?.total) })), values: series("flows"), compare: !isFile });
    this.#losses(losses, stats, series("lost"));
  }

  #losses(tile, stats, values) {
    const lost = stats.losses?.kernel_drops ?? null;
    const undecoded = Object.values(stats.losses?.undecoded ?? {}).reduce((sum, n) => sum + n, 0);
    const seen = stats.totals?.packets ?? 0;
    const note = joined(
      lost ? t("tile.lossShare", { share: format.percent(lost / (lost + seen)) }) : t("tile.noLosses"),
      undecoded ? t("tile.undecoded", { value: format.short(undecoded) }) : null);
    tile.set({ figure: format.short(lost), unit: "", note, values: deltas(values), compare: false });
    const state = !lost ? null : lost / (lost + seen) > LOSS_BAD ? "bad" : "warn";
    setData(tile.element, "state", state);
    setData(tile.spark.element, "tone", state ?? "quiet");
  }
}

const joined = (...parts) => parts.filter(Boolean).join(" · ");

/** Since when, or which file and which time it covers. */
function subtitle(capture, stats) {
  if (capture?.source === "file") return joined(capture.file, stats?.totals?.first ? t("overview.span", { from: format.dateTime(stats.totals.first), to: format.dateTime(stats.totals.last) }) : null);
  return capture?.started ? t("overview.since", { time: format.dateTime(capture.started) }) : "";
}

/** How much a running count grew from each reading to the next. */
function deltas(values) {
  return values.slice(1).map((value, i) => (value === null || values[i] === null ? null : Math.max(0, value - values[i])));
}
