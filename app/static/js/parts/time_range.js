/** The choice of the time: live, the last of something, or from and to. It goes into the address, and with the reader to the other pages. */

import { forget, instant, isLive, local, RANGES, time } from "../data/time.js";
import { fill, h, icon } from "../dom.js";
import * as format from "../format.js";
import * as router from "../router.js";
import { t } from "../strings.js";
import { closeMenu, menuAnchor, openMenu } from "./floating.js";

export class TimeRange {
  constructor() {
    this.button = h("button.btn.time-range", { type: "button", id: "time-range", "aria-haspopup": "dialog", "aria-expanded": "false", onclick: () => this.#open() });
    time.watch((value) => {
      const text = timeText(value);
      fill(this.button, icon(isLive() ? "pulse" : "wait", "icon-sm"), h("span.label", {}, text), icon("down", "icon-sm"));
      this.button.setAttribute("aria-label", t("time.label", { time: text }));
      this.button.dataset.past = String(!isLive());
    });
  }

  #open() {
    if (menuAnchor() === this.button) return closeMenu();
    const { range, from, to } = time.value;
    const item = (label, checked, choose) => h("button.menu-item", { type: "button", "aria-pressed": String(checked), onclick: () => { closeMenu(); choose(); } }, icon("check", checked ? "icon-sm" : "icon-sm icon-none"), label);
    const first = h("input", { type: "datetime-local", step: 1, id: "time-from", value: local(from) });
    const last = h("input", { type: "datetime-local", step: 1, id: "time-to", value: local(to) });
    const submit = (event) => {
      event.preventDefault();
      const chosen = { range: "", from: instant(first.value), to: instant(last.value) };
      if (!chosen.from && !chosen.to) return;
      closeMenu();
      choose(chosen);
    };
    const own = h("form.time-own", { onsubmit: submit },
      h("label", {}, h("span", {}, t("history.from")), first), h("label", {}, h("span", {}, t("history.to")), last),
      h("button.btn.btn-sm.btn-primary", { type: "submit" }, t("history.show")));
    const items = Object.keys(RANGES).map((name) => item(t(`time.${name}`), name === range, () => choose({ range: name, from: "", to: "" })));
    return openMenu(this.button, [item(t("time.live"), isLive(), goLive), items, own], { label: t("time.choose"), role: "dialog" });
  }
}

/** A time as words. */
export function timeText({ range, from, to }) {
  if (range) return t(`time.${range}`);
  if (!from && !to) return t("time.live");
  if (from && to) return format.dateSpan(from, to);
  return t("time.between", { from: from ? format.dateTime(from) : t("time.begin"), to: to ? format.dateTime(to) : t("time.now") });
}

/** Shows a time, on the page that is shown: `chosen` {range, from, to}. */
export function choose(chosen) {
  const { name, parameters } = router.parse(location.hash);
  router.go(name, { ...parameters, ...chosen });
}

/** Back to what is live, on the page that is shown. */
export function goLive() {
  forget();
  choose({ range: "", from: "", to: "" });
}
