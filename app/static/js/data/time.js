/** Which time the pages show: live, or a time in the past that goes with the reader from page to page, in the address. */

import { Signal } from "../signal.js";

/** Ranges that end now, in seconds. */
export const RANGES = { "15m": 900, "1h": 3600, "24h": 86_400, "7d": 604_800, "30d": 2_592_000 };

const LIVE = { range: "", from: "", to: "" };

/** {range, from, to}: a key of RANGES, or instants; all empty is live. */
export const time = new Signal(LIVE);

export const isLive = () => !time.value.range && !time.value.from && !time.value.to;

/** What an address says of the time; null where it says nothing. */
export function timeOf({ range = "", from = "", to = "" }) {
  if (range in RANGES) return { range, from: "", to: "" };
  const known = (text) => (text && !Number.isNaN(Date.parse(text)) ? text : "");
  return known(from) || known(to) ? { range: "", from: known(from), to: known(to) } : null;
}

export const forget = () => time.set(LIVE);

/** {from, to} to ask the history for; null while live. */
export function span({ range, from, to } = time.value) {
  if (range) {
    const now = Date.now();
    return { from: new Date(now - RANGES[range] * 1000).toISOString(), to: new Date(now).toISOString() };
  }
  return from || to ? { from, to } : null;
}

/** Two places of a chart, in unix seconds, as a time of one's own; never shorter than a second. */
export function between(from, to) {
  const first = Math.floor(from);
  return { range: "", from: new Date(first * 1000).toISOString(), to: new Date(Math.max(Math.ceil(to), first + 1) * 1000).toISOString() };
}

/** What a datetime-local field holds, as an instant; empty for none. */
export function instant(text) {
  const at = new Date(text);
  return Number.isNaN(at.getTime()) ? "" : at.toISOString();
}

/** An instant as a datetime-local field holds it. */
export function local(text) {
  const at = new Date(text);
  if (!text || Number.isNaN(at.getTime())) return "";
  return new Date(at.getTime() - at.getTimezoneOffset() * 60_000).toISOString().slice(0, 19);
}
