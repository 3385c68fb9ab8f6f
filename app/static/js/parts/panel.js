/** A panel of the overview: a heading, what explains it, something at its right, and the body. */

import { h } from "../dom.js";
import { helpMark } from "./floating.js";

export function panel(title, span, body, { help = null, aside = null } = {}) {
  return h(`section.panel.${span}`, { "aria-label": title },
    h("div.panel-head", {}, h("h2", {}, title), help ? helpMark(help, title) : null, aside ? h("span.aside", {}, aside) : null),
    h("div.panel-body", {}, body));
}
