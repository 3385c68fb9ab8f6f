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
  muted = 0;
  #listener = () => {};
  #loading = null;
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

  hold(held) {
    this.held = held;
    if (!held && this.pending.length) this.reload();
  }

  /** One page holds all that is shown. */
  async more() {}

  async reload() {
    this.#loading?.abort();
    const loading = new AbortController();
    this.#loading = loading;
    try {
      const rows = await get("/api/alerts", { limit: LIMIT, q: this.q, muted: this.withMuted ? 1 : null }, loading.signal);
      if (loading.signal.aborted) return;
      this.rows = rows;
      this.pending = [];
      this.#refused?.(null);
    } catch (error) {
      if (error.name === "AbortError") return;
      if (error.status === 400) this.#refused?.(error.message);
    }
    this.loaded = true;
    this.#listener();
  }

  #hear(alerts) {
    if (!this.#wanted) return;
    if (this.held) {
      const known = new Set([...this.rows, ...this.pending].map((row) => row.id));
      this.pending = [...alerts.filter((row) => !known.has(row.id)), ...this.pending].slice(0, LIMIT);
      this.#listener();
      return;
    }
    this.#timer ??= setTimeout(() => {
      this.#timer = null;
      if (this.#wanted && !this.held) this.reload();
    }, REST_MS);
  }
}
