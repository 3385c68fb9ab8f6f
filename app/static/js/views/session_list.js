/** The files that are open beside the live capture: how far each is read, the way to it, and closing it. */

import { addressOf, close, isLive, isOpening, isShown, sessions } from "../data/sessions.js";
import { fill, h, icon, refill } from "../dom.js";
import * as format from "../format.js";
import { toast } from "../parts/floating.js";
import { stateOf } from "../parts/session_switch.js";
import { t } from "../strings.js";

export class SessionList {
  constructor() {
    this.element = h("div", { id: "session-list" });
  }

  draw() {
    const { sessions: all, most } = sessions.value;
    const files = all.filter((one) => !isLive(one));
    if (!files.length) return fill(this.element, h("p.muted", {}, t("sessions.none", { n: most })));
    return refill(this.element, h("ul.session-list", {}, files.map((one) => this.#row(one))));
  }

  #row(one) {
    const span = one.first ? t("sessions.span", { from: format.dateTime(one.first), to: format.dateTime(one.last) }) : "";
    const facts = [stateOf(one), t("sessions.packets", { n: format.count(one.packets) }), format.bytes(one.bytes), span].filter(Boolean).join(" · ");
    const label = t("sessions.closeNamed", { name: one.name });
    const shut = h("button.btn.btn-sm.btn-quiet", { type: "button", "aria-label": label, onclick: () => this.#close(one, shut) }, icon("close", "icon-sm"), t(isOpening(one) ? "action.cancel" : "sessions.close"));
    const show = isShown(one) ? h("span.pill", {}, t("sessions.shown")) : h("a.btn.btn-sm", { href: addressOf(one), "aria-label": t("sessions.showNamed", { name: one.name }) }, t("sessions.show"));
    return h("li", { data: { session: one.id } },
      h("div", {}, h("strong", {}, one.name), h("p.faint", {}, facts), one.message ? h("p.faint", {}, one.message) : null,
        isOpening(one) ? h("progress", { max: "1", "aria-label": t("captures.reading", { name: one.name }), ...(typeof one.progress === "number" ? { value: one.progress } : {}) }) : null),
      h("div.session-acts", {}, show, shut));
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
