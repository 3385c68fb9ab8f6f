/** Numbers, sizes, rates and times as people read them. Unknown is a dash, never a zero. */

import { locale, t } from "./strings.js";

export const NONE = "–";

const whole = new Intl.NumberFormat(locale, { maximumFractionDigits: 0 });
const oneDigit = new Intl.NumberFormat(locale, { maximumFractionDigits: 1 });
const twoDigits = new Intl.NumberFormat(locale, { maximumFractionDigits: 2 });
const fixed = [0, 1, 2].map((digits) => new Intl.NumberFormat(locale, { minimumFractionDigits: digits, maximumFractionDigits: digits }));
const clock = new Intl.DateTimeFormat(locale, { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
const exact = new Intl.DateTimeFormat(locale, { year: "numeric", month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", second: "2-digit", fractionalSecondDigits: 3, hourCycle: "h23" });
const dateClock = new Intl.DateTimeFormat(locale, { year: "numeric", month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });

const known = (value) => value !== null && value !== undefined && value !== "" && !Number.isNaN(value);

export function count(value) {
  return known(value) ? whole.format(value) : NONE;
}

export function decimal(value, digits = 1) {
  if (!known(value)) return NONE;
  return digits === 0 ? whole.format(value) : digits === 1 ? oneDigit.format(value) : twoDigits.format(value);
}

/** [figure, prefix] with three significant digits: 1234567 → ["1.23", "M"] */
function scaled(value, base = 1000) {
  const prefixes = ["", "k", "M", "G", "T", "P"];
  let step = 0;
  let rest = Math.abs(value);
  while (rest >= base * 0.9995 && step < prefixes.length - 1) {
    rest /= base;
    step += 1;
  }
  const digits = step === 0 ? (Number.isInteger(rest) ? 0 : 1) : rest < 9.995 ? 2 : rest < 99.95 ? 1 : 0;
  const figure = fixed[digits].format(rest);
  return [value < 0 ? `-${figure}` : figure, prefixes[step]];
}

/** {figure, unit} for a tile. */
export function bitRateParts(bps) {
  if (!known(bps)) return { figure: NONE, unit: "" };
  const [figure, prefix] = scaled(bps);
  return { figure, unit: `${prefix}${t("unit.bitsPerSecond")}` };
}

export function bitRate(bps) {
  const { figure, unit } = bitRateParts(bps);
  return unit ? `${figure} ${unit}` : figure;
}

export function bytes(value) {
  if (!known(value)) return NONE;
  const [figure, prefix] = scaled(value);
  return `${figure} ${prefix}${t("unit.bytes")}`;
}

export function short(value) {
  if (!known(value)) return NONE;
  const [figure, prefix] = value < 10_000 ? [whole.format(value), ""] : scaled(value);
  return prefix ? `${figure} ${prefix}` : figure;
}

export function percent(part, digits = 1) {
  if (!known(part)) return NONE;
  const value = part * 100;
  if (value > 0 && value < 0.1) return `< ${oneDigit.format(0.1)} %`;
  return `${decimal(value, value >= 10 ? 0 : digits)} %`;
}

export function milliseconds(value) {
  if (!known(value)) return NONE;
  if (value < 1) return `${twoDigits.format(value)} ms`;
  return value < 1000 ? `${value < 100 ? oneDigit.format(value) : whole.format(value)} ms` : `${twoDigits.format(value / 1000)} s`;
}

/** A span in seconds: 420 ms, 12 s, 3 min 4 s, 25 min, 2 h 5 min. */
export function span(seconds) {
  if (!known(seconds)) return NONE;
  if (seconds < 1) return seconds === 0 ? "0 s" : `${Math.max(1, Math.round(seconds * 1000))} ms`;
  if (seconds < 10) return `${oneDigit.format(seconds)} s`;
  const total = Math.round(seconds);
  if (total < 60) return `${total} s`;
  if (total >= 600 && total < 3600) return `${Math.floor(total / 60)} min`;
  if (total < 600) return total % 60 ? `${Math.floor(total / 60)} min ${total % 60} s` : `${total / 60} min`;
  if (total < 86400) return `${Math.floor(total / 3600)} h ${Math.floor((total % 3600) / 60)} min`;
  return `${Math.floor(total / 86400)} d ${Math.floor((total % 86400) / 3600)} h`;
}

/** A running clock: 0:07, 12:33, 1:02:33. */
export function stopwatch(seconds) {
  if (!known(seconds)) return "";
  const total = Math.max(0, Math.floor(seconds));
  const two = (value) => String(value).padStart(2, "0");
  const hours = Math.floor(total / 3600);
  const minutes = Math.floor((total % 3600) / 60);
  return hours ? `${hours}:${two(minutes)}:${two(total % 60)}` : `${minutes}:${two(total % 60)}`;
}

/** Local time of day from an RFC 3339 text: 14:03:22.051, or without the milliseconds. */
export function timeOfDay(text, fine = true) {
  const time = parsed(text);
  if (time && !fine) return clock.format(time);
  return time ? `${clock.format(time)}.${String(time.getMilliseconds()).padStart(3, "0")}` : NONE;
}

/** Two times, without saying twice what they share. */
export function dateSpan(from, to) {
  return dateClock.formatRange(new Date(from), new Date(to));
}

export function dateTime(text) {
  const time = parsed(text);
  return time ? dateClock.format(time) : NONE;
}

/** With the date and the milliseconds. */
export function exactTime(text) {
  const time = parsed(text);
  return time ? exact.format(time) : NONE;
}

export function clockTime(unixSeconds) {
  return clock.format(new Date(unixSeconds * 1000));
}

function parsed(text) {
  if (!known(text)) return null;
  const time = new Date(text);
  return Number.isNaN(time.getTime()) ? null : time;
}

/** A change against an earlier value, in percent with a sign; null where it would say nothing. */
export function change(now, before) {
  if (!known(now) || !known(before) || before <= 0) return null;
  const part = (now - before) / before;
  if (Math.abs(part) < 0.005) return { text: "0 %", direction: 0 };
  const size = Math.min(Math.abs(part) * 100, 999);
  return { text: `${part > 0 ? "+" : "−"}${size < 10 ? oneDigit.format(size) : whole.format(size)} %`, direction: Math.sign(part) };
}
