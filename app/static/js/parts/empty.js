/** Why there is nothing to see, and what to do about it: one sentence and one button, from the capture's state. */

import * as session from "../data/session.js";
import { h, icon } from "../dom.js";
import { t } from "../strings.js";
import { startOf } from "./capture_bar.js";
import { namesOf } from "./interface_picker.js";

const QUIET_AFTER_S = 10;

export function empty({ iconName = "info", title, text, actions = [], small = false }) {
  return h(small ? "div.empty.empty-small" : "div.empty", {}, icon(iconName), title ? h("strong", {}, title) : null, text ? h("p", {}, text) : null, actions.length ? h("div.actions", {}, actions) : null);
}

const openFile = () => h("a.btn.btn-sm", { href: "#/captures" }, icon("upload", "icon-sm"), t("empty.openFile"));

/** Explains why no packet is there; null once packets have been seen. */
export function whyEmpty() {
  const capture = session.capture.value;
  if (!capture) return empty({ iconName: "wait", title: t("empty.connecting.title"), text: t("empty.connecting") });
  if ((session.stats.value?.totals?.packets ?? 0) > 0) return null;
  if (capture.state === "failed") return empty({ iconName: "warning", title: t("empty.failed.title"), text: capture.message ?? "", actions: [openFile()] });
  if (capture.state === "finished") return empty({ iconName: "captures", title: t("empty.fileEmpty.title"), text: capture.message ?? "", actions: [openFile()] });
  if (capture.can_capture === false) return empty({ iconName: "legal", title: t("empty.noRights.title"), text: capture.why_not ?? t("empty.noRights"), actions: [openFile()] });
  if (capture.state === "stopped") return empty({ iconName: "play", title: t("empty.stopped.title"), text: capture.message || t("empty.stopped"), actions: [openFile()] });
  if (capture.state === "starting") return empty({ iconName: "wait", title: t("empty.starting.title"), text: capture.message ?? "" });
  const interfaces = namesOf(capture).join(", ") || t("picker.auto");
  const seconds = Math.floor((Date.now() - (startOf(capture) ?? Date.now())) / 1000);
  if (capture.state === "running" && seconds >= QUIET_AFTER_S) return empty({ iconName: "interfaces", title: t("empty.quiet.title"), text: t("empty.quiet", { interfaces, seconds }), actions: [h("a.btn.btn-sm", { href: "#/interfaces" }, t("nav.interfaces"))] });
  return empty({ iconName: "wait", title: t("empty.wait.title"), text: t("empty.wait", { interfaces }) });
}
