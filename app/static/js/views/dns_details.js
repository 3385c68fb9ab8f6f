/** One DNS query in the drawer: who asked whom, what came back with how long it holds, and the flow it travelled in. */

import { h, icon } from "../dom.js";
import * as format from "../format.js";
import { openDrawer } from "../parts/overlay.js";
import { followable } from "../parts/pivots.js";
import { address } from "../router.js";
import { t } from "../strings.js";
import { term } from "../query.js";
import { answersOf, isUnanswered, kindOnly, rcodeText, rcodeTone } from "./dns_columns.js";
import { definitions } from "./facts.js";

export class DnsDetails {
  constructor({ onTerm, onClose }) {
    this.onTerm = onTerm;
    this.onClose = onClose;
  }

  open(row) {
    const answers = answersOf(row);
    openDrawer({
      label: "dns",
      title: row.query || t("dns.root"),
      subtitle: [row.type, format.dateTime(row.timestamp)].filter(Boolean).join(" · "),
      extra: h("div.packet-brief", {}, h(`span.tag.tag-${rcodeTone(row)}`, {}, rcodeText(row)), row.kind && row.kind !== "dns" ? h("span.tag", {}, row.kind) : null),
      actions: [this.#flowLink(row), this.#only(t("dns.sameName"), "query", row.query), this.#only(t("dns.sameClient"), "client", row.client)],
      body: h("div.facts", {}, h("section", {}, h("h3", {}, t("dns.exchange")), this.#exchange(row)), answerSection(row, answers)),
      onClose: () => this.onClose(),
    });
  }

  #flowLink(row) {
    if (row.flow_id === null || row.flow_id === undefined) return null;
    return h("a.btn.btn-sm", { href: address("connections", { q: term("flow_id", row.flow_id) }) }, icon("connections", "icon-sm"), t("dns.flow"));
  }

  #only(label, field, value) {
    if (!value) return null;
    return h("button.btn.btn-sm", { type: "button", onclick: () => this.onTerm({ field, value }, false) }, icon("plus", "icon-sm"), label);
  }

  #exchange(row) {
    return definitions([
      [t("dcol.query"), followable(row.query, { field: "query", value: row.query }, { onTerm: this.onTerm })],
      [t("dcol.client"), followable(row.client, { field: "client", value: row.client }, { onTerm: this.onTerm, mono: true })],
      [t("dcol.server"), followable(row.server, { field: "server", value: row.server }, { onTerm: this.onTerm, mono: true })],
      [t("dcol.time"), format.exactTime(row.timestamp)],
      [t("dcol.latency"), row.latency_ms === null || row.latency_ms === undefined ? null : format.milliseconds(row.latency_ms)],
      [t("dns.transport"), t("dns.over", { kind: kindOnly(row), transport: (row.transport ?? "udp").toUpperCase() })],
    ]);
  }
}

function answerSection(row, answers) {
  const heading = h("h3", {}, t("dcol.answers"), answers.length ? h("span.tag", {}, format.count(answers.length)) : null);
  if (!answers.length) return h("section", {}, heading, h("p.faint", {}, t(isUnanswered(row) ? "dns.nobody" : "dns.noRecords")));
  const timed = answers.some((answer) => answer.ttl !== null && answer.ttl !== undefined);
  const record = (answer) => h("tr", {}, h("td", {}, h("span.tag", {}, answer.type ?? format.NONE)), h("td.mono", {}, followable(answer.value, { field: ["A", "AAAA"].includes(answer.type) ? "ip" : "query", value: answer.value }, { mono: true })), timed ? h("td", {}, format.span(answer.ttl)) : null);
  const heads = [t("dcol.type"), t("dns.value"), timed ? t("dns.ttl") : null].filter(Boolean);
  const shortest = !timed && row.ttl !== null && row.ttl !== undefined ? h("p.faint", {}, t(answers.length > 1 ? "dns.shortest" : "dns.holds", { value: format.span(row.ttl) })) : null;
  return h("section", {}, heading, h("table.records", {}, h("thead", {}, h("tr", {}, heads.map((text) => h("th", { scope: "col" }, text)))), h("tbody", {}, answers.map(record))), shortest);
}
