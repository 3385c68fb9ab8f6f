/** What can be done with a value in a table: see its row, filter by it, filter it out, copy it. */

import { h, icon } from "../dom.js";
import { t } from "../strings.js";
import { closeMenu, copy, openMenu } from "./floating.js";

export function pickMenu(anchor, { title, term, onDetails, onTerm }) {
  const item = (iconName, label, hint, run) => h("button.menu-item", { type: "button", role: "menuitem", onclick: () => { closeMenu(); run(); } }, icon(iconName), label, h("span.hint", {}, hint ? h("kbd", {}, hint) : null));
  const items = [item("info", t("action.details"), "Enter", onDetails)];
  if (term) items.push(item("plus", t("action.include"), "+", () => onTerm(term, false)), item("minus", t("action.exclude"), "-", () => onTerm(term, true)));
  if (title) items.push(item("copy", t("action.copy"), null, () => copy(String(title))));
  return openMenu(anchor, [title ? h("div.menu-group.mono", {}, String(title)) : null, items], { label: t("action.more") });
}
