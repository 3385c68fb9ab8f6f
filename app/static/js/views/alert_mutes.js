/** Mute rules: one is tried before it is made, and all can be looked at and taken back. */

import { get, post, remove } from "../api.js";
import { fill, h, icon } from "../dom.js";
import * as format from "../format.js";
import { toast } from "../parts/floating.js";
import { openDialog } from "../parts/overlay.js";
import { term } from "../query.js";
import { t } from "../strings.js";

const HOUR = 3600_000;
const ENDS = [["", 0], ["day", 24 * HOUR], ["week", 7 * 24 * HOUR], ["month", 30 * 24 * HOUR]];

/** Asks for a rule that begins with what the alert says. `onDone` runs when one was made. */
export function askMute(alert, onDone) {
  const suggestion = [term("rule", alert.rule), alert.source ? term("source", alert.source) : null].filter(Boolean).join(" ");
  const q = h("input", { type: "text", id: "mute-q", spellcheck: "false", autocomplete: "off", value: suggestion, oninput: () => tryLater() });
  const reason = h("input", { type: "text", id: "mute-reason", maxlength: "500", autocomplete: "off" });
  const ends = h("select", { id: "mute-ends" }, ENDS.map(([name, ms]) => h("option", { value: String(ms) }, t(`mute.ends.${name || "never"}`))));
  const said = h("p.alert-result", { role: "status" });
  const error = h("p.field-error", { role: "alert", hidden: true });
  const make = h("button.btn.btn-primary", { type: "button", id: "mute-make", onclick: () => save() }, t("mute.make"));
  const cancel = h("button.btn", { type: "button", onclick: () => dialog.close() }, t("action.cancel"));
  const field = (label, input) => h("label.field", {}, h("span", {}, label), input);
  const body = h("div.form", {}, h("p", {}, t("mute.explain")), field(t("mute.q"), q), said, field(t("mute.reason"), reason), field(t("mute.until"), ends), error);
  const dialog = openDialog({ id: "mute-dialog", title: t("mute.title"), iconName: "minus", body, buttons: [cancel, make] });
  let timer = null;
  let asked = 0; // only the newest question's answer is shown
  function tryLater() {
    clearTimeout(timer);
    timer = setTimeout(tryNow, 300);
  }
  async function tryNow() {
    const mine = (asked += 1);
    try {
      const found = await post("/api/mute_test", { q: q.value });
      if (mine !== asked) return;
      fill(said, found.sentence);
      said.dataset.tone = found.by_severity.critical + found.by_severity.high > 0 ? "warn" : "good";
      refuse(null);
    } catch (problem) {
      if (mine !== asked) return;
      fill(said, "");
      refuse(problem.message);
    }
  }
  function refuse(text) {
    error.hidden = !text;
    fill(error, text ?? "");
  }
  async function save() {
    const ms = Number(ends.value);
    clearTimeout(timer);
    asked += 1; // what is wrong with the rule itself is not wiped away by a late answer about its query
    try {
      await post("/api/mutes", { q: q.value, reason: reason.value, expires_at: ms ? new Date(Date.now() + ms).toISOString() : null });
      dialog.close();
      toast(t("mute.made"), "info");
      onDone();
    } catch (problem) {
      refuse(problem.message);
    }
  }
  tryNow();
  reason.focus();
}

/** All rules, each with what it hides and a button to take it back. */
export async function showMutes(onDone) {
  const list = h("div");
  const close = h("button.btn", { type: "button", onclick: () => dialog.close() }, t("action.close"));
  const dialog = openDialog({ id: "mutes-dialog", title: t("mute.all"), iconName: "minus", body: list, buttons: [close] });
  const draw = async () => {
    const mutes = await get("/api/mutes").catch(() => []);
    if (!mutes.length) fill(list, h("p.faint", {}, t("mute.none")));
    else fill(list, h("table.records", {}, h("thead", {}, h("tr", {}, ["mute.q", "mute.reason", "mute.until", "mute.hides", "mute.takeBack"].map((key) => h("th", { scope: "col" }, t(key))))), h("tbody", {}, mutes.map(line))));
  };
  const line = (mute) => h("tr", {},
    h("td.mono", {}, mute.q),
    h("td", {}, mute.reason),
    h("td", {}, mute.expired ? t("mute.over") : mute.expires_at ? format.dateTime(mute.expires_at) : t("mute.ends.never")),
    h("td", {}, format.count(mute.hides)),
    h("td", {}, h("button.btn.btn-sm.btn-icon", { type: "button", "aria-label": t("mute.takeBackOne", { q: mute.q }), onclick: () => takeBack(mute) }, icon("close", "icon-sm"))));
  const takeBack = async (mute) => {
    try {
      await remove(`/api/mutes/${mute.id}`);
    } catch (problem) {
      toast(problem.message, "error");
    }
    await draw();
    onDone();
  };
  await draw();
  close.focus();
}
