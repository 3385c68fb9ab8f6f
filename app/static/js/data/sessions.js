/** The capture files that are open beside the live capture, as the server tells them, and which of them this page shows. */

import { post, remove, SESSION, upload } from "../api.js";
import { Signal } from "../signal.js";
import * as live from "./live.js";

const LIVE = "live";

/** {sessions: [{id, name, file, state, progress, message, packets, bytes, first, last}], most}; the live capture comes first. */
export const sessions = new Signal({ sessions: [], most: 0 });

export function start() {
  live.on("sessions", (found) => sessions.set(found));
  live.want("sessions", { session: LIVE }); // the list outlives each of its sessions
}

export const isLive = (one) => one.id === LIVE;
export const isShown = (one) => one.id === (SESSION || LIVE);
export const isOpening = (one) => one.state === "starting" || one.state === "replaying";

/** The session of this page; undefined once it has been closed. */
export const shown = () => sessions.value.sessions.find(isShown);

/** Where a session is looked at: a page of its own, so that nothing of another can be left over in it. */
export function addressOf(one, page = "overview") {
  return `/${isLive(one) ? "" : `?session=${encodeURIComponent(one.id)}`}#/${page}`;
}

/** Opens a file beside the live capture; `onPart` hears 0..1. */
export const open = (file, onPart, signal) => upload("/api/sessions", file, onPart, signal);

export const rename = (one, name) => post(`/api/sessions/${encodeURIComponent(one.id)}`, { name });

export const close = (one) => remove(`/api/sessions/${encodeURIComponent(one.id)}`);

export { SESSION };
