/** What stands beside the title of every page: the time it shows, the views that are kept, and a word where it cannot show a time in the past. */

import { SESSION } from "../api.js";
import { isLive, time } from "../data/time.js";
import { fill, h, icon } from "../dom.js";
import * as router from "../router.js";
import { t } from "../strings.js";
import { SavedViews } from "./saved_views.js";
import { goLive, timeText, TimeRange } from "./time_range.js";

export class ViewTools {
  constructor() {
    this.range = new TimeRange();
    this.views = new SavedViews();
    this.live = h("button.btn.btn-quiet.btn-icon", { type: "button", id: "time-live", hidden: true, "aria-label": t("time.toLive"), title: t("time.toLive"), onclick: goLive }, icon("close"));
    this.element = h("div.view-tools", {}, this.range.button, this.live, this.views.button);
    this.note = h("p.time-note", { role: "status", hidden: true });
    time.watch(() => this.#say());
  }

  /** Moves to the head of the page that is shown. `view.answersPast`: it can show a time in the past; `view.ownTime`: it has a choice of its own; `view.timeless`: it knows no time. */
  attach(view, name) {
    this.view = view;
    this.name = name;
    this.range.button.hidden = Boolean(view.ownTime || view.timeless || SESSION); // a file has no live and no past
    const head = view.element.querySelector(".view-head");
    if (this.element.parentElement !== head) head.append(this.element, this.note);
    this.#say();
  }

  #say() {
    this.live.hidden = isLive() || this.range.button.hidden;
    const told = this.view && !isLive() && !this.view.answersPast && !this.view.timeless;
    this.note.hidden = !told;
    if (!told) return;
    const history = h("a.plain", { href: router.address("history", time.value) }, t("time.toHistory"));
    const live = h("button.plain", { type: "button", onclick: goLive }, t("time.toLive"));
    fill(this.note, icon("wait", "icon-sm"), h("span", {}, t("time.onlyLive", { time: timeText(time.value) })), history, live);
  }
}
