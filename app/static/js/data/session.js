/**
 * What the whole page shares: capture state, statistics, interfaces and help, each a Signal, plus a short memory of the rates
 * for sparklines. Views watch; only this module listens to the server.
 */

import { get } from "../api.js";
import { Signal } from "../signal.js";
import { has, t } from "../strings.js";
import * as live from "./live.js";

const MEMORY = 120; // seconds of rates kept for sparklines and changes

export const capture = new Signal(null);
export const stats = new Signal(null);
export const sensor = new Signal(null);
export const interfaces = new Signal([]);
export const help = new Signal({});
export const progress = new Signal(null);
export const notices = new Signal(null);

/** Oldest first, one entry a second: {bps, pps, flows, lost, rtt} */
export const history = [];

/** name → [{down, up}], the last readings of each interface */
export const interfaceRates = new Map();

export function start() {
  live.connect();
  live.on("stats", takeStats);
  live.on("capture_state", takeCapture);
  live.on("sensor_state", (state) => sensor.set(state));
  live.on("progress", (state) => progress.set(state));
  live.on("notice", (notice) => notices.set(notice));
  for (const topic of ["stats", "capture_state", "sensor_state", "progress", "notice"]) live.want(topic);
  refresh();
  let lost = false;
  live.link.watch((state) => {
    if (state === "down") lost = true;
    else if (state === "up" && lost) {
      lost = false;
      refresh();
    }
  });
  pollInterfaces();
}

/** Fills the memory with what the sensor has counted before this page was opened. */
async function recall() {
  const { series } = await get("/api/timeseries", { metric: "bps,pps", step: 1 });
  if (history.length > 2) return;
  const now = history.splice(0);
  const earlier = series.bps.map((bps, i) => ({ bps, pps: series.pps[i], flows: null, lost: null, rtt: null }));
  history.push(...earlier.slice(-MEMORY + 1), ...now);
}

async function refresh() {
  const [state, statistics] = await Promise.allSettled([get("/api/capture"), get("/api/stats")]);
  if (state.status === "fulfilled") takeCapture(state.value);
  if (statistics.status === "fulfilled") takeStats(statistics.value);
  recall().catch(() => {}); // only sparklines would be shorter
  if (!Object.keys(help.value).length) get("/api/help").then((entries) => help.set(entries), () => {});
}

/** What a metric means: in the server's words, else in the page's own; null where neither knows it. */
export function explain(metric) {
  return help.value[metric] ?? help.value[metric.split(".").at(-1)] ?? (has(`tip.${metric}`) ? t(`tip.${metric}`) : null);
}

export function takeCapture(message) {
  const state = message?.capture ?? message;
  if (state?.state) capture.set(state);
}

let run = null; // which capture the memory is of

function takeStats(message) {
  if (!message) return;
  remember(message);
  if (message.capture) takeCapture(message.capture);
  if (message.sensor) sensor.set(message.sensor);
  stats.set(message);
}

/** A file has no "now": its memory is what its own clock says, asked for again when it has been read. */
function remember(message) {
  const { started, source, state } = message.capture ?? {};
  const isFile = source === "file";
  const now = `${started} ${isFile ? state : ""}`;
  if (now !== run) {
    history.length = 0;
    if (isFile) recall().catch(() => {});
  }
  run = now;
  if (isFile) return;
  history.push({
    bps: message.rates?.bps ?? null,
    pps: message.rates?.pps ?? null,
    flows: message.flows?.active ?? null,
    lost: message.losses?.kernel_drops ?? null,
    rtt: message.latency?.rtt_ms_median ?? null,
  });
  if (history.length > MEMORY) history.shift();
}

/** Interface rates change slowly; nobody looking means nobody asks. */
function pollInterfaces() {
  const once = async () => {
    if (!document.hidden) {
      try {
        takeInterfaces((await get("/api/interfaces")).interfaces);
      } catch {
        // the banner already says that the server is away
      }
    }
    setTimeout(once, 2000);
  };
  once();
}

function takeInterfaces(list) {
  for (const item of list) {
    const readings = interfaceRates.get(item.interface) ?? [];
    readings.push({ down: item.download_bps ?? 0, up: item.upload_bps ?? 0 });
    if (readings.length > 60) readings.shift();
    interfaceRates.set(item.interface, readings);
  }
  interfaces.set(list);
}
