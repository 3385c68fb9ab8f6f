/** The columns of the table of programs. */

import * as format from "../format.js";
import { t } from "../strings.js";

const text = (key) => (row) => row[key];
const joined = (key) => (row) => row[key].join(", ");

export const COLUMNS = [
  { key: "app_name", label: t("programs.program"), width: 190, grow: 1, cell: text("app_name"), beneath: text("app_path"), term: (row) => ({ field: "app_name", value: row.app_name }) },
  { key: "users", label: t("programs.user"), width: 90, cell: joined("users") },
  { key: "bytes", label: t("host.bytes"), width: 92, align: "num", cell: (row) => format.bytes(row.bytes), value: text("bytes") },
  { key: "bytes_sent", label: t("host.sent"), width: 88, align: "num", cell: (row) => format.bytes(row.bytes_sent), value: text("bytes_sent") },
  { key: "bytes_recv", label: t("host.received"), width: 92, align: "num", cell: (row) => format.bytes(row.bytes_recv), value: text("bytes_recv") },
  { key: "flows", label: t("host.flows"), width: 102, align: "num", cell: (row) => format.count(row.flows), value: text("flows") },
  { key: "active", label: t("host.active"), width: 80, align: "num", cell: (row) => format.count(row.active), value: text("active"), least: 900 },
  { key: "remote_count", label: t("programs.remotes"), width: 88, align: "num", cell: (row) => format.count(row.remote_count), value: text("remote_count"), least: 900, sortable: true },
  { key: "processes", label: t("programs.processes"), width: 98, align: "num", cell: (row) => format.count(row.processes), value: text("processes"), least: 1100 },
  { key: "cpu_percent", label: t("programs.cpu"), width: 76, align: "num", cell: (row) => percent(row.cpu_percent), value: text("cpu_percent"), least: 1100 },
  { key: "memory_percent", label: t("programs.memory"), width: 88, align: "num", cell: (row) => percent(row.memory_percent), value: text("memory_percent"), least: 1100 },
  { key: "container", label: t("programs.container"), width: 110, cell: (row) => row.container ?? joined("units")(row), least: 1500 },
  { key: "last_seen", label: t("host.lastSeen"), width: 96, className: "dim", newestFirst: true, cell: (row) => format.timeOfDay(row.last_seen, false), value: text("last_seen"), least: 900 },
].map((column) => ({ help: column.key, sortable: true, pick: Boolean(column.term), ...column }));

const percent = (value) => (value === null ? null : format.percent(value / 100));
