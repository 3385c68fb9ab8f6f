/** What people say of an alert: its status and a note. What has been typed and not kept yet is never replaced by what the server says. */

import { post } from "../api.js";
import { fill, h } from "../dom.js";
import * as format from "../format.js";
import { toast } from "../parts/floating.js";
import { t } from "../strings.js";
import { section } from "./facts.js";

const STATUSES = ["new", "acknowledged", "false_positive"];

export class Judgement {
  #kept = ""; // the note as the server has it
  #asked = 0;

  /** `onChanged(alert)` hears the alert as it is after a change. */
  constructor(alert, onChanged) {
    this.onChanged = onChanged;
    this.note = h("textarea", { id: "alert-note", rows: "2", maxlength: "2000", "aria-label": t("alert.note"), placeholder: t("alert.notePlaceholder") });
    this.buttons = STATUSES.map((status) => h("button.btn.btn-sm", { type: "button", data: { status }, onclick: () => this.#judge({ status }) }, t(`alert.status.${status}`)));
    const keep = h("button.btn.btn-sm", { type: "button", id: "alert-keep", onclick: () => this.#judge({}) }, t("alert.keepNote"));
    this.by = h("p.faint", { hidden: true });
    this.element = section(t("alert.judgement"), {}, h("div.button-row", { role: "group", "aria-label": t("alert.judgement") }, this.buttons), this.note, h("div.button-row", {}, keep), this.by);
    this.set(alert);
  }

  /** Takes over what the server says of the alert; a note that the reader has changed stays as it is. */
  set(alert) {
    const untouched = this.note.value === this.#kept;
    this.#kept = alert.note ?? "";
    if (untouched) this.note.value = this.#kept;
    for (const button of this.buttons) button.setAttribute("aria-pressed", String(button.dataset.status === alert.status));
    this.by.hidden = !alert.status_changed_at;
    fill(this.by, alert.status_changed_at ? t("alert.judgedBy", { user: alert.status_changed_by, time: format.dateTime(alert.status_changed_at) }) : null);
    this.id = alert.id;
  }

  async #judge(change) {
    const asked = (this.#asked += 1);
    const note = this.note.value;
    try {
      const alert = await post(`/api/alerts/${this.id}`, { ...change, note });
      toast(t("alert.kept"), "info");
      if (asked !== this.#asked) return; // another change was made meanwhile: its answer counts
      this.#kept = note;
      this.set(alert);
      this.onChanged(alert);
    } catch (problem) {
      toast(problem.message, "error");
    }
  }
}
