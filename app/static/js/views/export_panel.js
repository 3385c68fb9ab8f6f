/** Saving what is held, or what was kept of the time that is shown: packets or rows, in the form that another program reads, as they are or so that they can be given away. */

import { download, query, SESSION } from "../api.js";
import { isLive, span, time } from "../data/time.js";
import { h, icon, setText } from "../dom.js";
import * as format from "../format.js";
import { timeText } from "../parts/time_range.js";
import { t } from "../strings.js";

const PACKETS = ["pcap", "pcapng"];
const ROWS = ["connections", "flows", "dns", "tls", "http", "logins", "alerts"];
const FORMS = ["csv", "json", "ndjson"];
const SCHEMAS = ["native", "eve", "ecs", "zeek"];

export class ExportPanel {
  constructor() {
    const choice = (id, label, names, text) => h("select", { id, "aria-label": t(label), onchange: () => this.#show() }, names.map((one) => h("option", { value: one }, text(one))));
    this.what = choice("export-what", "export.what", [...PACKETS, ...ROWS], (one) => t(`export.what.${one}`));
    this.form = choice("export-form", "export.form", FORMS, (one) => t(`export.form.${one}`));
    this.schema = choice("export-schema", "export.schema", SCHEMAS, (one) => t(`export.schema.${one}`));
    this.filter = h("input", { type: "text", id: "export-filter", spellcheck: "false", autocomplete: "off", "aria-label": t("filter.label"), onkeydown: (event) => event.key === "Enter" && this.#save() });
    this.shareable = h("input", { type: "checkbox", id: "export-shareable" });
    this.button = h("button.btn.btn-primary", { type: "button", id: "download-pcap", onclick: () => this.#save() }, icon("download", "icon-sm"), t("export.download"));
    this.note = h("p.muted");
    this.of = h("p.faint");
    this.refused = h("p.save-error", { role: "alert", hidden: true });
    this.bytes = h("span", { role: "status" });
    this.cancel = h("button.btn.btn-sm", { type: "button", id: "download-cancel" }, t("action.cancel"));
    this.work = h("p.save-line", { hidden: true }, this.bytes, this.cancel);
    this.element = h("div.save", {},
      h("div.save-line", {}, this.what, this.form, this.schema), this.note,
      h("div.save-line", {}, this.filter, this.button),
      h("label.beside", {}, this.shareable, h("span", {}, h("b", {}, t("export.shareable")), " ", t("export.shareableNote"))),
      this.of, this.work, this.refused);
    time.watch(() => this.#show());
  }

  #show() {
    const packets = PACKETS.includes(this.what.value);
    this.form.hidden = this.schema.hidden = packets;
    this.filter.placeholder = t(packets ? "captures.downloadFilter" : "export.filter");
    setText(this.note, t(packets ? "captures.downloadNote" : "export.rowsNote"));
    setText(this.of, t("export.time", { time: timeText(time.value) }));
    this.of.hidden = isLive() || Boolean(SESSION);
    this.refused.hidden = true;
  }

  /** Where the file comes from: what is live is in memory, what is past is in the history, packets are in memory alone. */
  #address() {
    const what = this.what.value;
    const packets = PACKETS.includes(what);
    const past = SESSION ? null : span();
    const schema = this.schema.value;
    const common = { q: this.filter.value.trim(), ...past, shareable: this.shareable.checked ? 1 : "" };
    if (packets) return `/api/export/${what}${query(common)}`;
    return `/api/export/${this.form.value}${query({ ...common, what, schema: schema === "native" ? "" : schema, history: past ? 1 : "" })}`;
  }

  async #save() {
    if (this.button.disabled) return;
    const cancelled = new AbortController();
    const told = (count) => setText(this.bytes, t("captures.saving", { size: format.bytes(count) }));
    this.cancel.onclick = () => cancelled.abort();
    this.button.disabled = true;
    this.refused.hidden = true;
    this.work.hidden = false;
    told(0);
    try {
      await download(this.#address(), null, { signal: cancelled.signal, onBytes: told });
    } catch (problem) {
      this.refused.hidden = problem.name === "AbortError"; // the reader ended it
      setText(this.refused, problem.message);
    }
    this.work.hidden = true;
    this.button.disabled = false;
  }
}
