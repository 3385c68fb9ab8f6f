/** The keyboard: ? / Escape, g and a letter for a section, p to pause. Nothing fires while somebody types. */

import { h } from "../dom.js";
import { go } from "../router.js";
import { t } from "../strings.js";
import { dialogOpen } from "./overlay.js";

const SEQUENCE_MS = 1200;

export function start({ sections, view, escape, theme, help }) {
  let afterG = 0;
  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || dialogOpen()) return;
    const typing = event.target.matches?.("input, textarea, select");
    if (event.key === "Escape") {
      if (escape()) event.preventDefault();
      else if (typing) event.target.blur();
      return;
    }
    if (typing) return;
    const section = performance.now() - afterG < SEQUENCE_MS && sections.find((one) => one.key === event.key);
    afterG = 0;
    if (section) go(section.name);
    else if (event.key === "g") afterG = performance.now();
    else if (event.key === "?") help();
    else if (event.key === "/") view()?.focusFilter?.();
    else if (event.key === "p") view()?.togglePause?.();
    else if (event.key === "t") theme();
    else return;
    event.preventDefault();
  });
}

export function list(sections) {
  const entry = (names, text) => h("div", {}, h("dt", {}, names.map((name) => h("kbd", {}, name))), h("dd", {}, text));
  return h("dl.keys", {},
    sections.map(({ name, key }) => entry(["g", key], t("keys.go", { view: t(`nav.${name}`) }))),
    entry(["/"], t("keys.filter")),
    entry(["p"], t("keys.pause")),
    entry(["t"], t("keys.theme")),
    entry(["↑", "↓"], t("keys.move")),
    entry(["←", "→"], t("keys.cell")),
    entry(["Enter"], t("keys.open")),
    entry(["+"], t("keys.include")),
    entry(["-"], t("keys.exclude")),
    entry(["Esc"], t("keys.escape")),
    entry(["?"], t("keys.help")));
}
