/** Dark or light: what the user chose last, otherwise dark. Charts redraw themselves by watching `theme`. */

import { Signal } from "../signal.js";

const KEY = "netglass.theme";
export const theme = new Signal("dark");

export function start() {
  theme.set(localStorage.getItem(KEY) === "light" ? "light" : "dark");
  theme.watch((name) => document.documentElement.setAttribute("data-theme", name));
}

export function toggle() {
  const next = theme.value === "dark" ? "light" : "dark";
  localStorage.setItem(KEY, next);
  theme.set(next);
}
