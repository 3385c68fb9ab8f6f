/** One program in the drawer: what it is, how much, its processes and its remote ends, and the way to its connections. */

import { get } from "../api.js";
import { fill, h, icon } from "../dom.js";
import * as format from "../format.js";
import { toast } from "../parts/floating.js";
import { followable } from "../parts/pivots.js";
import { openDrawer } from "../parts/overlay.js";
import { term } from "../query.js";
import { address as link } from "../router.js";
import { t } from "../strings.js";
import { definitions, section } from "./facts.js";

const FIRST = 30;

export class ProgramDetails {
  #id = null;

  constructor({ onClose }) {
    this.onClose = onClose;
  }

  open(row) {
    this.#id = row.id;
    this.facts = h("div.facts");
    openDrawer({
      label: "program",
      title: row.app_name,
      subtitle: row.app_path ?? "",
      actions: [h("a.btn.btn-sm", { href: link("connections", { q: term("app_name", row.app_name) }) }, icon("connections", "icon-sm"), t("hosts.connections"))],
      body: this.facts,
      onClose: () => {
        this.#id = null;
        this.onClose();
      },
    });
    this.#load(row.id);
  }

  async #load(id) {
    try {
      const found = await get(`/api/programs/${encodeURIComponent(id)}`);
      if (this.#id === id) this.#draw(found);
    } catch (problem) {
      toast(problem.message, "error");
    }
  }

  #draw(one) {
    fill(this.facts,
      section(t("programs.program"), {}, definitions([
        [t("programs.path"), one.app_path, { mono: true, help: "app_path" }],
        [t("programs.user"), one.users.length ? h("span", {}, one.users.map((user, i) => [i ? ", " : null, followable(user, { field: "user", value: user })])) : null],
        [t("programs.container"), followable(one.container, { field: "container", value: one.container })],
        [t("programs.unit"), one.units.join(", ")],
        [t("programs.cpu"), one.cpu_percent === null ? null : format.percent(one.cpu_percent / 100), { help: "cpu_percent" }],
        [t("programs.memory"), one.memory_percent === null ? null : format.percent(one.memory_percent / 100), { help: "memory_percent" }],
        [t("programs.firstEver"), one.first_ever ? format.dateTime(one.first_ever) : null],
      ])),
      section(t("hosts.section.traffic"), {}, definitions([
        [t("host.sent"), `${format.bytes(one.bytes_sent)} · ${format.count(one.packets_sent)}`, { help: "bytes_sent" }],
        [t("host.received"), `${format.bytes(one.bytes_recv)} · ${format.count(one.packets_recv)}`, { help: "bytes_recv" }],
        [t("host.flows"), format.count(one.flows)],
        [t("host.firstSeen"), format.dateTime(one.first_seen)],
        [t("host.lastSeen"), format.dateTime(one.last_seen)],
      ])),
      this.#list("peers", one.remotes, one.remote_count, (remote) => [h("span.target", {}, followable(remote.address, { field: "ip", value: remote.address }, { mono: true })), h("small", {}, format.bytes(remote.bytes))]),
      this.#list("processes", one.process_list, one.process_list.length, (process) => [h("span.tag", {}, String(process.pid)), h("span.target.mono", {}, process.command_line ?? process.name ?? one.app_name), h("small", {}, process.user ?? "")]));
  }

  #list(name, items, total, line) {
    if (!items.length) return null;
    const part = section(t(name === "peers" ? "hosts.section.peers" : "programs.processes"), { count: format.count(total) }, h("ol.requests", {}, items.slice(0, FIRST).map((item) => h("li", {}, h("div", {}, line(item))))));
    part.dataset.facts = name;
    const shown = Math.min(items.length, FIRST);
    if (total > shown) part.append(h("p.faint", {}, t("facts.more", { shown, total })));
    return part;
  }
}
