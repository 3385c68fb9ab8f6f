/** Things that float over the page: menus, the tip beside a help mark, and toasts. One of each at a time, except toasts. */

import { append, fill, h, icon } from "../dom.js";
import { t } from "../strings.js";

// -- menus -------------------------------------------------------------------------------------------------------------

let open = null;

/** Opens a menu at `anchor`; `content` are elements. Escape, a click elsewhere or `close()` ends it and returns the focus. */
export function openMenu(anchor, content, { label, role = "menu", onClose } = {}) {
  closeMenu(false);
  const menu = h("div.menu", { role, "aria-label": label, tabindex: "-1" });
  append(menu, [content]);
  document.body.append(menu);
  place(menu, anchor.getBoundingClientRect());
  anchor.setAttribute("aria-expanded", "true");
  open = { menu, anchor, onClose, before: document.activeElement };
  menu.addEventListener("keydown", (event) => step(event, menu));
  (menu.querySelector("[aria-checked=true], [aria-selected=true]") ?? menu.querySelector("button, [tabindex='0']") ?? menu).focus({ preventScroll: true });
  return menu;
}

export function closeMenu(refocus = true) {
  if (!open) return false;
  const { menu, anchor, onClose, before } = open;
  open = null;
  menu.remove();
  anchor.setAttribute("aria-expanded", "false");
  if (refocus) (before?.isConnected ? before : anchor).focus({ preventScroll: true });
  onClose?.();
  return true;
}

export const menuAnchor = () => open?.anchor ?? null;

function place(menu, box) {
  const gap = 6;
  const left = Math.max(12, Math.min(box.left, innerWidth - menu.offsetWidth - 12));
  const below = box.bottom + gap + menu.offsetHeight <= innerHeight - 8;
  const top = below ? box.bottom + gap : Math.max(8, box.top - gap - menu.offsetHeight);
  menu.style.left = `${left}px`;
  menu.style.top = `${top}px`;
}

function step(event, menu) {
  if (event.target.matches("input:not([type=checkbox])")) return; // its keys are its own
  const items = [...menu.querySelectorAll("button:not(:disabled)")];
  const at = items.indexOf(document.activeElement);
  const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: items.length - 1 }[event.key];
  if (to === undefined || !items.length) return;
  event.preventDefault();
  items[(to + items.length) % items.length].focus();
}

// -- tips --------------------------------------------------------------------------------------------------------------

const tip = h("div.tip", { role: "tooltip", id: "tip", hidden: true });
let tipOf = null;

function showTip(anchor, text) {
  if (!text) return;
  fill(tip, text);
  tip.hidden = false;
  const box = anchor.getBoundingClientRect();
  const left = Math.max(8, Math.min(box.left + box.width / 2 - tip.offsetWidth / 2, innerWidth - tip.offsetWidth - 8));
  const above = box.top - tip.offsetHeight - 8;
  tip.style.left = `${left}px`;
  tip.style.top = `${above > 8 ? above : box.bottom + 8}px`;
  tipOf = anchor;
  anchor.setAttribute("aria-describedby", "tip");
}

export function hideTip() {
  if (!tipOf) return false;
  tipOf.removeAttribute("aria-describedby");
  tipOf = null;
  tip.hidden = true;
  return true;
}

/** Elements with data-help=<metric> get their explanation on hover and focus; data-tip carries a text of its own. */
export function watchTips(explain) {
  document.body.append(tip);
  const enter = (event) => {
    const anchor = event.target.closest?.("[data-help], [data-tip]");
    if (anchor === tipOf) return;
    hideTip();
    if (anchor) showTip(anchor, anchor.dataset.tip ?? explain(anchor.dataset.help));
  };
  document.addEventListener("pointerover", enter);
  document.addEventListener("focusin", (event) => event.target.matches?.(":focus-visible") && enter(event));
  document.addEventListener("focusout", hideTip);
  document.addEventListener("pointerdown", (event) => {
    const mark = event.target.closest?.(".help");
    if (!mark) hideTip();
    if (open && !open.menu.contains(event.target) && !open.anchor.contains(event.target)) closeMenu(false);
  });
  document.addEventListener("scroll", hideTip, true);
}

/** A quiet question mark that explains a metric. */
export function helpMark(metric, label) {
  return h("button.help", { type: "button", "aria-label": t("help.about", { what: label }), data: { help: metric } }, icon("help"));
}

// -- toasts ------------------------------------------------------------------------------------------------------------

export function toast(text, level = "info") {
  const host = document.getElementById("toasts");
  if ([...host.children].some((other) => other.dataset.text === text)) return;
  while (host.children.length > 3) host.firstChild.remove();
  const element = h("div.toast", { data: { level, text }, role: level === "error" ? "alert" : null },
    icon(level === "info" ? "info" : "warning"),
    h("p", {}, text),
    h("button.btn.btn-quiet.btn-sm.btn-icon", { type: "button", "aria-label": t("action.dismiss"), onclick: () => element.remove() }, icon("close", "icon-sm")));
  host.append(element);
  setTimeout(() => element.remove(), level === "error" ? 12_000 : 6_000);
}

export async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    toast(t("action.copied"));
  } catch {
    toast(text); // no clipboard over plain http from another machine: show it, so that it can be selected
  }
}
