/** The views that somebody keeps: a page with its query and time under a name, on the server for its user. */

import { get, post, remove } from "../api.js";
import { forget } from "../data/time.js";
import { fill, h, icon } from "../dom.js";
import * as router from "../router.js";
import { t } from "../strings.js";
import { closeMenu, menuAnchor, openMenu, toast } from "./floating.js";

const MAX_NAME = 80;

export class SavedViews {
  constructor() {
    this.button = h("button.btn.btn-icon", { type: "button", id: "saved-views", "aria-haspopup": "dialog", "aria-expanded": "false", "aria-label": t("views.title"), title: t("views.title"), onclick: () => this.#open() }, icon("star"));
  }

  async #open() {
    if (menuAnchor() === this.button) return closeMenu();
    const list = h("div.saved-list");
    const name = h("input", { type: "text", id: "view-name", maxlength: MAX_NAME, "aria-label": t("views.name"), placeholder: t("views.name"), autocomplete: "off" });
    const save = h("form.saved-new", { onsubmit: (event) => this.#save(event, name, list) }, name, h("button.btn.btn-sm.btn-primary", { type: "submit" }, t("views.save")));
    openMenu(this.button, [h("div.menu-group", {}, t("views.title")), list, save], { label: t("views.title"), role: "dialog" });
    name.focus();
    await this.#fill(list);
  }

  async #fill(list) {
    try {
      const views = await get("/api/saved_views");
      fill(list, views.length ? views.map((view) => this.#line(view, list)) : h("p.faint", {}, t("views.none")));
    } catch (problem) {
      fill(list, h("p.faint", {}, problem.message));
    }
  }

  #line(view, list) {
    const go = () => {
      closeMenu(false);
      forget(); // a view without a time is of what is live
      router.go(view.page, view.parameters);
    };
    const act = (iconName, label, run) => h("button.btn.btn-quiet.btn-sm.btn-icon", { type: "button", "aria-label": t(label, { name: view.name }), onclick: run }, icon(iconName, "icon-sm"));
    const line = h("div.saved-view", {},
      h("button.menu-item", { type: "button", title: [t(`nav.${view.page}`), ...Object.values(view.parameters)].join(" · "), onclick: go }, h("span.name", {}, view.name), h("span.hint", {}, t(`nav.${view.page}`))),
      act("edit", "views.rename", () => this.#rename(line, view, list)),
      act("close", "views.remove", () => this.#try(() => remove(`/api/saved_views/${view.id}`), list)));
    return line;
  }

  #rename(line, view, list) {
    const name = h("input", { type: "text", maxlength: MAX_NAME, value: view.name, "aria-label": t("views.name") });
    const submit = (event) => {
      event.preventDefault();
      this.#try(() => post(`/api/saved_views/${view.id}`, { name: name.value }), list);
    };
    fill(line, h("form.saved-new", { onsubmit: submit }, name, h("button.btn.btn-sm", { type: "submit" }, t("views.keep"))));
    name.select();
  }

  #save(event, name, list) {
    event.preventDefault();
    const { name: page, parameters } = router.parse(location.hash);
    this.#try(async () => {
      await post("/api/saved_views", { name: name.value, page, parameters });
      name.value = "";
      toast(t("views.saved"));
    }, list);
  }

  async #try(act, list) {
    try {
      await act();
    } catch (problem) {
      toast(problem.message, "error");
      return;
    }
    await this.#fill(list);
  }
}
