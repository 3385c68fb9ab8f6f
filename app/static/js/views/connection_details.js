/** One connection in the drawer: every field with its help, values that filter, the way to its packets. */

import { download, get, query } from "../api.js";
import * as session from "../data/session.js";
import { h, icon, refill, setText } from "../dom.js";
import { NONE } from "../format.js";
import { copy, toast } from "../parts/floating.js";
import { followable } from "../parts/pivots.js";
import { openDrawer } from "../parts/overlay.js";
import { address } from "../router.js";
import { has, t } from "../strings.js";
import { GROUPS, shown, termFor } from "./connection_columns.js";
import { factSections, loginWarning } from "./connection_facts.js";
import { PROCESS_KEYS, processSection } from "./connection_process.js";

const EXPLAIN_KEY = "netglass.explain";
const FACTS_AFTER = 2; // groups: who and what come first
const IN_TLS = ["tls_version", "alpn", "ja3", "ja4"]; // of the section about TLS, where there is one
const IN_PROCESS = ["app_name", "pid"];
const HIDDEN = ["key", "rate", "touched", "flow_id", "community_id"];

export class ConnectionDetails {
  #row = null;
  #cells = new Map();

  constructor({ onTerm, onClose }) {
    this.onTerm = onTerm;
    this.onClose = onClose;
  }

  get flowId() {
    return this.#row?.flow_id ?? null;
  }

  open(row) {
    this.#row = row;
    this.found = null;
    this.facts = h("div.facts");
    this.drawer = openDrawer({
      label: "connection",
      title: row.server_name ?? row.hostname ?? row.remote_address ?? t("details.flow", { id: String(row.flow_id) }),
      subtitle: subtitle(row),
      actions: this.#actions(row),
      body: this.facts,
      onClose: () => {
        this.#row = null;
        this.onClose();
      },
    });
    this.#draw();
    if (row.run === undefined) this.#loadAll(row.flow_id); // of a connection of the past all that was kept is in its row
  }

  /** The live table has a newer row. */
  update(row) {
    if (!this.#row || !row || row.flow_id !== this.#row.flow_id) return;
    const learnt = Object.keys(row).some((key) => !this.#isKnown(key) && shown(key, row[key]) !== null);
    const named = row.app_name && !this.#row.app_name; // the rest of what is known of the program is not among the table's columns
    Object.assign(this.#row, row);
    if (learnt) {
      this.#draw();
      if (named) this.#loadAll(row.flow_id);
      return;
    }
    for (const [key, cell] of this.#cells) setText(cell, shown(key, this.#row[key]) ?? t("details.unknown")); // a cell may be the text inside a button
  }

  /** The table carries only its own columns; the rest is asked for once. */
  async #loadAll(flowId) {
    try {
      const { connection, ...found } = await get(`/api/connections/${flowId}`);
      if (this.#row?.flow_id === flowId) {
        this.#row = { ...connection, ...held(this.#row) }; // the table's own columns may be newer by now
        this.found = found;
        this.#draw();
      }
    } catch (problem) {
      toast(problem.message, "error");
    }
  }

  #actions(row) {
    const explain = h("button.btn.btn-sm", { type: "button", "aria-pressed": String(explained()), onclick: () => {
      localStorage.setItem(EXPLAIN_KEY, explained() ? "0" : "1");
      explain.setAttribute("aria-pressed", String(explained()));
      this.#draw();
    } }, icon("help", "icon-sm"), t("details.explain"));
    const save = async () => {
      try {
        await download(`/api/export/pcap${query({ flow: row.flow_id })}`, `flow-${row.flow_id}.pcap`);
      } catch (problem) {
        toast(problem.message, "error");
      }
    };
    return [
      h("a.btn.btn-sm", { href: address("packets", { q: `flow_id:${row.flow_id}` }) }, icon("packets", "icon-sm"), t("details.packets")),
      h("button.btn.btn-sm", { type: "button", onclick: save }, icon("download", "icon-sm"), t("details.pcap")),
      explain,
    ];
  }

  #draw() {
    this.#cells.clear();
    const row = this.#row;
    const listed = new Set([...GROUPS.flatMap(([, keys]) => keys), ...PROCESS_KEYS]);
    const rest = ["flow_id", "community_id", ...Object.keys(row).filter((key) => !listed.has(key) && !HIDDEN.includes(key))];
    const process = processSection(row);
    const told = [...(this.found?.tls?.length ? IN_TLS : []), ...(process && row.app_name ? IN_PROCESS : [])];
    const groups = [...GROUPS, ["other", rest]].map(([group, keys]) => this.#group(group, keys.filter((key) => key in row && !told.includes(key))));
    refill(this.facts, loginWarning(this.found), process, groups.slice(0, FACTS_AFTER), factSections(this.found), groups.slice(FACTS_AFTER));
  }

  #group(group, keys) {
    if (!keys.length) return null;
    const list = (some) => h("dl", {}, some.map((key) => [h("dt", {}, label(key)), this.#value(key)]));
    const known = keys.filter((key) => this.#isKnown(key));
    const unknown = keys.filter((key) => !this.#isKnown(key));
    return h("section", {}, h("h3", {}, t(`details.${group}`)),
      known.length ? list(known) : null,
      unknown.length ? h("details", { data: { fold: group } }, h("summary", {}, t("details.unknownFields", { n: unknown.length })), list(unknown)) : null);
  }

  #isKnown(key) {
    return shown(key, this.#row[key]) !== null;
  }

  #value(key) {
    const text = shown(key, this.#row[key]);
    const term = text === null ? null : termFor(key, this.#row);
    const value = term ? followable(text, term, { onTerm: this.onTerm, mono: MONO.includes(key) }) : h(text === null ? "span.faint" : MONO.includes(key) ? "span.mono" : "span", {}, text ?? t("details.unknown"));
    this.#cells.set(key, term ? value.firstChild : value);
    const act = (iconName, name, run) => h("button.help", { type: "button", "aria-label": `${t(name)}: ${text}`, data: { tip: t(name) }, onclick: run }, icon(iconName));
    const acts = text === null ? null : h("span.acts", {},
      term ? [act("plus", "action.include", () => this.onTerm(term, false)), act("minus", "action.exclude", () => this.onTerm(term, true))] : null,
      act("copy", "action.copy", () => copy(String(this.#row[key]))));
    const help = explained() ? session.explain(key) : null;
    return h("dd", {}, value, acts, help ? h("p.explain", {}, help) : null);
  }
}

/** What is known of a row: an answer may know more, but nothing newer. */
const held = (row) => Object.fromEntries(Object.entries(row).filter(([, value]) => value !== null && value !== undefined));

const MONO = ["remote_address", "local_address", "community_id", "history", "app_path", "alpn", "ja3", "ja4"];
const explained = () => localStorage.getItem(EXPLAIN_KEY) === "1";

function label(key) {
  const name = has(`field.${key}`) ? t(`field.${key}`) : key.replaceAll("_", " ").replace(/^./, (letter) => letter.toUpperCase());
  return h("span", { data: { help: key }, tabindex: "0" }, name);
}

function subtitle(row) {
  return [row.protocol?.toUpperCase(), row.application ?? row.detailed_protocol ?? row.service, `${row.local_address ?? NONE} ↔ ${row.remote_address ?? NONE}`].filter(Boolean).join(" · ");
}
