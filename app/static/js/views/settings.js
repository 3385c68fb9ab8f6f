/** Settings & health: what is on and what is not with the reason, everything that was lost, memory, settings, versions and licences. */

import { get } from "../api.js";
import * as session from "../data/session.js";
import { fill, h } from "../dom.js";
import * as format from "../format.js";
import { credit } from "../parts/credit.js";
import { panel } from "../parts/panel.js";
import { toast } from "../parts/floating.js";
import { t } from "../strings.js";

const SECONDS = 5;
const QUESTIONS = { settings: "/api/settings", stats: "/api/stats", alerts: "/api/alert_summary", history: "/api/history", capture: "/api/capture" };

export class SettingsView {
  timeless = true;
  #timer = null;
  #round = 0;

  constructor() {
    this.states = h("ul.state-list");
    this.losses = h("ul.state-list");
    this.processes = h("tbody");
    this.settings = h("tbody");
    this.packages = h("tbody");
    const table = (body, ...keys) => h("table.plain-table", {}, h("thead", {}, h("tr", {}, keys.map((key) => h("th", { scope: "col" }, t(key))))), body);
    this.element = h("div.view", { id: "settings" },
      h("div.view-head", {}, h("h1", {}, t("settings.title"))),
      h("div.grid", {},
        panel(t("settings.on"), "span-8", this.states),
        panel(t("settings.processes"), "span-4", table(this.processes, "settings.process", "settings.pid", "settings.memory")),
        panel(t("settings.losses"), "span-12", [h("p.note", {}, t("settings.lossesNote")), this.losses]),
        panel(t("settings.all"), "span-12", [h("p.note", {}, t("settings.allNote")), table(this.settings, "settings.name", "settings.value", "settings.means")]),
        panel(t("settings.made"), "span-12", table(this.packages, "settings.name", "settings.version", "settings.licence"), { aside: credit() })));
  }

  show() {
    this.#ask((this.#round += 1), true);
  }

  hide() {
    this.#round += 1;
    clearTimeout(this.#timer);
  }

  async #ask(round, first) {
    const names = Object.keys(QUESTIONS);
    try {
      const [about, programs, ...answers] = await Promise.all([get("/api/about"), get("/api/programs", { limit: 1 }), ...names.map((name) => get(QUESTIONS[name]))]);
      if (round !== this.#round) return;
      const found = Object.fromEntries(names.map((name, i) => [name, answers[i]]));
      this.#draw({ ...found, attribution: programs.attribution, about }, first);
    } catch (problem) {
      if (first && round === this.#round) toast(problem.message, "error");
    }
    if (round === this.#round) this.#timer = setTimeout(() => this.#ask(round, false), SECONDS * 1000);
  }

  #draw({ settings, stats, alerts, history, capture, attribution, about }, first) {
    fill(this.states, states({ settings, stats, alerts, history, capture, attribution }));
    fill(this.losses, lossRows(stats, alerts.detection));
    fill(this.processes, about.processes.map((one) => h("tr", {}, h("td", {}, one.name), h("td", {}, String(one.pid)), h("td", {}, format.bytes(one.rss_bytes)))));
    if (!first) return; // these do not change while the program runs
    fill(this.settings, settings.map((one) => h("tr", {},
      h("td.mono", {}, one.name),
      h("td", {}, shown(one.value), String(one.value) === String(one.default) ? null : [" ", h("span.tag.tag-accent", {}, t("settings.changed"))]),
      h("td", {}, one.help))));
    const made = [{ name: "Python", version: about.python, licence: "PSF-2.0" }, ...about.packages, ...about.files.map((one) => ({ ...one, name: `${one.file} – ${one.package}` }))];
    fill(this.packages, made.map((one) => h("tr", {}, h("td", {}, one.name), h("td", {}, one.version ?? (one.file ? "" : t("settings.notInstalled"))), h("td", {}, one.licence ?? format.NONE))));
  }
}

const shown = (value) => (value === null || value === "" || (Array.isArray(value) && !value.length) ? format.NONE : Array.isArray(value) ? value.join(", ") : String(value));

/** `state`: "yes", "no" or "trouble". */
function state(name, state, text) {
  const tone = { yes: "tag-good", no: "", trouble: "tag-warn" }[state];
  return h("li", {}, h("b", {}, name), h(tone ? `span.tag.${tone}` : "span.tag", {}, t(`settings.on.${state}`)), h("p", {}, text || ""));
}

const joined = (...parts) => parts.filter(Boolean).join(" · ");

function states({ settings, stats, alerts, history, capture, attribution }) {
  const running = ["running", "replaying", "starting"].includes(capture.state);
  const { insight = null, sensor = null } = stats;
  const { detection, evidence, outputs } = alerts;
  const failed = Object.keys(detection?.failures ?? {});
  const off = detection?.switched_off ?? [];
  const whyNot = Object.entries(attribution.why_not ?? {}).map(([name, why]) => name === "all" ? why : t("settings.notUsed", { name, why }));
  return [
    state(t("settings.capture"), capture.state === "failed" ? "trouble" : running ? "yes" : "no", joined(capture.state, capture.backend, capture.message, capture.can_capture ? null : capture.why_not)),
    state(t("settings.sensor"), sensor?.state === "connected" ? "yes" : "trouble", joined(sensor?.state, t("settings.sensorText", { n: sensor?.restarts ?? 0 }), sensor?.message)),
    state(t("settings.engine"), "yes", insight?.engine === "ndpi" ? t("settings.engineNdpi", { version: insight.engine_version ?? "" }) : joined(t("engine.content"), insight?.engine_why_not)),
    state(t("settings.programs"), attribution.methods.length ? "yes" : "no", joined(...attribution.methods.map((one) => one.meaning), ...whyNot)),
    ...settings.filter((one) => one.status).map((one) => state(one.name, stateOf(one.status), one.status.text ?? one.status.problem ?? joined(one.status.database, one.status.systems))),
    state(t("settings.detection"), off.length || failed.length ? "trouble" : detection?.detectors ? "yes" : "no", joined(t("settings.detectionText", { n: detection?.detectors ?? 0 }), off.length ? t("settings.switchedOff", { list: off.join(", ") }) : null, failed.join(", "))),
    state(t("settings.evidence"), evidence?.error ? "trouble" : evidence?.limit_bytes ? "yes" : "no", joined(t("settings.evidenceText", { n: evidence?.files ?? 0, used: format.bytes(evidence?.bytes), most: format.bytes(evidence?.limit_bytes) }), evidence?.error)),
    ...(outputs.length ? outputs.map((one) => state(t("settings.output", { name: one.name }), one.last_error ? "trouble" : "yes", joined(t("settings.outputText", one), one.last_error))) : [state(t("settings.outputs"), "no", t("settings.noOutputs"))]),
    state(t("settings.history"), history.problem ? "trouble" : history.enabled ? "yes" : "no", history.enabled ? joined(t("settings.historyText", { used: format.bytes(history.used_bytes), most: format.bytes(history.max_bytes), days: history.days }), history.problem) : t("settings.historyOff")),
  ];
}

const stateOf = (status) => (status.state === "off" ? "no" : status.problem || ["failed", "limited", "refused"].includes(status.state) ? "trouble" : "yes");

/** Every count of what is not in the other figures, with what it means. */
function lossRows(stats, detection) {
  const { undecoded = {}, ...losses } = stats.losses ?? {};
  const sum = Object.values(undecoded).reduce((all, n) => all + n, 0);
  const counts = { ...losses, undecoded: sum, flows_not_shown: detection?.flows_not_shown, state_lost: detection?.state_lost };
  const reasons = Object.entries(undecoded).map(([name, n]) => `${name.replaceAll("_", " ")} ${format.count(n)}`).join(", ");
  return Object.entries(counts).map(([name, n]) => h("li", {},
    h("b", {}, name.replaceAll("_", " ")),
    h("span.number", { data: { some: n > 0 } }, n === null || n === undefined ? format.NONE : format.count(n)),
    h("p", {}, joined(session.explain(name), name === "undecoded" ? reasons : null))));
}
