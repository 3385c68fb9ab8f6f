/** One host in the drawer: who, where, its names, what it does, with whom, and the way to its connections. */

import { get } from "../api.js";
import { fill, h, icon } from "../dom.js";
import * as format from "../format.js";
import { toast } from "../parts/floating.js";
import { followable } from "../parts/pivots.js";
import { openDrawer } from "../parts/overlay.js";
import { credit } from "../parts/credit.js";
import { term } from "../query.js";
import { address as link } from "../router.js";
import { has, t } from "../strings.js";
import { definitions, mark, section } from "./facts.js";
import { scopeName } from "./world.js";

const FIRST = 20;
const source = (name) => (has(`source.${name}`) ? t(`source.${name}`) : name);

export class HostDetails {
  #address = null;

  constructor({ onClose, onOpen, onTerm }) {
    this.onTerm = onTerm;
    this.onClose = onClose;
    this.onOpen = onOpen;
  }

  get address() {
    return this.#address;
  }

  open(row) {
    this.#address = row.address;
    this.facts = h("div.facts");
    openDrawer({
      label: "host",
      title: row.name ?? row.address,
      subtitle: [row.name ? row.address : null, t(`hosts.kind.${row.kind}`), row.country_name].filter(Boolean).join(" · "),
      actions: [h("a.btn.btn-sm", { href: link("connections", { q: term("ip", row.address) }) }, icon("connections", "icon-sm"), t("hosts.connections"))],
      body: this.facts,
      onClose: () => {
        this.#address = null;
        this.onClose();
      },
    });
    this.#load(row.address);
  }

  async #load(address) {
    try {
      const found = await get(`/api/hosts/${encodeURIComponent(address)}`);
      if (this.#address === address) this.#draw(found);
    } catch (problem) {
      toast(problem.message, "error");
    }
  }

  #draw({ host, names, applications, programs, ports, peers, countries }) {
    const own = (text, field, value = text) => followable(text, { field, value }, { onTerm: this.onTerm });
    const isRemote = host.country !== null;
    fill(this.facts,
      section(t("hosts.section.who"), {}, definitions([
        [t("host.address"), followable(host.address, { field: "ip", value: host.address }, { mono: true }), { help: "address" }],
        [t("field.hostname"), host.name ? t("host.nameFrom", { name: host.name, source: source(host.name_source) }) : null, { help: "name" }],
        [t("host.mac"), host.mac ? h("span", {}, t("host.macFrom", { mac: host.mac, source: source(host.mac_source) }), host.mac_is_made_up ? [" ", mark(t("hosts.madeUp"), "accent")] : null) : null, { help: "mac" }],
        [t("host.vendor"), own(host.vendor, "vendor"), { help: "vendor" }],
        [t("host.scope"), scopeName(host.scope === "global" ? "public" : host.scope), { help: "scope" }],
      ])),
      isRemote || host.asn ? section(t("hosts.section.where"), {}, definitions([
        [t("host.country"), own(host.country_name, "country", host.country), { help: "country" }],
        [t("host.city"), own(host.city, "city"), { help: "city" }],
        [t("host.organization"), host.organization || host.asn ? h("span", {}, own(host.organization, "organization"), host.organization && host.asn ? " · " : null, host.asn ? own(`AS${host.asn}`, "asn", host.asn) : null) : null, { help: "organization" }],
        [t("host.anonymous"), host.is_anonymous === null ? null : t(host.is_anonymous ? "details.yes" : "details.no"), { help: "is_anonymous" }],
      ]), h("p", {}, credit())) : null,
      section(t("hosts.section.traffic"), {}, definitions([
        [t("host.sent"), `${format.bytes(host.bytes_sent)} · ${format.count(host.packets_sent)}`, { help: "bytes_sent" }],
        [t("host.received"), `${format.bytes(host.bytes_recv)} · ${format.count(host.packets_recv)}`, { help: "bytes_recv" }],
        [t("host.flows"), format.count(host.flows), { help: "flows" }],
        [t("host.latency"), host.ping_ms === null ? null : format.milliseconds(host.ping_ms), { help: "ping_ms" }],
        [t("host.firstSeen"), format.dateTime(host.first_seen), { help: "first_seen" }],
        [t("host.lastSeen"), format.dateTime(host.last_seen), { help: "last_seen" }],
      ])),
      names.length > 1 ? list("names", names, (one) => [h("span.target", {}, followable(one.name, { field: "name", value: one.name })), h("small", {}, source(one.source))]) : null,
      list("ports", ports, (one) => [h("b", {}, followable(`${one.protocol}/${one.port}`, { field: "port", value: one.port })), h("span.target", {}, one.service ?? ""), mark(t(one.open ? "hosts.open" : "hosts.notOpen"), one.open ? "good" : "warn"), h("small", {}, format.bytes(one.bytes))]),
      list("applications", applications, sized("application")),
      list("programs", programs, sized("app_name")),
      list("countries", countries.length > 1 ? countries : [], sized("country")),
      list("peers", peers, (one) => [h("button.plain.target", { type: "button", onclick: () => this.onOpen(one.address) }, one.name ?? one.address), one.country ? h("span.tag", {}, one.country) : null, h("small", {}, format.bytes(one.bytes))]));
  }
}

const sized = (field) => (one) => [h("span.target", {}, followable(one.name, { field, value: one.name })), h("small", {}, `${format.bytes(one.bytes)} · ${format.count(one.flows)}`)];

function list(name, items, line) {
  if (!items.length) return null;
  const part = section(t(`hosts.section.${name}`), { count: format.count(items.length) }, h("ol.requests", {}, items.slice(0, FIRST).map((one) => h("li", {}, h("div", {}, line(one))))));
  part.dataset.facts = name;
  if (items.length > FIRST) part.append(h("p.faint", {}, t("facts.more", { shown: FIRST, total: items.length })));
  return part;
}
