/** Alerts: the score with its arithmetic, open ones by severity, and the list to work through. */

import { get, inSession, query } from "../api.js";
import { AlertList, summary } from "../data/alerts.js";
import { fill, h, icon, setText } from "../dom.js";
import * as format from "../format.js";
import { t } from "../strings.js";
import { COLUMNS, NARROW_COLUMNS } from "./alert_columns.js";
import { AlertDetails } from "./alert_details.js";
import { showMutes } from "./alert_mutes.js";
import { LogView } from "./log_view.js";

const NARROW = matchMedia("(max-width: 720px)");
const fitting = () => (NARROW.matches ? NARROW_COLUMNS : COLUMNS);
const SEVERITIES = ["critical", "high", "medium", "low"];

export class AlertsView extends LogView {
  answersPast = true;
  #unwatch = null;

  constructor() {
    const data = new AlertList();
    const figures = new Figures((severity) => this.filter.set(`severity:${severity}`));
    super({
      name: "alerts",
      data,
      columns: fitting(),
      details: new AlertDetails({ onTerm: (term, exclude) => this.addTerm(term, exclude), onClose: () => this.closed(), onChange: () => data.reload() }),
      above: figures.element,
    });
    this.figures = figures;
    this.element.classList.add("view-fill-4");
    this.showMuted = h("button.btn", { type: "button", id: "alerts-muted", "aria-pressed": "false", onclick: () => this.#toggleMuted(), "aria-label": t("alerts.withMuted") }, icon("sliders", "icon-sm"), h("span.label", {}, t("alerts.withMuted")));
    this.rules = h("button.btn", { type: "button", id: "alerts-rules", "aria-label": t("mute.all"), onclick: () => showMutes(() => data.reload()) }, icon("minus", "icon-sm"), h("span.label", {}, t("mute.all")));
    this.report = h("a.btn.end", { id: "alerts-report", target: "_blank", rel: "noopener", onclick: () => this.#address() }, icon("download"), h("span.label", {}, t("alerts.report")));
    this.element.firstElementChild.append(this.report);
    this.#address();
    this.filter.element.append(this.showMuted, this.rules);
    NARROW.addEventListener("change", () => this.table.setColumns(fitting()));
  }

  show(parameters) {
    super.show(parameters);
    this.#unwatch = summary.watch((state) => this.figures.set(state));
    this.figures.refresh();
  }

  hide() {
    super.hide();
    this.#unwatch?.();
  }

  /** The report has the alerts that the list has now. */
  #address() {
    this.report.href = inSession(`/api/security/report${query({ q: this.filter.value, muted: this.data.withMuted ? 1 : null })}`);
  }

  #toggleMuted() {
    this.data.withMuted = !this.data.withMuted;
    this.showMuted.setAttribute("aria-pressed", String(this.data.withMuted));
    this.data.reload();
  }
}

class Figures {
  constructor(onSeverity) {
    this.score = { value: h("b"), note: h("small") };
    this.cells = Object.fromEntries(SEVERITIES.map((name) => [name, h("b")]));
    this.why = h("button.btn.btn-quiet.btn-sm", { type: "button", "aria-expanded": "false", id: "score-why", onclick: () => this.#toggle() }, t("score.why"));
    this.arithmetic = h("div.panel.score-arithmetic", { hidden: true });
    const cell = (name) => h("div", { data: { name } }, h("dt", {}, t(`alert.severity.${name}`)), h("dd", {}, h("button.plain-number", { type: "button", onclick: () => onSeverity(name) }, this.cells[name])));
    this.element = h("div.alert-figures", {},
      h("dl.strip.panel", {}, h("div", { data: { name: "score", help: "security_score" } }, h("dt", {}, t("score.title")), h("dd", {}, this.score.value, this.score.note, this.why)), SEVERITIES.map(cell)),
      this.arithmetic);
  }

  set(state) {
    for (const name of SEVERITIES) {
      const count = state?.by_severity?.[name] ?? 0;
      setText(this.cells[name], format.count(count));
      this.cells[name].parentElement.setAttribute("aria-label", `${format.count(count)}: ${t("alerts.only", { severity: t(`alert.severity.${name}`) })}`);
      if (count && name !== "low") this.cells[name].dataset.tone = name === "medium" ? "warn" : "bad";
      else delete this.cells[name].dataset.tone;
    }
    this.refresh();
  }

  async refresh() {
    try {
      this.security = await get("/api/security");
    } catch {
      return; // the banner says that the server is away
    }
    const { security_score: score, verdict } = this.security;
    setText(this.score.value, score === null ? format.NONE : String(score));
    setText(this.score.note, verdict);
    if (score !== null && score < 50) this.score.value.dataset.tone = "bad";
    else if (score !== null && score < 80) this.score.value.dataset.tone = "warn";
    else delete this.score.value.dataset.tone;
    if (!this.arithmetic.hidden) this.#draw();
  }

  #toggle() {
    this.arithmetic.hidden = !this.arithmetic.hidden;
    this.why.setAttribute("aria-expanded", String(!this.arithmetic.hidden));
    this.#draw();
  }

  #draw() {
    const { penalties = [], arithmetic = "", not_seen: lost = {} } = this.security ?? {};
    const rows = penalties.map((one) => h("tr", {}, h("td.mono", {}, one.rule), h("td", {}, t(`alert.severity.${one.severity}`)), h("td", {}, format.count(one.alerts)), h("td", {}, `−${format.decimal(one.penalty)}`)));
    const unseen = Object.entries(lost).map(([name, count]) => `${name.replaceAll("_", " ")} ${format.short(count)}`);
    fill(this.arithmetic,
      h("p", {}, arithmetic),
      rows.length ? h("table.records", {}, h("thead", {}, h("tr", {}, ["score.rule", "acol.severity", "score.alerts", "score.penalty"].map((key) => h("th", { scope: "col" }, t(key))))), h("tbody", {}, rows)) : h("p.faint", {}, t("score.nothing")),
      unseen.length ? h("p.faint", {}, t("score.notSeen", { list: unseen.join(", ") })) : null);
  }
}
