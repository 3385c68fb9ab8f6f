/** What is wrong right now, above everything else: the link, the sensor, long work. Each has one line that goes by itself. */

import * as live from "../data/live.js";
import * as session from "../data/session.js";
import { SESSION, sessions, shown } from "../data/sessions.js";
import { h, icon, setText } from "../dom.js";
import { has, t } from "../strings.js";
import { toast } from "./floating.js";

const host = () => document.getElementById("banners");
let quit = false;

export function start() {
  let wasDown = null;
  live.link.watch((state) => {
    clearTimeout(wasDown);
    if (quit) return;
    if (state === "up") show("link", null);
    // A page that is being reloaded, or a short hiccup, needs no alarm.
    if (state === "down") wasDown = setTimeout(() => show("link", "error", "lost", t("link.down")), 400);
  });
  session.sensor.watch(showSensor);
  session.progress.watch(showProgress);
  session.notices.watch((notice) => notice?.text && toast(notice.text, notice.level === "error" || notice.level === "warning" ? notice.level : "info"));
  sessions.watch(showClosed);
  new ResizeObserver(() => document.documentElement.style.setProperty("--banner-height", `${host().offsetHeight}px`)).observe(host());
}

export function sayQuit() {
  quit = true;
  show("link", "warning", "power", t("link.stopped"));
}

function showSensor(sensor) {
  const state = sensor?.state;
  const level = { restarting: "error", silent: "warning", gone: "error" }[state];
  show("sensor", level, "lost", level ? `${sensor.message || t(`sensor.${state}`)} ${t(`sensor.${state}.effect`)}` : "");
}

/** A session may be closed from elsewhere, or with the program. */
function showClosed({ sessions: all }) {
  const closed = SESSION && all.length && !shown();
  const element = show("session", closed ? "warning" : null, "info", closed ? t("sessions.gone") : "");
  if (element && !element.querySelector("a")) element.append(h("a.btn.btn-sm", { href: "/" }, t("sessions.toLive")));
}

function showProgress(progress) {
  const busy = progress?.task && progress.task !== "replay" && !(progress.total && progress.done >= progress.total);
  const element = show("progress", busy ? "info" : null, "wait", busy ? wording(progress) : "");
  if (!element) return;
  const bar = element.querySelector("progress") ?? element.appendChild(h("progress", { max: "1" }));
  if (progress.total) bar.value = progress.done / progress.total;
  else bar.removeAttribute("value");
}

function wording(progress) {
  if (has(`progress.${progress.task}`)) return t(`progress.${progress.task}`, progress);
  return progress.text || t("progress.text", progress);
}

function show(id, level, iconName, text) {
  const before = host().querySelector(`[data-id="${id}"]`);
  if (!level) {
    before?.remove();
    return null;
  }
  const element = before ?? host().appendChild(h("div.banner", { data: { id } }, icon(iconName), h("p")));
  element.dataset.level = level;
  setText(element.querySelector("p"), text);
  return element;
}
