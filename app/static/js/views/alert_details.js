/** One alert in the drawer: why, how sure, who, what to do about it, the packets behind it, and what people say of it. */

import { download, get, post } from "../api.js";
import { refreshSummary } from "../data/alerts.js";
import { fill, h, icon } from "../dom.js";
import * as format from "../format.js";
import { toast } from "../parts/floating.js";
import { followable } from "../parts/pivots.js";
import { openDrawer } from "../parts/overlay.js";
import { term } from "../query.js";
import { address } from "../router.js";
import { t } from "../strings.js";
import { severityText, severityTone } from "./alert_columns.js";
import { Judgement } from "./alert_judgement.js";
import { askMute } from "./alert_mutes.js";
import { definitions, section } from "./facts.js";

export class AlertDetails {
  #drawer = null;
  #asked = 0;

  constructor({ onTerm, onClose, onChange }) {
    Object.assign(this, { onTerm, onClose, onChange });
  }

  open(row) {
    this.result = h("p.alert-result", { role: "status", hidden: true });
    this.judgement = new Judgement(row, (alert) => {
      this.#complete(alert);
      this.#changed();
    });
    this.why = h("div.facts");
    this.more = h("div.facts");
    this.#draw(row);
    this.#drawer = openDrawer({
      label: "alert",
      title: row.title,
      subtitle: t("alert.seen", { from: format.dateTime(row.first_seen), to: format.dateTime(row.last_seen), n: row.count }),
      extra: h("div.packet-brief", {}, h(`span.tag.tag-${severityTone(row)}`, {}, severityText(row)), h("span.tag", {}, t("alert.sure", { value: format.percent(row.confidence, 0) })), row.mitre ? h("span.tag", {}, row.mitre) : null),
      actions: this.#actions(row),
      body: h("div.facts", {}, this.why, this.judgement.element, this.more),
      onClose: () => {
        this.#drawer = null;
        this.onClose();
      },
    });
    this.#complete(row);
  }

  /** The list knows less of an alert than the alert itself. Of several answers the one that was asked for last is shown. */
  async #complete(row) {
    const asked = (this.#asked += 1);
    const drawer = this.#drawer;
    const [alert, about] = await Promise.all([get(`/api/alerts/${row.id}`).catch(() => row), rule(row.rule)]);
    if (asked !== this.#asked || drawer !== this.#drawer || !drawer) return;
    this.judgement.set(alert);
    this.#draw(alert, about);
  }

  #actions(row) {
    const flows = row.flow_ids?.length ? h("a.btn.btn-sm", { href: address("connections", { q: row.flow_ids.slice(0, 20).map((id) => term("flow_id", id)).join(" OR ") }) }, icon("connections", "icon-sm"), t("alert.flows", { n: row.flow_ids.length })) : null;
    return [
      h("button.btn.btn-sm", { type: "button", id: "alert-packets", onclick: () => this.#save(row) }, icon("download", "icon-sm"), t("alert.packets")),
      h("button.btn.btn-sm", { type: "button", id: "alert-again", onclick: (event) => this.#again(row, event.currentTarget) }, icon("play", "icon-sm"), t("alert.reproduce")),
      flows,
      h("button.btn.btn-sm", { type: "button", id: "alert-mute", onclick: () => askMute(row, () => this.#changed()) }, icon("minus", "icon-sm"), t("alert.mute")),
    ];
  }

  /** What stands above and below the judgement; that, and what reproducing said, stay as the reader has them. */
  #draw(alert, about = null) {
    fill(this.why, h("section", {}, h("h3", {}, t("alert.why")), h("p.alert-reason", {}, alert.reason), this.result, this.#measure(alert)));
    fill(this.more,
      section(t("alert.who"), {}, this.#who(alert)),
      about ? section(t("alert.about"), {}, definitions([[t("alert.means"), about.means], [t("alert.normal"), about.normal], [t("alert.advice"), about.advice], [t("alert.technique"), about.mitre]])) : null,
      this.#evidence(alert),
      this.#further(alert));
  }

  #measure(alert) {
    if (alert.measured === null || alert.measured === undefined) return null;
    const unit = alert.unit ? ` ${alert.unit}` : "";
    return definitions([[t("alert.measured"), `${format.decimal(alert.measured)}${unit}`], [t("alert.limit"), alert.threshold === null ? null : `${format.decimal(alert.threshold)}${unit}`]]);
  }

  #who(alert) {
    const own = (field, value, mono = true) => followable(value, { field, value }, { onTerm: this.onTerm, mono });
    return definitions([
      [t("acol.source"), own("source", alert.source)],
      [t("acol.target"), own("target", alert.target)],
      [t("acol.program"), alert.app_name ? h("span", {}, own("app", alert.app_name, false), alert.pid ? ` (${alert.pid})` : "") : null],
      [t("alert.parents"), alert.parents],
      [t("alert.path"), alert.app_path, { mono: true }],
      [t("alert.country"), alert.country ? h("span", {}, alert.city ? `${alert.city}, ` : "", followable(alert.country, { field: "country", value: alert.country })) : alert.city],
      [t("alert.protocol"), followable(alert.protocol, { field: "protocol", value: alert.protocol })],
      [t("alert.rule"), own("rule", alert.rule)],
      [t("alert.traffic"), alert.bytes_sent === null ? null : t("alert.sentReceived", { sent: format.bytes(alert.bytes_sent), received: format.bytes(alert.bytes_recv) })],
    ]);
  }

  #evidence(alert) {
    const packets = alert.evidence_packets ?? [];
    const file = alert.evidence_file;
    const said = file === undefined ? null : file ? t(file.complete === false ? "alert.fileIncomplete" : "alert.file", { n: file.packets ?? 0 }) : t("alert.noFile");
    const list = packets.length ? h("p", {}, packets.slice(0, 12).map((one) => h("a.tag.mono", { href: address("packets", { q: term("id", one.packet) }) }, String(one.packet)))) : null;
    return section(t("alert.evidence"), { count: packets.length || null }, said ? h("p.faint", {}, said) : null, list);
  }

  #further(alert) {
    const plain = (value) => (value === null || value === undefined ? null : typeof value === "object" ? JSON.stringify(value) : String(value));
    const details = Object.entries(alert.details ?? {}).map(([name, value]) => [name.replaceAll("_", " "), plain(value)]);
    const lost = Object.entries(alert.not_seen ?? {}).map(([name, value]) => [name.replaceAll("_", " "), format.count(value)]);
    return [
      details.length ? section(t("alert.details"), {}, definitions(details)) : null,
      lost.length ? section(t("alert.notSeen"), {}, h("p.faint", {}, t("alert.notSeenWhy")), definitions(lost)) : null,
    ];
  }

  #changed() {
    refreshSummary();
    this.onChange();
  }

  async #save(row) {
    try {
      await download(`/api/alerts/${row.id}/pcap`, `netglass-alert-${row.id}.pcapng`);
    } catch (problem) {
      this.#say(problem.message, "warn");
    }
  }

  async #again(row, button) {
    button.disabled = true;
    this.#say(t("alert.reproducing"), null);
    try {
      const found = await post(`/api/alerts/${row.id}/reproduce`);
      const differs = Object.keys(found.differences);
      const text = !found.reproduced ? t("alert.notAgain", { others: found.others.join(", ") || "–" }) : differs.length ? t("alert.againDiffers", { what: differs.join(", ") }) : t("alert.again");
      this.#say(text, found.reproduced ? "good" : "warn");
    } catch (problem) {
      this.#say(problem.message, "warn");
    }
    button.disabled = false;
  }

  #say(text, tone) {
    this.result.hidden = false;
    fill(this.result, text);
    if (tone) this.result.dataset.tone = tone;
    else delete this.result.dataset.tone;
  }
}

let rules = null;

/** What a rule means, what is normal and what to do; null where the server does not say. */
async function rule(name) {
  rules ??= get("/api/rules").catch(() => ({}));
  return (await rules)[name] ?? null;
}
