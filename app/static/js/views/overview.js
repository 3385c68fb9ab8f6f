/** The first page: four figures, traffic over time, what wants a look, and who and what makes it up. */

import { get } from "../api.js";
import * as session from "../data/session.js";
import { span, time } from "../data/time.js";
import { fill, framed, h, setData, setText } from "../dom.js";
import { empty, whyEmpty } from "../parts/empty.js";
import * as format from "../format.js";
import { panel } from "../parts/panel.js";
import { Ranked } from "../parts/ranked.js";
import { timeText } from "../parts/time_range.js";
import { address } from "../router.js";
import { t } from "../strings.js";
import { AttentionPanels } from "./overview_attention.js";
import { CapturePanels } from "./overview_panels.js";
import { Tile } from "./overview_tile.js";
import { TrafficPanel } from "./overview_traffic.js";
import { WorldPanels } from "./overview_world.js";
import { PastSummary } from "./past_summary.js";

const ALERTS = 10; // of a time in the past, the newest
const LOSS_BAD = 0.01; // from here on totals are visibly wrong

export class OverviewView {
  answersPast = true;
  #past = null; // {from, to}; null: live
  #loading = null;
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
    this.past = new PastSummary((q) => address("connections", { q }));
    this.raised = new Ranked({ headings: [t("panel.alerts"), t("rare.last")], none: t("security.none") });
    const [applications, ...others] = [...this.past.panels, panel(t("panel.alerts"), "span-4", this.raised.element, { aside: h("a.plain", { href: address("alerts") }, t("security.all")) })];
    this.live = [
      h("div.grid", {}, Object.values(this.tiles).map((tile) => tile.element)),
      this.panels.applications.element,
      h("div.grid", {}, this.attention.elements),
      h("div.grid", {}, this.world.elements),
      h("div.grid", {}, this.panels.rest),
    ];
    this.kept = [this.past.figures, applications, h("div.grid", {}, others)];
    const [tiles, named, ...below] = this.live;
    this.full = h("div.view", {}, tiles, this.kept[0], h("div.grid", {}, this.traffic.element, named, applications), below, this.kept[2]);
    this.element = h("div.view", { id: "overview" }, h("div.view-head", {}, h("h1", {}, t("overview.title"), this.sub)), this.blank, this.full);
    this.draw = framed(() => this.#draw());
  }

  show() {
    this.hide();
    this.#past = span();
    for (const part of this.live) part.hidden = this.#past !== null;
    for (const part of this.kept) part.hidden = true;
    this.blank.hidden = true;
    this.traffic.show(this.#past);
    if (this.#past) return this.#loadPast();
    this.#stop = [session.stats.watch(this.draw), session.capture.watch(this.draw)];
    this.attention.show();
    this.world.show();
  }

  hide() {
    for (const stop of this.#stop) stop();
    this.#stop = [];
    this.#loading?.abort();
    this.traffic.hide();
    this.attention.hide();
    this.world.hide();
  }

  // -- a time in the past --------------------------------------------------------------------------------------------

  async #loadPast() {
    const loading = (this.#loading = new AbortController());
    this.full.hidden = false;
    setText(this.sub, timeText(time.value));
    try {
      const summary = await get("/api/history/summary", { ...this.#past, compare: 1 }, loading.signal);
      const some = summary.totals.flows > 0 || summary.totals.bytes > 0;
      for (const part of this.kept) part.hidden = !some;
      if (some) this.past.draw(summary);
      if (some) await this.#loadAlerts(loading.signal);
      else this.#say(t("time.none.title"), t("history.none"));
    } catch (problem) {
      if (problem.name !== "AbortError") this.#say(t("history.off.title"), problem.message);
    }
  }

  async #loadAlerts(signal) {
    const alerts = await get("/api/alerts", { history: 1, ...this.#past, limit: ALERTS }, signal);
    this.raised.set(alerts.map((one) => ({ name: one.title, link: address("alerts", { q: `rule:=${one.rule}` }), values: [format.timeOfDay(one.last_seen, false)], part: 0 })));
  }

  #say(title, text) {
    this.blank.hidden = false;
    fill(this.blank, empty({ iconName: "wait", title, text }));
  }

  // -- live ----------------------------------------------------------------------------------------------------------

  #draw() {
    if (this.#past) return;
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
