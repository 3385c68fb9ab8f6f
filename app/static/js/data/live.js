/**
 * The Socket.IO link: what is wanted is remembered here and asked for again after every reconnection, so that views only say
 * what they show. `link` is "connecting", "up" or "down".
 */

import { io } from "../../vendor/socket.io.esm.min.js";
import { Problem, SESSION } from "../api.js";
import { Signal } from "../signal.js";

export const link = new Signal("connecting");

let socket = null;
const wanted = new Map(); // topic → {q, limit}
const listeners = new Map(); // event → Set of listeners
const refusals = new Map(); // topic → callback for a refused query

export function connect() {
  socket = io({ transports: ["websocket", "polling"], reconnectionDelay: 500, reconnectionDelayMax: 4000, timeout: 8000 });
  socket.on("connect", () => {
    link.set("up");
    for (const topic of wanted.keys()) ask(topic);
  });
  socket.on("disconnect", (reason) => {
    link.set("down");
    if (reason === "io server disconnect") socket.connect(); // socket.io does not come back from this one by itself
  });
  socket.on("connect_error", () => {
    link.set("down");
  });
}

/**
 * Hears an event of the server. Each is acknowledged once it has been taken in: the server sends the next frame of a topic only
 * then, so a slow page gets fewer frames instead of a queue.
 */
export function on(event, listener) {
  if (!listeners.has(event)) {
    listeners.set(event, new Set());
    socket.on(event, (message, acknowledge) => {
      for (const one of listeners.get(event)) one(message);
      if (typeof acknowledge === "function") acknowledge();
    });
  }
  listeners.get(event).add(listener);
}

/** Wants a topic; `options` {q, limit}. `onRefused` hears the `Problem` when the query does not parse, or null. */
export function want(topic, options = {}, onRefused = null) {
  wanted.set(topic, options);
  if (onRefused) refusals.set(topic, onRefused);
  if (socket?.connected) ask(topic);
}

export function unwant(topic) {
  if (!wanted.delete(topic)) return;
  refusals.delete(topic);
  if (socket?.connected) socket.emit("unsubscribe", { topics: [topic] });
}

function ask(topic) {
  const request = { topics: [topic], ...(SESSION ? { session: SESSION } : {}), ...wanted.get(topic) };
  if (!request.q) delete request.q;
  socket.emit("subscribe", request, (reply) => {
    const refused = refusals.get(topic);
    if (refused) refused(reply?.ok === false ? new Problem(reply.error, 400) : null);
  });
}
