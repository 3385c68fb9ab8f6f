/** The interface picker: physical ones first, each with its rate as it is now. One click chooses; ticks choose several. */

import * as session from "../data/session.js";
import { fill, h, icon, setText } from "../dom.js";
import * as format from "../format.js";
import { t } from "../strings.js";
import { closeMenu, menuAnchor, openMenu } from "./floating.js";
import { Spark } from "./spark.js";

const ANY = "any";

export class InterfacePicker {
  /** Names to capture on; [] leaves the choice to the server. */
  chosen = [];
  #touched = false;

  constructor(onChoose) {
    this.onChoose = onChoose;
    this.spark = new Spark({ points: 30 });
    this.text = h("span.text");
    this.button = h("button.btn.picker-button", { type: "button", id: "interface-picker", "aria-haspopup": "menu", "aria-expanded": "false", onclick: () => this.#open() }, icon("ethernet"), h("span.visually-hidden", {}, `${t("picker.label")}: `), this.text, this.spark.element, icon("down", "icon-sm"));
    session.capture.watch((capture) => this.#follow(capture));
    session.interfaces.watch(() => this.#show());
  }

  choose(names) {
    this.chosen = names;
    this.#touched = true;
    this.#show();
    this.onChoose(names);
  }

  #follow(capture) {
    if (!this.#touched && capture?.source === "live") this.chosen = namesOf(capture);
    if (this.#touched && sameNames(this.chosen, namesOf(capture ?? {}))) this.#touched = false;
    this.#show();
  }

  #show() {
    const names = this.chosen;
    setText(this.text, !names.length ? t("picker.auto") : names.includes(ANY) ? t("picker.any") : names.length === 1 ? names[0] : t("picker.several", { n: names.length }));
    const watched = names.length && !names.includes(ANY) ? names : session.interfaces.value.map((item) => item.interface);
    this.spark.set(sum(watched.map((name) => session.interfaceRates.get(name) ?? [])));
  }

  #open() {
    if (menuAnchor() === this.button) return closeMenu();
    const list = h("div", { role: "none" });
    const rows = new Map();
    const several = new Set(this.chosen.length > 1 ? this.chosen : []);
    const draw = () => fill(list, this.#items(rows, several));
    const stop = session.interfaces.watch((items) => {
      if (rows.size !== items.length) draw();
      for (const item of items) rows.get(item.interface)?.(item);
    });
    return openMenu(this.button, list, { label: t("picker.label"), onClose: () => {
      stop();
      if (several.size > 1 && !sameNames([...several], this.chosen)) this.choose([...several]);
    } });
  }

  #items(rows, several) {
    rows.clear();
    const all = session.interfaces.value;
    const fixed = [
      this.#item(t("picker.auto"), t("picker.autoHint"), "check", !this.chosen.length, []),
      this.#item(t("picker.any"), t("picker.anyHint"), "globe", this.chosen.includes(ANY), [ANY]),
    ];
    const group = (physical) => all.filter((item) => Boolean(item.is_physical) === physical).map((item) => this.#line(item, rows, several));
    const part = (label, items) => (items.length ? [h("div.menu-group", { role: "presentation" }, label), items] : []);
    return [fixed, part(t("picker.physical"), group(true)), part(t("picker.virtual"), group(false)), all.length ? null : h("p.menu-group", {}, t("picker.none"))];
  }

  #item(label, hint, iconName, checked, names) {
    return h("button.menu-item", { type: "button", role: "menuitemradio", "aria-checked": String(checked), onclick: () => { closeMenu(); this.choose(names); } }, icon(iconName), label, h("span.hint", {}, hint));
  }

  #line(item, rows, several) {
    const name = item.interface;
    const spark = new Spark({ points: 30 });
    const rate = h("span.rate");
    const tick = h("input", { type: "checkbox", tabindex: "-1", "aria-hidden": "true", checked: several.has(name) || this.chosen.includes(name) });
    const address = (item.addresses ?? []).map((one) => one.address ?? one).find((one) => typeof one === "string" && /^[0-9.]+$/.test(one)) ?? "";
    rows.set(name, (now) => {
      const readings = session.interfaceRates.get(name) ?? [];
      spark.set(readings.map(({ down, up }) => down + up));
      setText(rate, now.is_up ? format.bitRate((now.download_bps ?? 0) + (now.upload_bps ?? 0)) : t("picker.down"));
    });
    rows.get(name)(item);
    const toggle = (event) => {
      event.stopPropagation();
      if (several.has(name)) several.delete(name);
      else several.add(name);
      tick.checked = several.has(name);
    };
    const box = h("span", { onclick: toggle }, tick);
    return h("button.menu-item", { type: "button", role: "menuitemcheckbox", "aria-checked": String(this.chosen.includes(name)), data: { interface: name }, onclick: () => { several.clear(); closeMenu(); this.choose([name]); }, onkeydown: (event) => { if (event.key === " ") { event.preventDefault(); toggle(event); } } },
      h("span.iface", { data: { up: String(Boolean(item.is_up)) } }, box, h("span.name", {}, name, h("small", {}, address)), spark.element, rate));
  }
}

export function namesOf(capture) {
  return (capture.interfaces ?? []).map((item) => item.name ?? item);
}

function sameNames(left, right) {
  return left.length === right.length && left.every((name) => right.includes(name));
}

/** Adds readings of several interfaces, newest aligned. */
function sum(lists) {
  const length = Math.max(0, ...lists.map((list) => list.length));
  return Array.from({ length }, (_, i) => lists.reduce((total, list) => {
    const reading = list[list.length - length + i];
    return total + (reading ? reading.down + reading.up : 0);
  }, 0));
}
