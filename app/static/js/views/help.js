/** Help: the query language in short, the keyboard, every metric and every rule, all searched at once. */

import { get } from "../api.js";
import { fill, h, icon } from "../dom.js";
import { toast } from "../parts/floating.js";
import { panel } from "../parts/panel.js";
import * as keys from "../parts/shortcuts.js";
import { t } from "../strings.js";

const QUERIES = [
  ["port:443", "help.q.term"], ["protocol:tcp port:22", "help.q.and"], ["-ip:10.0.0.0/8", "help.q.not"], ["bytes:>1M duration:1m..2h", "help.q.range"],
  ["ip:192.168.*", "help.q.address"], ["app:=curl", "help.q.exact"], ["vlan:*", "help.q.any"], ["sort:-bytes", "help.q.sort"],
];

export class HelpView {
  timeless = true;
  #metrics = [];
  #rules = [];

  constructor({ sections }) {
    this.search = h("input", { type: "search", id: "help-search", "aria-label": t("help.search"), placeholder: t("help.search"), oninput: () => this.#draw() });
    this.metrics = h("dl.help-list");
    this.rules = h("div.rule-list");
    this.none = h("p.faint", { role: "status", hidden: true }, t("help.none"));
    const reference = h("a.plain", { href: "/api/reference" }, t("help.more"));
    this.brief = h("div.grid", {},
      panel(t("help.query"), "span-6", h("dl.help-list", {}, QUERIES.map(([example, key]) => [h("dt", {}, h("code", {}, example)), h("dd", {}, t(key))]))),
      panel(t("help.keys"), "span-6", keys.list(sections)));
    this.element = h("div.view", { id: "help" },
      h("div.view-head", {}, h("h1", {}, t("help.title")), reference),
      h("div.filterbar", {}, h("div.filter-field", {}, icon("search"), this.search)), this.none, this.brief,
      h("div.grid", {}, panel(t("help.rules"), "span-12", this.rules), panel(t("help.metrics"), "span-12", this.metrics)));
  }

  async show() {
    if (this.#metrics.length) return;
    try {
      const [metrics, rules] = await Promise.all([get("/api/help"), get("/api/rules")]);
      this.#metrics = Object.entries(metrics).sort(([a], [b]) => (a < b ? -1 : 1));
      this.#rules = Object.entries(rules).sort(([, a], [, b]) => (a.title < b.title ? -1 : 1));
      this.#draw();
    } catch (problem) {
      toast(problem.message, "error");
    }
  }

  hide() {}

  focusFilter() {
    this.search.focus();
  }

  #draw() {
    const words = this.search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const has = (...texts) => words.every((word) => texts.some((text) => text?.toLowerCase().includes(word)));
    const metrics = this.#metrics.filter(([name, text]) => has(name.replaceAll("_", " "), name, text));
    const rules = this.#rules.filter(([name, one]) => has(name, one.title, one.means, one.normal, one.advice, one.mitre));
    this.brief.hidden = words.length > 0;
    this.none.hidden = metrics.length + rules.length > 0;
    this.metrics.closest(".panel").hidden = !metrics.length;
    this.rules.closest(".panel").hidden = !rules.length;
    fill(this.metrics, metrics.map(([name, text]) => [h("dt", {}, h("code", {}, name)), h("dd", {}, text)]));
    fill(this.rules, rules.map(([name, one]) => h("details", {},
      h("summary", {}, one.title, h("code", {}, name)),
      [["alert.means", one.means], ["alert.normal", one.normal], ["alert.advice", one.advice], ["alert.technique", one.mitre]].filter(([, text]) => text).map(([key, text]) => h("p", {}, h("b", {}, `${t(key)}: `), text)))));
  }
}
