/** The two things that take over: the drawer at the right (details beside the live page) and modal dialogs (a question). */

import { fill, h, icon } from "../dom.js";
import { t } from "../strings.js";

let drawer = null;

/**
 * Opens the drawer; another one replaces it. `onClose` runs when it goes. Focus moves in and comes back.
 * Returns {element, body, setHead(title, subtitle, extra)}.
 */
export function openDrawer({ title, subtitle, extra, actions = [], body, onClose, label }) {
  const before = drawer ? drawer.before : document.activeElement;
  closeDrawer(false);
  const heading = h("h2", { id: "drawer-title" });
  const line = h("p");
  const more = h("div");
  const content = h("div.drawer-body", {}, body);
  const close = h("button.btn.btn-quiet.btn-icon", { type: "button", "aria-label": t("action.close"), onclick: () => closeDrawer() }, icon("close"));
  const element = h("aside.drawer", { role: "dialog", "aria-labelledby": "drawer-title", tabindex: "-1", data: { kind: label } },
    h("div.drawer-head", {}, h("div.titles", {}, heading, line, more), close),
    h("div.drawer-actions", {}, actions),
    content);
  const setHead = (newTitle, newSubtitle, newExtra) => {
    fill(heading, newTitle);
    fill(line, newSubtitle);
    fill(more, newExtra);
  };
  setHead(title, subtitle, extra);
  document.body.append(element);
  drawer = { element, before, onClose };
  element.focus({ preventScroll: true });
  return { element, body: content, setHead };
}

export function closeDrawer(refocus = true) {
  if (!drawer) return false;
  const { element, before, onClose } = drawer;
  drawer = null;
  element.remove();
  onClose?.();
  if (refocus && before?.isConnected) before.focus({ preventScroll: true });
  return true;
}

/** A modal <dialog>. `dismissible: false` keeps it until one of its own buttons closes it. */
export function openDialog({ title, iconName, body, buttons, dismissible = true, id }) {
  const element = h("dialog.modal", { "aria-labelledby": `${id}-title`, id },
    h("div.modal-head", {}, icon(iconName), h("h1", { id: `${id}-title` }, title)),
    h("div.modal-body", { tabindex: "0" }, body),
    h("div.modal-foot", {}, buttons));
  element.addEventListener("cancel", (event) => !dismissible && event.preventDefault());
  element.addEventListener("keydown", (event) => !dismissible && event.key === "Escape" && event.preventDefault());
  element.addEventListener("click", (event) => dismissible && event.target === element && element.close());
  element.addEventListener("close", () => element.remove());
  document.body.append(element);
  element.showModal();
  return element;
}

export const dialogOpen = () => document.querySelector("dialog[open]") !== null;
