/** Points for the time chart, one array of times and one per metric, and the stretch of time that the chart shows. */

import { get } from "../api.js";

export const RANGES = { "10m": { step: 1, seconds: 600 }, "3h": { step: 10, seconds: 10_800 }, "24h": { step: 60, seconds: 86_400 } };
const FILE_POINTS = 5;
const LEAST_POINTS = 120; // a capture that has just begun does not sit in the last corner of an empty chart

/** {times, series: {metric: values}, step, range: [from, to]} in unix seconds; null without any point. */
export async function load(metrics, range, signal, isFile = false) {
  const { step, seconds } = RANGES[range];
  const { times, series } = await get("/api/timeseries", { metric: metrics.join(","), step }, signal);
  if (!times.length) return null;
  const last = times.at(-1);
  const least = isFile ? FILE_POINTS : LEAST_POINTS;
  const from = Math.max(last - seconds, Math.min(times[0], last - least * step));
  return { times, series, step, range: [from, last] };
}

/** The same of a time in the past, {from, to}: from the seconds that are held where they reach back that far, otherwise from the minutes that were kept. */
export async function loadPast(metrics, { from, to }, signal) {
  const ends = [Date.parse(from), Date.parse(to || new Date())].map((at) => at / 1000);
  const asked = { metric: metrics.join(","), from, to };
  const held = await get("/api/timeseries", asked, signal);
  const reaches = held.times.length > 0 && (Number.isNaN(ends[0]) || held.times[0] <= ends[0] + held.step);
  const { times, series, step } = reaches ? held : await get("/api/timeseries", { ...asked, history: 1 }, signal).catch((problem) => {
    if (problem.name === "AbortError" || !held.times.length) throw problem;
    return held; // nothing is kept for longer
  });
  if (!times.length) return null;
  return { times, series, step, range: [Number.isNaN(ends[0]) ? times[0] : ends[0], ends[1]] };
}
