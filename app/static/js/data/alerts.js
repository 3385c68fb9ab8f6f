/**
 * Alerts, newest first: a list that is asked for again when something is new, because alerts grow in place. While the reader looks further down or has
 * paused, it stands still and new ones are only counted.
 */

import { get } from "../api.js";
import { Signal } from "../signal.js";
import * as live from "./live.js";

const LIMIT = 1000;
const REST_MS = 900; // between two askings

/** Open alerts by severity and rule, and how detection is; null before it is known. */
export const summary = new Signal(null);

/** The newest alerts as they come, for whoever wants to say so at once. */
export const fresh = new Signal(null);

let summaryAsked = false;

export function start() {
  live.on("alert", (message) => {
    fresh.set(message.alerts);
    refreshSummary();
  });
  live.want("alert", {});
  live.link.watch((state) => state === "up" && refreshSummary());
}

/** Asks for the figures again, once a second at most. */
export function refreshSummary() {
  if (summaryAsked) return;
  summaryAsked = true;
  setTimeout(async () => {
    summaryAsked = false;
    try {
      summary.set(await get("/api/alert_summary"));
    } catch {
      // the banner already says that the server is away
    }
  }, 300);
}

export class AlertList {
  rows = [];
  pending = [];
  skipped = 0;
  loaded = false;
  held = false;
  withMuted = false;
  past = null; // {from, to}: alerts of the history in place of live ones
  muted = 0;
  #listener = () => {};
  #loading = null;
  #following = null;
  #behind = false; // something was new and is neither listed nor counted
  #timer = null;
  #wanted = false;
  #refused = null;

  constructor() {
    live.on("alert", ({ alerts }) => this.#hear(alerts));
  }

  onChange(listener) {
    this.#listener = listener;
  }

  async want(q, onRefused) {
    this.q = q;
    this.#refused = onRefused;
    this.#wanted = true;
    this.pending = [];
    await this.reload();
  }

  stop() {
    this.#wanted = false;
    clearTimeout(this.#timer);
    this.#timer = null;
    this.#loading?.abort();
  }

  /** Holds the list as it is: what is on its way because something was new does not come in either. */
  hold(held) {
    this.held = held;
    if (held && this.#following) {
      this.#following.abort();
      this.#behind = true;
    }
    if (!held && (this.#behind || this.pending.length)) this.reload();
  }

  /** One page holds all that is shown. */
  async more() {}

  /** Asks again: because the reader wants to, or (`following`) because something is new. */
  async reload(following = false) {
    this.#loading?.abort();
    const loading = new AbortController();
    this.#loading = loading;
    this.#following = following ? loading : null;
    try {
      const rows = await get("/api/alerts", { limit: LIMIT, q: this.q, ...(this.past ? { history: 1, ...this.past } : { muted: this.withMuted ? 1 : null }) }, loading.signal);
      if (loading.signal.aborted) return;
      this.rows = rows;
      this.pending = [];
      this.#behind = false;
      this.#refused?.(null);
    } catch (error) {
      if (error.name === "AbortError") return;
      if (error.status === 400 || this.past) this.#refused?.(error);
    }
    this.#following = null;
    this.loaded = true;
    this.#listener();
  }

  #hear(alerts) {
    if (!this.#wanted || this.past) return;
    if (this.held) {
      const known = new Set([...this.rows, ...this.pending].map((row) => row.id));
      this.pending = [...alerts.filter((row) => !known.has(row.id)), ...this.pending].slice(0, LIMIT);
      this.#listener();
      return;
    }
    this.#timer ??= setTimeout(() => {
      this.#timer = null;
      if (!this.#wanted) return;
      if (this.held) this.#behind = true;
      else this.reload(true);
    }, REST_MS);
  }
}
