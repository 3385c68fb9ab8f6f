/** Hash routes: #/connections?q=port:443. A page is a view with element, show(parameters) and hide(). */

import { Signal } from "./signal.js";

let followed = null; // the address that is shown
let kept = {}; // parameters that go with the reader from page to page

export const route = new Signal({ name: "", parameters: {} });

export function parse(hash) {
  const [path, search = ""] = hash.replace(/^#\/?/, "").split("?");
  return { name: path || "overview", parameters: Object.fromEntries(new URLSearchParams(search)) };
}

export function address(name, parameters = {}) {
  const entries = Object.entries(parameters).filter(([, value]) => value !== undefined && value !== null && value !== "");
  return `#/${name}${entries.length ? `?${new URLSearchParams(entries)}` : ""}`;
}

/** Goes to a page at once; the browser's own event for it comes later and finds nothing left to do. */
export function go(name, parameters = {}) {
  location.hash = address(name, parameters);
  follow(true);
}

/** Parameters that every address has from now on: the time that is shown. */
export function keep(parameters) {
  kept = parameters;
}

/** Changes the parameters in the address without a new entry in the history. */
export function note(name, parameters) {
  history.replaceState(null, "", address(name, { ...parameters, ...kept }));
  followed = location.hash;
}

export function start() {
  window.addEventListener("hashchange", () => follow(false));
  follow(true);
}

function follow(again) {
  if (location.hash === followed && !again) return;
  followed = location.hash;
  route.set(parse(followed));
}
