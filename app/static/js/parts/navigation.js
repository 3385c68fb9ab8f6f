/**
 * The ways to the sections: groups in the rail, or, on a narrow window, a bar with the most used and a sheet with all others.
 * Both are links to the same addresses; style sheets alone decide which is shown.
 */

import * as session from "../data/session.js";
import { fill, h, icon, setText } from "../dom.js";
import * as format from "../format.js";
import { address } from "../router.js";
import { t } from "../strings.js";
import { dialogOpen, openDialog } from "./overlay.js";

const GROUPS = ["watch", "who", "what", "system"];
const IN_BAR = ["overview", "connections", "alerts", "hosts"];

let more = null; // the bar's last place
let current = null; // name of the section that is shown

/** `sections` [{name, group, count}]; `count` gives the number beside a name, or undefined. */
export function build(host, sections) {
  const groups = GROUPS.map((group) => h("div.nav-group", { role: "group", "aria-label": t(`nav.group.${group}`) },
    h("span.nav-caption", { "aria-hidden": "true" }, t(`nav.group.${group}`)),
    list(sections.filter((one) => one.group === group))));
  more = h("button.nav-more", { type: "button", id: "nav-more", "aria-haspopup": "dialog", onclick: () => openSheet(sections) }, icon("more"), h("span.label", {}, t("action.more")));
  fill(host, groups, more);
}

function list(sections) {
  return h("ul", {}, sections.map(({ name, count }) => {
    const number = h("span.count");
    if (count) session.stats.watch(() => setText(number, count() === undefined ? "" : format.short(count())));
    return h("li", { data: { bar: IN_BAR.includes(name) } }, h("a", { href: address(name), title: t(`nav.${name}`), data: { section: name } }, icon(name), h("span.label", {}, t(`nav.${name}`)), number));
  }));
}

/** Says which section is shown, to eyes and to screen readers. */
export function mark(name) {
  current = name;
  for (const link of document.querySelectorAll("#nav a")) {
    if (link.dataset.section === name) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  // On a low window the rail scrolls by itself: what is shown stays in sight.
  document.querySelector(`#nav a[data-section="${name}"]`)?.scrollIntoView({ block: "nearest" });
  if (IN_BAR.includes(name)) delete more.dataset.current;
  else more.dataset.current = "";
}

function openSheet(sections) {
  if (dialogOpen()) return;
  const link = ({ name }) => h("li", {}, h("a", { href: address(name), data: { section: name }, "aria-current": current === name ? "page" : null, onclick: () => sheet.close() }, icon(name), t(`nav.${name}`)));
  const groups = GROUPS.map((group) => {
    const rest = sections.filter((one) => one.group === group && !IN_BAR.includes(one.name));
    return h("div", { role: "group", "aria-label": t(`nav.group.${group}`) }, h("h2", {}, t(`nav.group.${group}`)), h("ul", {}, rest.map(link)));
  });
  const close = h("button.btn", { type: "button", onclick: () => sheet.close() }, t("action.close"));
  const sheet = openDialog({ id: "nav-sheet", title: t("nav.label"), iconName: "more", body: h("nav.sheet", { "aria-label": t("nav.label") }, groups), buttons: [close] });
  (sheet.querySelector("[aria-current]") ?? sheet.querySelector("a")).focus();
}
