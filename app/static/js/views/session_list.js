/** The files that are open beside the live capture: how far each is read, the way to it, and closing it. */

import { addressOf, close, isLive, isOpening, isShown, rename, sessions } from "../data/sessions.js";
import { fill, h, icon, refill } from "../dom.js";
import * as format from "../format.js";
import { toast } from "../parts/floating.js";
import { stateOf } from "../parts/session_switch.js";
import { t } from "../strings.js";

const MAX_NAME = 80;

export class SessionList {
  #naming = null; // id of the session that gets another name

  constructor() {
    this.element = h("div", { id: "session-list" });
  }

  draw() {
    const { sessions: all, most } = sessions.value;
    const files = all.filter((one) => !isLive(one));
    if (!files.length) return fill(this.element, h("p.muted", {}, t("sessions.none", { n: most })));
    if (this.#naming && all.some((one) => one.id === this.#naming)) return this.element; // somebody is typing
    return refill(this.element, h("ul.session-list", {}, files.map((one) => this.#row(one))), h("p.faint", {}, t("sessions.lasting")));
  }

  #row(one) {
    const span = one.first ? t("sessions.span", { from: format.dateTime(one.first), to: format.dateTime(one.last) }) : "";
    const facts = [stateOf(one), t("sessions.packets", { n: format.count(one.packets) }), format.bytes(one.bytes), span].filter(Boolean).join(" · ");
    const label = t("sessions.closeNamed", { name: one.name });
    const shut = h("button.btn.btn-sm.btn-quiet", { type: "button", "aria-label": label, onclick: () => this.#close(one, shut) }, icon("close", "icon-sm"), t(isOpening(one) ? "action.cancel" : "sessions.close"));
    const edit = h("button.btn.btn-sm.btn-quiet.btn-icon", { type: "button", "aria-label": t("sessions.rename", { name: one.name }), title: t("sessions.rename", { name: one.name }), onclick: () => this.#rename(one, edit) }, icon("edit", "icon-sm"));
    const save = isOpening(one) ? null : h("a.btn.btn-sm", { href: addressOf(one, "captures"), "aria-label": t("sessions.exportNamed", { name: one.name }) }, t("sessions.export"));
    const show = isShown(one) ? h("span.pill", {}, t("sessions.shown")) : h("a.btn.btn-sm", { href: addressOf(one), "aria-label": t("sessions.showNamed", { name: one.name }) }, t("sessions.show"));
    return h("li", { data: { session: one.id } },
      h("div", {}, h("div.session-name", {}, h("strong", {}, one.name), edit), h("p.faint", {}, facts), one.message ? h("p.faint", {}, one.message) : null,
        isOpening(one) ? h("progress", { max: "1", "aria-label": t("captures.reading", { name: one.name }), ...(typeof one.progress === "number" ? { value: one.progress } : {}) }) : null),
      h("div.session-acts", {}, isShown(one) ? null : save, show, shut));
  }

  #rename(one, button) {
    this.#naming = one.id;
    const name = h("input", { type: "text", maxlength: MAX_NAME, value: one.name, "aria-label": t("sessions.name"), onkeydown: (event) => event.key === "Escape" && done(event) });
    const done = (event) => {
      event.stopPropagation();
      this.#naming = null;
      this.draw();
    };
    const submit = async (event) => {
      event.preventDefault();
      try {
        await rename(one, name.value);
      } catch (problem) {
        return toast(problem.message, "error");
      }
      one.name = name.value.trim() || one.name; // what the server says comes in a moment
      done(event);
    };
    fill(button.parentElement, h("form.session-name", { onsubmit: submit }, name, h("button.btn.btn-sm.btn-primary", { type: "submit" }, t("sessions.keep")), h("button.btn.btn-sm.btn-quiet", { type: "button", onclick: done }, t("action.cancel"))));
    name.select();
  }

  async #close(one, button) {
    button.disabled = true;
    try {
      await close(one);
    } catch (problem) {
      toast(problem.message, "error");
      button.disabled = false;
    }
  }
}
