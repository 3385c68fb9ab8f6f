/** The findings, asked for every few seconds while the page is shown: there are few, and they change as numbers come again. */

import { get } from "../api.js";

const EVERY_MS = 2500;
const LIMIT = 5000;

export class CardList {
  rows = [];
  pending = [];
  skipped = 0;
  loaded = false;
  held = false;
  #listener = () => {};
  #timer = null;
  #asking = null;
  #next = null; // what came while the list was held

  onChange(listener) {
    this.#listener = listener;
  }

  /** Starts over with another query. `onRefused` hears why it does not parse, or null. */
  want(q, onRefused) {
    this.stop();
    Object.assign(this, { q, rows: [], pending: [], loaded: false });
    this.#next = null;
    this.#ask(onRefused);
  }

  stop() {
    clearTimeout(this.#timer);
    this.#asking?.abort();
    this.#asking = null;
  }

  hold(held) {
    this.held = held;
    if (held || !this.#next) return;
    this.rows = this.#next;
    this.#next = null;
    this.pending = [];
    this.#listener();
  }

  more() {}

  async #ask(onRefused) {
    const asking = new AbortController();
    this.#asking = asking;
    try {
      const rows = await get("/api/cards", { limit: LIMIT, q: this.q }, asking.signal);
      if (asking.signal.aborted) return;
      onRefused(null);
      this.#take(rows);
    } catch (error) {
      if (error.name === "AbortError") return;
      if (error.status === 400) {
        onRefused(error);
        this.loaded = true;
        this.#listener();
        return;
      }
    }
    this.loaded = true;
    this.#timer = setTimeout(() => this.#ask(onRefused), EVERY_MS);
    this.#listener();
  }

  #take(rows) {
    if (!this.held) {
      this.rows = rows;
      return;
    }
    const newest = this.rows[0]?.id ?? 0;
    this.#next = rows;
    this.pending = rows.filter((row) => row.id > newest);
  }
}
