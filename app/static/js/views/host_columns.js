/** The columns of the table of hosts. */

import * as format from "../format.js";
import { t } from "../strings.js";

const text = (key) => (row) => row[key];
const termOf = (field, key = field) => (row) => (row[key] === null || row[key] === undefined ? null : { field, value: row[key] });
export const traffic = (row) => row.bytes_sent + row.bytes_recv;

export const COLUMNS = [
  { key: "address", label: t("host.address"), width: 190, grow: 1.2, above: (row) => (row.name === row.address ? null : row.name), cell: text("address"), term: termOf("ip", "address"), sort: "ip" },
  { key: "kind", label: t("host.kind"), width: 112, cell: (row) => t(`hosts.kind.${row.kind}`), term: termOf("kind"), sort: "kind" },
  { key: "country", label: t("host.country"), width: 118, cell: text("country_name"), term: termOf("country"), sort: "country" },
  { key: "organization", label: t("host.organization"), width: 150, grow: 0.8, cell: text("organization"), term: termOf("organization"), sort: "organization", least: 1100 },
  { key: "vendor", label: t("host.vendor"), width: 120, grow: 0.3, cell: text("vendor"), beneath: text("mac"), term: termOf("vendor"), sort: "vendor", least: 1300 },
  { key: "bytes", label: t("host.bytes"), width: 88, align: "num", cell: (row) => format.bytes(traffic(row)), value: traffic, sort: "bytes" },
  { key: "bytes_sent", label: t("host.sent"), width: 88, align: "num", cell: (row) => format.bytes(row.bytes_sent), sort: "bytes_sent" },
  { key: "bytes_recv", label: t("host.received"), width: 92, align: "num", cell: (row) => format.bytes(row.bytes_recv), sort: "bytes_recv" },
  { key: "flows", label: t("host.flows"), width: 100, align: "num", cell: (row) => format.count(row.flows), sort: "flows" },
  { key: "active_flows", label: t("host.active"), width: 80, align: "num", cell: (row) => format.count(row.active_flows), sort: "active_flows", least: 1500 },
  { key: "applications", label: t("host.applications"), width: 150, grow: 0.5, cell: (row) => row.applications.join(", "), least: 1600 },
  { key: "programs", label: t("host.programs"), width: 120, grow: 0.3, cell: (row) => row.programs.join(", "), least: 1900 },
  { key: "open_ports", label: t("host.ports"), width: 110, cell: (row) => row.open_ports.map((one) => one.service ?? one.port).join(", "), least: 1800 },
  { key: "last_seen", label: t("host.lastSeen"), width: 96, className: "dim", newestFirst: true, cell: (row) => format.timeOfDay(row.last_seen, false), sort: "last_seen", least: 900 },
].map((column) => ({ help: `hosts.${column.key}`, sortable: Boolean(column.sort), pick: Boolean(column.term), ...column }));
