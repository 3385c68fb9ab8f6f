/** Whose connection it is: the program with its surroundings, and how it was found or why it is not known. */

import * as format from "../format.js";
import { h } from "../dom.js";
import { followable } from "../parts/pivots.js";
import { has, t } from "../strings.js";
import { definitions, mark, section } from "./facts.js";

/** Keys of a connection that this section shows, so that nobody else does. */
export const PROCESS_KEYS = ["app_path", "command_line", "user", "parents", "process_start", "container", "unit", "cpu_percent", "memory_percent", "peer_app_name", "peer_pid", "attribution"];

const CERTAIN = 0.95;

/** A section for the connection `row`; null where nothing was said of its program. */
export function processSection(row) {
  const { attribution } = row;
  if (!attribution && !row.app_name) return null;
  const part = section(t("process.title"), {},
    row.app_name ? null : h("p.faint", {}, attribution?.reason ?? t("process.unknown")),
    definitions([
      [t("process.program"), row.app_name ? named(row.app_name, row.pid) : null, { help: "app_name" }],
      [t("process.path"), followable(row.app_path, { field: "app_path", value: row.app_path }, { mono: true }), { mono: true, help: "app_path" }],
      [t("process.command"), row.command_line, { mono: true, help: "command_line" }],
      [t("process.user"), followable(row.user, { field: "user", value: row.user }), { help: "user" }],
      [t("process.parents"), row.parents, { help: "parents" }],
      [t("process.started"), row.process_start ? format.dateTime(row.process_start) : null, { help: "process_start" }],
      [t("process.container"), followable(row.container, { field: "container", value: row.container }), { help: "container" }],
      [t("process.unit"), followable(row.unit, { field: "unit", value: row.unit }), { help: "unit" }],
      [t("process.cpu"), percent(row.cpu_percent), { help: "cpu_percent" }],
      [t("process.memory"), percent(row.memory_percent), { help: "memory_percent" }],
      [t("process.peer"), row.peer_app_name ? named(row.peer_app_name, row.peer_pid) : null, { help: "peer_app_name" }],
      [t("process.found"), row.app_name ? found(attribution) : null, { help: "attribution" }],
    ]));
  part.dataset.facts = "process";
  return part;
}

const named = (name, pid) => h("span", {}, followable(name, { field: "app_name", value: name }), pid === null || pid === undefined ? null : " ", followable(t("process.pid", { pid: String(pid) }), { field: "pid", value: pid }));

const percent = (value) => (value === null || value === undefined ? null : format.percent(value / 100));

/** `The kernel said it · 30 ms after the first packet`, with a mark where it is not certain. */
function found(attribution) {
  if (!attribution?.method) return null;
  const { method, confidence, seen_after_ms: after, reason } = attribution;
  const words = [has(`process.by.${method}`) ? t(`process.by.${method}`) : method, after === null || after === undefined ? null : t("process.after", { time: format.milliseconds(after) }), reason];
  return h("span", {}, words.filter(Boolean).join(" · "), confidence < CERTAIN ? [" ", mark(t("process.confidence", { percent: format.percent(confidence) }), "warn")] : null);
}
