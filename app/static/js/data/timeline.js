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
