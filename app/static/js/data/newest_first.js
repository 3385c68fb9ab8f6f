/**
 * A live list, newest first, at most LIMIT rows: packets, DNS queries. While the reader looks further down or has paused, new
 * rows wait in `pending` and are only counted. Every row carries a number, `id`, that grows.
 */

import { page as load } from "../api.js";
import * as live from "./live.js";

const LIMIT = 5000;
const PAGE = 500;

export class NewestFirst {
  rows = [];
  pending = [];
  skipped = 0;
  loaded = false;
  held = false;
  past = null; // {from, to}: rows of the history in place of live ones
  #listener = () => {};
  #loading = null;
  #ids = new Set();
  #made = 0;
  #next = null; // where older rows are
  #streaming = false; // the first frame repeats what is listed already
  #refused = null;

  /** `path`: where the list is; `topic`: what is new; `field`: the key of its rows in a message of that topic. */
  constructor({ path, topic, field }) {
    Object.assign(this, { path, topic, field });
    live.on(topic, (message) => this.#take(message));
  }

  onChange(listener) {
    this.#listener = listener;
  }

  /** Starts over with another query: what is held already, then what comes. `onRefused` hears why it does not parse, or null. */
  async want(q, onRefused) {
    this.#clear();
    this.q = q;
    this.#refused = onRefused;
    await this.#load({});
    if (this.q === q && !this.past) live.want(this.topic, { q, limit: PAGE }, (problem) => problem && onRefused(problem));
  }

  stop() {
    live.unwant(this.topic);
    this.#loading?.abort();
    this.#loading = null;
  }

  /** Holds new rows back, or lets them in. */
  hold(held) {
    this.held = held;
    if (!held && this.pending.length) {
      this.#prepend(this.pending);
      this.pending = [];
      this.#listener();
    }
  }

  /** The next page of older rows, when the reader has scrolled to the end. */
  async more() {
    if (!this.rows.length || this.#loading || !this.#next || this.rows.length >= LIMIT) return;
    await this.#load(this.#next);
  }

  #clear() {
    this.rows = [];
    this.pending = [];
    this.skipped = 0;
    this.loaded = false;
    this.#next = null;
    this.#streaming = false;
    this.#ids.clear();
    this.#loading?.abort();
    this.#loading = null;
    live.unwant(this.topic);
  }

  async #load(parameters) {
    const loading = new AbortController();
    this.#loading = loading;
    try {
      const { rows, next } = await load(this.path, { limit: PAGE, q: this.q, ...(this.past ? { history: 1, ...this.past } : null), ...parameters }, loading.signal);
      if (loading.signal.aborted) return;
      for (const row of rows) row.id ??= `past-${(this.#made += 1)}`; // what was kept has no number
      const fresh = rows.filter((row) => !this.#ids.has(row.id));
      for (const row of fresh) this.#ids.add(row.id);
      this.rows = [...this.rows, ...fresh].slice(0, LIMIT);
      this.#next = next;
      this.#refused?.(null);
    } catch (error) {
      if (error.name === "AbortError") return;
      if (error.status === 400 || this.past) this.#refused?.(error);
      this.#next = null;
    }
    if (this.#loading === loading) this.#loading = null;
    this.loaded = true;
    this.#listener();
  }

  /** What is older than the list's newest is in it, or further down where `more` will find it. */
  #take({ [this.field]: rows, skipped }) {
    if (this.past) return;
    const newest = this.pending[0]?.id ?? this.rows[0]?.id ?? 0;
    const fresh = rows.filter((row) => row.id > newest).sort((a, b) => b.id - a.id);
    for (const row of fresh) this.#ids.add(row.id);
    if (this.#streaming) this.skipped += skipped ?? 0;
    this.#streaming = true;
    if (this.held) this.pending = [...fresh, ...this.pending].slice(0, LIMIT);
    else this.#prepend(fresh);
    this.loaded = true;
    this.#listener();
  }

  #prepend(fresh) {
    this.rows = [...fresh, ...this.rows];
    for (const gone of this.rows.splice(LIMIT)) this.#ids.delete(gone.id);
  }
}
