/** What wants a look first: the score with open alerts by severity, the programs with most traffic, and the names met least often. */

import { get } from "../api.js";
import { summary } from "../data/alerts.js";
import { Poll } from "../data/poll.js";
import { h, setData, setText } from "../dom.js";
import * as format from "../format.js";
import { panel } from "../parts/panel.js";
import { Ranked } from "../parts/ranked.js";
import { term } from "../query.js";
import { address } from "../router.js";
import { t } from "../strings.js";

const TOP = 8;
const SEVERITIES = ["critical", "high", "medium", "low"];
const RULES = 4;

const all = (name, text) => h("a.plain", { href: address(name) }, text);

export class AttentionPanels {
  #unwatch = null;

  constructor() {
    this.score = h("b.score");
    this.verdict = h("p");
    this.severities = Object.fromEntries(SEVERITIES.map((name) => [name, h("b")]));
    this.rules = new Ranked({ headings: [t("security.rule"), t("security.alerts")], narrow: [1], none: t("security.none") });
    const cell = (name) => h("a", { href: address("alerts", { q: `severity:${name}` }), data: { severity: name } }, this.severities[name], h("span", {}, t(`alert.severity.${name}`)));
    this.programs = new Ranked({ headings: [t("programs.program"), t("column.sent"), t("column.received")] });
    this.names = new Ranked({ headings: [t("rare.name"), t("rare.times"), t("rare.last")], narrow: [1], none: t("rare.none") });
    this.noPrograms = h("p.faint", { hidden: true });
    this.elements = [
      panel(t("panel.security"), "span-4", [h("div.security", {}, this.score, this.verdict), h("div.severities", {}, SEVERITIES.map(cell)), this.rules.element], { help: "security_score", aside: all("alerts", t("security.all")) }),
      panel(t("panel.programs"), "span-4", [this.programs.element, this.noPrograms], { aside: all("programs", t("programs.all")) }),
      panel(t("panel.rare"), "span-4", this.names.element, { help: "rare_names", aside: all("dns", t("rare.all")) }),
    ];
    this.elements[0].id = "security";
    this.polls = [
      new Poll({ path: "/api/programs", seconds: 5, onAnswer: (found) => this.#drawPrograms(found) }),
      new Poll({ path: "/api/rare_names", seconds: 10, onAnswer: (found) => this.#drawNames(found.names) }),
    ];
  }

  show() {
    for (const poll of this.polls) poll.start({ limit: TOP });
    this.#unwatch = summary.watch((state) => this.#drawAlerts(state));
  }

  hide() {
    for (const poll of this.polls) poll.stop();
    this.#unwatch?.();
  }

  async #drawAlerts(state) {
    const open = state?.by_severity ?? {};
    for (const name of SEVERITIES) {
      setText(this.severities[name], format.count(open[name] ?? 0));
      setData(this.severities[name].parentElement, "some", (open[name] ?? 0) > 0);
    }
    const rules = Object.entries(state?.by_rule ?? {}).sort((a, b) => b[1] - a[1]).slice(0, RULES);
    this.rules.set(rules.map(([rule, alerts]) => ({
      name: rule.replaceAll("_", " "),
      link: address("alerts", { q: `rule:=${rule}` }),
      values: [format.count(alerts)],
      part: alerts / rules[0][1],
    })));
    try {
      const { security_score: score, verdict } = await get("/api/security");
      setText(this.score, score === null ? format.NONE : String(score));
      setData(this.score, "tone", score === null ? null : score < 50 ? "bad" : score < 80 ? "warn" : "good");
      setText(this.verdict, verdict);
    } catch {
      // the banner says that the server is away
    }
  }

  #drawPrograms({ programs, attribution }) {
    const most = Math.max(1, ...programs.map((one) => one.bytes));
    this.programs.element.hidden = !programs.length;
    this.noPrograms.hidden = programs.length > 0;
    setText(this.noPrograms, Object.values(attribution.why_not ?? {})[0] ?? attribution.unknown?.[0]?.text ?? t("programs.empty.title"));
    this.programs.set(programs.map((one) => ({
      name: one.app_name,
      tip: one.app_path,
      link: address("connections", { q: term("app_name", one.app_name) }),
      values: [format.bytes(one.bytes_sent), format.bytes(one.bytes_recv)],
      part: one.bytes / most,
    })));
  }

  #drawNames(names) {
    this.names.set(names.map((one) => ({
      name: one.name,
      tip: t("rare.tip", { name: one.name, asked: one.asked, contacted: one.contacted }),
      link: one.asked ? address("dns", { q: term("query", one.name) }) : address("connections", { q: term("server_name", one.name) }),
      values: [format.count(one.asked + one.contacted), format.timeOfDay(one.last_seen, false)],
      part: 0,
    })));
  }
}
