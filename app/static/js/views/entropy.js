/** Entropy of flows, live: a card with a graph for each of the top ones, alerts first; which have a slot; the logs. */

import { get, inSession } from "../api.js";
import * as live from "../data/live.js";
import { fill, framed, h, icon, setText } from "../dom.js";
import * as format from "../format.js";
import { empty, whyEmpty } from "../parts/empty.js";
import { FilterBar } from "../parts/filter_bar.js";
import { theme } from "../parts/theme.js";
import { note } from "../router.js";
import { t } from "../strings.js";
import { EntropyCard } from "./entropy_card.js";

const PROTOCOLS = ["", "tcp", "udp", "tls", "quic", "dns", "http", "ssh"];
const TOPS = [10, 20, 50];

export class EntropyView {
  #cards = new Map();
  #document = null;
  #wanted = { ip: "", protocol: "", top: 10 };

  constructor() {
    const choice = (label, values, name, write) => h("select", { "aria-label": label, id: `entropy-${name}`, onchange: (event) => this.#choose({ [name]: name === "top" ? Number(event.target.value) : event.target.value }) }, values.map((value) => h("option", { value: String(value) }, write(value))));
    this.protocol = choice(t("entropy.protocol"), PROTOCOLS, "protocol", (value) => (value ? value.toUpperCase() : t("entropy.any")));
    this.top = choice(t("entropy.top"), TOPS, "top", (n) => t("entropy.topN", { n }));
    this.filter = new FilterBar({ id: "entropy-filter", placeholder: t("entropy.filter"), actions: [this.protocol, this.top], onApply: (ip) => this.#choose({ ip }) });
    this.sub = h("span.sub");
    this.slots = h("span.entropy-slots", { data: { tip: t("entropy.slotsTip") }, tabindex: "0" });
    this.cards = h("div.cards.entropy-cards");
    this.none = h("section.panel", { hidden: true });
    this.logs = h("div.panel-body");
    this.element = h("div.view", { id: "entropy" },
      h("div.view-head", {}, h("h1", {}, t("entropy.title"), this.sub), this.slots),
      this.filter.element, this.none, this.cards,
      h("section.panel", { "aria-label": t("entropy.logs") }, h("div.panel-head", {}, h("h2", {}, t("entropy.logs"))), this.logs));
    this.draw = framed(() => this.element.isConnected && this.#draw());
    live.on("entropy", (document) => {
      this.#document = document;
      this.draw();
    });
    theme.watch(() => this.#cards.forEach((card) => card.chart.rebuild()));
  }

  show({ ip = "", protocol = "", top = "10" }) {
    this.#wanted = { ip, protocol: PROTOCOLS.includes(protocol) ? protocol : "", top: TOPS.includes(Number(top)) ? Number(top) : 10 };
    this.filter.adopt(ip);
    this.protocol.value = this.#wanted.protocol;
    this.top.value = String(this.#wanted.top);
    this.#ask();
    this.#loadLogs();
    this.draw();
  }

  hide() {
    this.filter.rest();
    live.unwant("entropy");
  }

  focusFilter() {
    this.filter.focus();
  }

  #choose(change) {
    Object.assign(this.#wanted, change);
    note("entropy", { ...this.#wanted, top: this.#wanted.top === 10 ? "" : this.#wanted.top });
    this.#ask();
  }

  #ask() {
    live.want("entropy", { ...this.#wanted }, (problem) => this.filter.refuse(problem));
  }

  #draw() {
    const document = this.#document;
    const flows = document?.flows ?? [];
    const slots = document?.slots ?? {};
    setText(this.sub, document ? [t("entropy.shown", { shown: flows.length, total: document.total }), document.alerts ? t("entropy.alerts", { n: document.alerts }) : null].filter(Boolean).join(" · ") : "");
    setText(this.slots, slots.total ? [t("entropy.slots", { used: slots.used, total: slots.total }), slots.flows_without ? t("entropy.without", { n: slots.flows_without }) : null].filter(Boolean).join(" · ") : "");
    const filtered = this.#wanted.ip || this.#wanted.protocol;
    this.none.hidden = flows.length > 0;
    if (!flows.length) fill(this.none, filtered ? empty({ iconName: "search", title: t("entropy.noMatch.title"), text: t("entropy.noMatch") }) : whyEmpty() ?? empty({ iconName: "entropy", title: t("entropy.empty.title"), text: t("entropy.empty") }));
    const ids = flows.map((flow) => flow.flow_id);
    for (const [id, card] of this.#cards) {
      if (ids.includes(id)) continue;
      card.element.remove();
      this.#cards.delete(id);
    }
    flows.forEach((flow, place) => {
      let card = this.#cards.get(flow.flow_id);
      if (!card) this.#cards.set(flow.flow_id, (card = new EntropyCard(flow)));
      if (this.cards.children[place] !== card.element) this.cards.insertBefore(card.element, this.cards.children[place] ?? null);
      card.set(flow);
    });
  }

  async #loadLogs() {
    try {
      const { logs, state } = await get("/api/logs");
      fill(this.logs,
        h("p.entropy-note", {}, state.enabled ? t("entropy.logsNote", { days: state.days, files: state.files }) : t("entropy.logsOff")),
        state.problem ? h("p.entropy-note", {}, h("span.tag.tag-warn", {}, t("entropy.logsLost", { n: state.rows_lost, problem: state.problem }))) : null,
        logs.length ? h("ul.entropy-logs", {}, logs.map((log) => h("li", {}, h("a", { href: inSession(`/api/logs/${encodeURIComponent(log.name)}`), download: log.name }, icon("download", "icon-sm"), h("span", {}, log.name)), h("span", {}, format.bytes(log.size_bytes)), h("time", {}, format.dateTime(log.modified))))) : h("p.entropy-note", {}, t("entropy.logsNone")));
    } catch (error) {
      fill(this.logs, h("p.entropy-note", {}, error.message));
    }
  }
}
