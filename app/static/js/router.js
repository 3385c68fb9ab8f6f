/** Hash routes: #/connections?q=port:443. A page is a view with element, show(parameters) and hide(). */

import { Signal } from "./signal.js";

export const route = new Signal({ name: "", parameters: {} });

export function parse(hash) {
  const [path, search = ""] = hash.replace(/^#\/?/, "").split("?");
  return { name: path || "overview", parameters: Object.fromEntries(new URLSearchParams(search)) };
}

export function address(name, parameters = {}) {
  const entries = Object.entries(parameters).filter(([, value]) => value !== undefined && value !== null && value !== "");
  return `#/${name}${entries.length ? `?${new URLSearchParams(entries)}` : ""}`;
}

export function go(name, parameters = {}) {
  const target = address(name, parameters);
  if (location.hash === target) route.set(parse(target));
  else location.hash = target;
}

/** Changes the parameters in the address without a new entry in the history. */
export function note(name, parameters) {
  history.replaceState(null, "", address(name, parameters));
}

export function start() {
  const follow = () => route.set(parse(location.hash));
  window.addEventListener("hashchange", follow);
  follow();
}
