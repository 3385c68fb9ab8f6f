/** Wires the page together: shell, sections, keyboard. Everything else lives in data/, parts/ and views/. */

import { post, SESSION } from "./api.js";
import * as alerts from "./data/alerts.js";
import * as session from "./data/session.js";
import * as sessions from "./data/sessions.js";
import { isLive, time, timeOf } from "./data/time.js";
import { fill, h, icon, setText } from "./dom.js";
import * as banners from "./parts/banners.js";
import { CaptureBar } from "./parts/capture_bar.js";
import { closeMenu, hideTip, menuAnchor, openMenu, toast, watchTips } from "./parts/floating.js";
import { ask as askLegal } from "./parts/legal.js";
import * as navigation from "./parts/navigation.js";
import { closeDrawer, dialogOpen, openDialog } from "./parts/overlay.js";
import * as keys from "./parts/shortcuts.js";
import * as theme from "./parts/theme.js";
import { ViewTools } from "./parts/view_tools.js";
import * as router from "./router.js";
import { t } from "./strings.js";

/** The sections in order of the navigation; `machine`: of no use in a file that is open beside the live capture; `group` is where they stand in it, `key` the letter after g;
    a page is loaded when it is asked for. A later one is one more line. */
const ALL_SECTIONS = [
  { name: "overview", group: "watch", key: "o", load: async () => (await import("./views/overview.js")).OverviewView },
  { name: "connections", group: "watch", key: "c", load: async () => (await import("./views/connections.js")).ConnectionsView, count: () => (session.capture.value?.source === "file" ? session.stats.value?.flows?.total : session.stats.value?.flows?.active) },
  { name: "alerts", group: "watch", key: "a", load: async () => (await import("./views/alerts.js")).AlertsView, count: () => alerts.summary.value?.new || undefined },
  { name: "history", group: "watch", key: "y", machine: true, load: async () => (await import("./views/history.js")).HistoryView },
  { name: "programs", group: "who", key: "r", load: async () => (await import("./views/programs.js")).ProgramsView },
  { name: "hosts", group: "who", key: "h", load: async () => (await import("./views/hosts.js")).HostsView },
  { name: "world", group: "who", key: "w", load: async () => (await import("./views/world.js")).WorldView },
  { name: "dns", group: "what", key: "d", load: async () => (await import("./views/dns.js")).DnsView },
  { name: "entropy", group: "what", key: "e", load: async () => (await import("./views/entropy.js")).EntropyView },
  { name: "cards", group: "what", key: "n", load: async () => (await import("./views/cards.js")).CardsView },
  { name: "packets", group: "what", key: "p", load: async () => (await import("./views/packets.js")).PacketsView },
  { name: "interfaces", group: "system", key: "i", machine: true, load: async () => (await import("./views/interfaces.js")).InterfacesView },
  { name: "captures", group: "system", key: "f", load: async () => (await import("./views/captures.js")).CapturesView },
  { name: "settings", group: "system", key: "s", load: async () => (await import("./views/settings.js")).SettingsView },
  { name: "help", group: "system", key: "l", load: async () => (await import("./views/help.js")).HelpView },
];
const SECTIONS = ALL_SECTIONS.filter((one) => !SESSION || !one.machine);

const views = new Map();
let shown = null;
let bar = null;
let tools = null;

function start() {
  theme.start();
  for (const element of document.querySelectorAll("[data-text]")) setText(element, t(element.dataset.text));
  for (const element of document.querySelectorAll("[data-label]")) element.setAttribute("aria-label", t(element.dataset.label));
  document.getElementById("skip").addEventListener("click", (event) => {
    event.preventDefault();
    document.getElementById("main").focus();
  });
  watchTips(session.explain);
  session.start();
  sessions.start();
  alerts.start();
  alerts.fresh.watch(tellOfAlerts);
  buildShell();
  banners.start();
  time.watch(router.keep);
  router.route.watch(show);
  router.start();
  keys.start({ sections: SECTIONS, view: () => shown?.view, escape, theme: theme.toggle, help: showKeys });
  askLegal(quit);
}

function buildShell() {
  bar = new CaptureBar({ onQuit: askQuit, moreMenu });
  fill(document.getElementById("topbar"), h("a.brand.mobile-only", { href: "#/overview", "aria-label": t("app.name") }, brandMark()), bar.parts);
  tools = new ViewTools();
  navigation.build(document.getElementById("nav"), SECTIONS);
  const foot = (iconName, label, act) => h("button.btn.btn-quiet.btn-sm", { type: "button", onclick: act, "aria-label": label }, icon(iconName), h("span.label", {}, label));
  fill(document.getElementById("rail-foot"), foot("sun", t("action.theme"), theme.toggle), foot("keyboard", t("action.shortcuts"), showKeys));
}

const TOLD = new Set();
const LOUD = ["high", "critical"];

/** A new alert that matters is told on every page, once; the list has the rest. */
function tellOfAlerts(rows) {
  for (const row of rows ?? []) {
    if (!LOUD.includes(row.severity) || TOLD.has(row.id) || row.count > 1 || row.status !== "new") continue;
    if (TOLD.size > 5000) TOLD.clear();
    TOLD.add(row.id);
    if (shown?.section.name !== "alerts") toast(t("alerts.toast", { severity: t(`alert.severity.${row.severity}`), title: row.title }), "warning");
  }
}

function brandMark() {
  const mark = icon("mark");
  mark.setAttribute("class", "");
  return mark;
}

function moreMenu(anchor) {
  if (menuAnchor() === anchor) return closeMenu();
  const item = (iconName, label, act) => h("button.menu-item", { type: "button", role: "menuitem", onclick: () => { closeMenu(); act(); } }, icon(iconName), label);
  return openMenu(anchor, [item("sun", t("action.theme"), theme.toggle), item("keyboard", t("action.shortcuts"), showKeys), item("power", t("action.quit"), askQuit)], { label: t("action.more") });
}

let wanted = null;

async function show({ name, parameters }) {
  const section = SECTIONS.find((one) => one.name === name) ?? (name ? SECTIONS[0] : null);
  if (!section) return;
  wanted = section;
  const told = timeOf(parameters);
  if (told) time.set(told);
  else if (!isLive()) { // the time goes with the reader
    router.note(section.name, parameters);
    parameters = { ...parameters, ...time.value };
  }
  closeMenu(false);
  document.title = t("app.title", { view: t(`nav.${section.name}`) });
  navigation.mark(section.name);
  if (!views.has(section)) {
    try {
      const View = await section.load();
      if (!views.has(section)) views.set(section, new View({ capture: (names) => bar.picker.choose(names), startOn: (names) => bar.start(names), sections: SECTIONS }));
    } catch (error) {
      console.error(error);
      toast(t("error.page", { view: t(`nav.${section.name}`) }), "error");
      return;
    }
    if (wanted !== section) return; // meanwhile somebody went elsewhere
  }
  if (shown?.section !== section) {
    closeDrawer(false);
    shown?.view.hide();
    shown = { section, view: views.get(section) };
    fill(document.getElementById("main"), shown.view.element);
    scrollTo(0, 0);
  }
  tools.attach(shown.view, section.name);
  shown.view.show(parameters);
}

/** Closes the topmost thing; true if there was one. */
function escape() {
  return hideTip() | closeMenu() || closeDrawer();
}

function showKeys() {
  if (dialogOpen()) return;
  const close = h("button.btn", { type: "button", onclick: () => dialog.close() }, t("action.close"));
  const dialog = openDialog({ id: "keys", title: t("keys.title"), iconName: "keyboard", body: keys.list(SECTIONS), buttons: [close] });
  close.focus();
}

function askQuit() {
  if (dialogOpen()) return;
  const cancel = h("button.btn", { type: "button", onclick: () => dialog.close() }, t("action.cancel"));
  const confirm = h("button.btn.btn-danger", { type: "button", id: "quit-confirm", onclick: () => { dialog.close(); quit(); } }, icon("power"), t("quit.confirm"));
  const dialog = openDialog({ id: "quit-dialog", title: t("quit.title"), iconName: "power", body: h("p", {}, t("quit.body")), buttons: [cancel, confirm] });
  cancel.focus();
}

async function quit() {
  try {
    await post("/api/shutdown");
  } catch (problem) {
    if (problem.status) {
      toast(problem.message, "error");
      return;
    }
    // no answer: the server was gone before it could give one
  }
  document.getElementById("legal")?.close();
  banners.sayQuit();
}

start();
