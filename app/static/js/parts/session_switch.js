/** The choice in the top bar between the live capture and the files that are open beside it; there while there is something to choose. */

import { addressOf, isOpening, isShown, SESSION, sessions, shown } from "../data/sessions.js";
import { fill, h, icon, setText } from "../dom.js";
import * as format from "../format.js";
import { t } from "../strings.js";
import { closeMenu, menuAnchor, openMenu } from "./floating.js";

export class SessionSwitch {
  constructor() {
    this.name = h("span.label");
    this.button = h("button.btn.session-switch", { type: "button", id: "session-switch", hidden: true, "aria-haspopup": "menu", "aria-expanded": "false", onclick: () => this.#choose() }, icon("captures", "icon-sm"), this.name, icon("down", "icon-sm"));
    sessions.watch(() => this.#show());
  }

  #show() {
    this.button.hidden = sessions.value.sessions.length < 2 && !SESSION;
    const name = nameOf(shown());
    setText(this.name, name);
    this.button.setAttribute("aria-label", t("sessions.switch", { name }));
  }

  #choose() {
    if (menuAnchor() === this.button) return closeMenu();
    const items = sessions.value.sessions.map((one) => h("button.menu-item", { type: "button", role: "menuitemradio", "aria-checked": String(isShown(one)), onclick: () => {
      closeMenu();
      location.href = addressOf(one);
    } }, nameOf(one), h("span.hint", {}, stateOf(one))));
    return openMenu(this.button, items, { label: t("sessions.label") });
  }
}

/** What stands in the top bar in place of the capture's controls while a session is shown. */
export function sessionLine() {
  const text = h("span.session-line", { id: "session-line" });
  sessions.watch(() => {
    const one = shown();
    fill(text, one ? t("sessions.line", { name: one.name }) : "");
  });
  return h("div.capture-controls", {}, text);
}

export function nameOf(one) {
  if (!one) return SESSION ? t("sessions.closed") : t("sessions.live");
  return one.id === "live" ? t("sessions.live") : one.name;
}

export function stateOf(one) {
  if (isOpening(one) && typeof one.progress === "number") return format.percent(one.progress, 0);
  return t(`state.${one.state}`);
}
