/**
 * The connections the server sent, kept as plain objects by flow_id. A message is a base (replaces everything) or a delta;
 * `rate` is worked out here from two byte counts and the time between them.
 */

import { page } from "../api.js";
import * as live from "./live.js";

const RATE_MEMORY_MS = 2500; // a row that has not changed for this long carries nothing now

export class Connections {
  rows = new Map();
  total = 0;
  #listener = () => {};
  #heard = false;
  #wanted = false;
  #loading = null;

  constructor() {
    live.on("connections", (message) => this.#wanted && this.#take(message));
  }

  get loaded() {
    return this.#heard;
  }

  onChange(listener) {
    this.#listener = listener;
  }

  /** Asks for what matches; `onRefused` hears why a query does not parse, or null. `past` {from, to}: those that were kept of that time. */
  want(q, limit, onRefused, past = null) {
    this.stop();
    if (past) return this.#load({ q, limit, history: 1, ...past }, onRefused);
    this.#wanted = true;
    live.want("connections", { q, limit }, onRefused);
  }

  stop() {
    this.#wanted = false;
    live.unwant("connections");
    this.#loading?.abort();
    this.#loading = null;
  }

  async #load(parameters, onRefused) {
    const loading = (this.#loading = new AbortController());
    this.rows = new Map();
    this.#heard = false;
    this.#listener();
    try {
      const { rows, total } = await page("/api/connections", parameters, loading.signal);
      if (loading.signal.aborted) return;
      for (const row of rows) {
        const key = `${row.run}/${row.flow_id}/${row.stretch}`;
        this.rows.set(key, Object.assign(row, { key, rate: 0, touched: -Infinity }));
      }
      this.total = total;
      onRefused(null);
    } catch (problem) {
      if (loading.signal.aborted) return;
      onRefused(problem);
    }
    this.#heard = true;
    this.#listener();
  }

  #take({ base, columns, rows, removed, total }) {
    const now = performance.now();
    const seen = base ? new Map() : this.rows;
    for (const values of rows) {
      const row = {};
      for (let i = 0; i < columns.length; i += 1) row[columns[i]] = values[i];
      row.rate = this.#rate(row, this.rows.get(row.flow_id), now);
      row.touched = now;
      seen.set(row.flow_id, row);
    }
    this.rows = seen;
    for (const id of removed ?? []) this.rows.delete(id);
    this.total = total ?? this.rows.size;
    this.#heard = true;
    this.#listener();
  }

  #rate(row, before, now) {
    if (!before || row.end_time) return 0;
    const seconds = (now - before.touched) / 1000;
    const grown = (row.bytes_sent ?? 0) + (row.bytes_recv ?? 0) - (before.bytes_sent ?? 0) - (before.bytes_recv ?? 0);
    return seconds > 0.2 && grown > 0 ? (grown * 8) / Math.max(seconds, 1) : 0;
  }

  /** Bits per second now: nothing since a while means nothing. */
  static rateNow(row) {
    return performance.now() - row.touched < RATE_MEMORY_MS ? row.rate : 0;
  }
}
