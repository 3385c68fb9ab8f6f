/** What can be done with a value: see its row, filter by it, filter it out, follow it to the other pages that know it, copy it. */

import { h, icon } from "../dom.js";
import { t } from "../strings.js";
import { closeMenu, copy, openMenu } from "./floating.js";
import { ways } from "./pivots.js";

/** `term` filters the list that is shown; `pivot` (the term, where there is none of its own) is what other pages are asked for. */
export function pickMenu(anchor, { title, term = null, pivot = term, onDetails = null, onTerm }) {
  const item = (iconName, label, hint, run) => h("button.menu-item", { type: "button", role: "menuitem", onclick: () => { closeMenu(); run(); } }, icon(iconName), label, h("span.hint", {}, hint ? h("kbd", {}, hint) : null));
  const items = onDetails ? [item("info", t("action.details"), "Enter", onDetails)] : [];
  if (term) items.push(item("plus", t("action.include"), "+", () => onTerm(term, false)), item("minus", t("action.exclude"), "-", () => onTerm(term, true)));
  if (title) items.push(item("copy", t("action.copy"), null, () => copy(String(title))));
  const others = pivot ? ways(pivot).map(({ section, href }) => item(section, t(`nav.${section}`), null, () => (location.hash = href))) : [];
  return openMenu(anchor, [title ? h("div.menu-group.mono", {}, String(title)) : null, items, others.length ? h("div.menu-group", {}, t("action.elsewhere")) : null, others], { label: t("action.more") });
}
