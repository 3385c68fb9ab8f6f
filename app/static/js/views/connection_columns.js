/** The columns of the connections table: what each shows, how it sorts, and which term of the query language a value becomes. */

import { Connections } from "../data/connections.js";
import * as format from "../format.js";
import { endpoint } from "../query.js";
import { has, t } from "../strings.js";

const text = (key) => (row) => row[key];
const total = (row) => (row.bytes_sent ?? 0) + (row.bytes_recv ?? 0);
const packets = (row) => (row.packets_sent ?? 0) + (row.packets_recv ?? 0);

/** Terms of a value: {field, value} for the query, or null where there is none. */
const termOf = (field, key) => (row) => (row[key] === null || row[key] === undefined ? null : { field, value: row[key] });
const addressTerm = (key) => (row) => {
  const { ip } = endpoint(row[key]);
  return ip ? { field: "ip", value: ip } : null;
};

const LOSS_WARN = 1;
const LOSS_BAD = 5;

/** The name the remote end was given stands above its address, which stays; an address that was given as a name says nothing. */
const remoteName = (row) => (row.hostname && row.hostname !== endpoint(row.remote_address).ip ? row.hostname : null);

/** What is spoken, where it is not the application itself: DNS.Google is a question about Google. */
const spoken = (row) => (row.application && row.detailed_protocol !== row.application ? row.detailed_protocol : null);

/**
 * `value` is what sorts; without it the text does. `first`: shown at the start; "known": as soon as one row has a value; `least`: the
 * width of the window in px below which it is not shown by itself; `instead` of a column that has nothing to say, `leastInstead` is.
 */
export const COLUMNS = [
  { key: "remote_address", label: t("col.remote"), width: 184, grow: 1.2, above: remoteName, cell: text("remote_address"), term: addressTerm("remote_address"), first: true },
  { key: "application", label: t("col.application"), width: 118, grow: 0.3, cell: text("application"), beneath: spoken, term: termOf("application", "application"), first: "known" },
  { key: "server_name", label: t("col.serverName"), width: 156, grow: 0.8, cell: text("server_name"), term: termOf("server_name", "server_name"), first: "known", least: 1700 },
  { key: "app_name", label: t("col.app"), width: 118, cell: text("app_name"), term: termOf("app_name", "app_name"), first: "known" },
  { key: "pid", label: t("col.pid"), width: 76, align: "num", cell: (row) => (row.pid === null || row.pid === undefined ? null : String(row.pid)), value: text("pid"), term: termOf("pid", "pid"), first: false },
  { key: "local_address", label: t("col.local"), width: 176, grow: 0.6, mono: true, className: "dim", cell: text("local_address"), term: addressTerm("local_address"), first: true, least: 1600, instead: "app_name", leastInstead: 1200 },
  { key: "protocol", label: t("col.protocol"), width: 92, cell: (row) => row.protocol?.toUpperCase(), kind: text("protocol"), term: termOf("protocol", "protocol"), first: true },
  { key: "service", label: t("col.service"), width: 92, cell: text("service"), term: termOf("service", "service"), first: true, least: 1500 },
  { key: "detailed_protocol", label: t("col.detailed"), width: 120, cell: text("detailed_protocol"), term: termOf("detailed_protocol", "detailed_protocol"), first: false },
  { key: "category", label: t("col.category"), width: 104, cell: text("category"), term: termOf("category", "category"), first: false },
  { key: "country", label: t("col.country"), width: 110, cell: (row) => row.country_name ?? row.country, term: termOf("country", "country"), first: "known" },
  { key: "city", label: t("col.city"), width: 110, cell: text("city"), term: termOf("city", "city"), first: false },
  { key: "organization", label: t("col.organization"), width: 150, cell: text("organization"), term: termOf("organization", "organization"), first: false },
  { key: "asn", label: t("col.asn"), width: 78, align: "num", cell: (row) => (row.asn ? String(row.asn) : null), value: text("asn"), term: termOf("asn", "asn"), first: false },
  { key: "scope", label: t("col.scope"), width: 104, className: "dim", cell: text("scope"), term: termOf("scope", "scope"), first: false },
  { key: "direction", label: t("col.direction"), width: 94, className: "dim", cell: text("direction"), first: false },
  { key: "status", label: t("col.status"), width: 98, cell: (row) => words(row.session_status === "Closed" || row.status === "NONE" ? row.session_status : row.status), tone: (row) => (row.status === "ESTABLISHED" && row.session_status !== "Closed" ? "good" : null), term: termOf("status", "session_status"), first: true },
  { key: "rate", label: t("col.rate"), width: 96, align: "num", cell: (row) => (Connections.rateNow(row) > 0 ? format.bitRate(Connections.rateNow(row)) : null), value: (row) => Connections.rateNow(row), help: "bps", first: "known" },
  { key: "bytes_sent", label: t("col.sent"), width: 84, align: "num", cell: (row) => format.bytes(row.bytes_sent), value: text("bytes_sent"), first: true },
  { key: "bytes_recv", label: t("col.received"), width: 90, align: "num", cell: (row) => format.bytes(row.bytes_recv), value: text("bytes_recv"), first: true },
  { key: "total", label: t("col.total"), width: 92, align: "num", cell: (row) => format.bytes(total(row)), value: total, help: "bytes", first: false },
  { key: "packets", label: t("col.packets"), width: 82, align: "num", cell: (row) => format.short(packets(row)), value: packets, help: "packets", first: false },
  { key: "duration", label: t("col.duration"), width: 92, align: "num", cell: (row) => format.span(row.duration), value: text("duration"), first: true },
  { key: "latency_ms", label: t("col.latency"), width: 78, align: "num", cell: (row) => (row.latency_ms === null || row.latency_ms === undefined ? null : format.milliseconds(row.latency_ms)), value: text("latency_ms"), first: true, least: 1500 },
  { key: "packet_loss_percent", label: t("col.loss"), width: 88, align: "num", cell: (row) => (row.packet_loss_percent ? format.percent(row.packet_loss_percent / 100) : null), value: text("packet_loss_percent"), tone: (row) => (row.packet_loss_percent >= LOSS_BAD ? "bad" : row.packet_loss_percent >= LOSS_WARN ? "warn" : null), first: false },
  { key: "interface", label: t("col.interface"), width: 92, className: "dim", cell: text("interface"), term: termOf("interface", "interface"), first: false },
  { key: "ja4", label: t("col.ja4"), width: 270, mono: true, className: "dim", cell: text("ja4"), term: termOf("ja4", "ja4"), first: false },
  { key: "tls_version", label: t("col.tls"), width: 84, className: "dim", cell: text("tls_version"), term: termOf("tls_version", "tls_version"), first: false },
  { key: "time_of_detection", label: t("col.started"), width: 88, newestFirst: true, className: "dim", cell: (row) => format.timeOfDay(row.time_of_detection, false), value: text("time_of_detection"), first: true },
  { key: "last_seen", label: t("col.lastSeen"), width: 112, newestFirst: true, className: "dim", cell: (row) => format.timeOfDay(row.last_seen), value: text("last_seen"), first: false },
  { key: "reconnect_count", label: t("col.reconnects"), width: 84, align: "num", cell: (row) => format.count(row.reconnect_count), value: text("reconnect_count"), first: false },
  { key: "flow_id", label: t("col.flow"), width: 80, align: "num", cell: (row) => String(row.flow_id), value: text("flow_id"), first: false },
].map((column) => ({ sortable: true, help: column.key, pick: Boolean(column.term), ...column }));

/** A state as people read it; one without words of its own stays as it is. */
function words(code) {
  return code && has(`status.${code}`) ? t(`status.${code}`) : code;
}

/** Which fields of a connection the details show, by group; what is not listed comes last. */
export const GROUPS = [
  ["who", ["app_name", "pid", "hostname", "hostname_source", "server_name", "server_name_source", "is_anonymous"]],
  ["what", ["application", "category", "application_source", "protocol", "detailed_protocol", "service", "direction", "status", "tls_version", "alpn", "ja3", "ja4", "conn_state", "history", "session_status", "end_reason"]],
  ["traffic", ["bytes_sent", "bytes_recv", "packets_sent", "packets_recv", "packet_loss_percent", "reconnect_count", "entropy_sent", "entropy_recv"]],
  ["timing", ["time_of_detection", "last_seen", "end_time", "duration", "latency_ms", "rtt_ms", "rtt_min_ms"]],
  ["where", ["remote_address", "local_address", "country", "country_name", "city", "asn", "organization", "scope", "remote_mac", "vendor", "interface", "vlan", "tunnel_depth"]],
];

const SHAPES = {
  bytes_sent: format.bytes, bytes_recv: format.bytes, packets_sent: format.count, packets_recv: format.count, reconnect_count: format.count,
  time_of_detection: format.dateTime, last_seen: format.dateTime, end_time: format.dateTime, duration: format.span, latency_ms: format.milliseconds, rtt_ms: format.milliseconds, rtt_min_ms: format.milliseconds,
  packet_loss_percent: (value) => format.percent(value / 100, 2), cpu_percent: (value) => format.percent(value / 100), memory_percent: (value) => format.percent(value / 100),
  entropy_sent: (value) => format.decimal(value, 2), entropy_recv: (value) => format.decimal(value, 2),
};

const SOURCES = ["application_source", "hostname_source", "server_name_source"];

/** A field's value as text; null where it is not known. */
export function shown(key, value) {
  if (value === null || value === undefined || value === "") return null;
  if (SOURCES.includes(key)) return has(`source.${value}`) ? t(`source.${value}`) : String(value);
  if (Array.isArray(value)) return value.join(", ") || null;
  if (typeof value === "boolean") return t(value ? "details.yes" : "details.no");
  if (typeof value === "object") return Object.entries(value).filter(([, item]) => item !== null).map(([name, item]) => `${name}: ${item}`).join(", ") || null;
  return SHAPES[key] ? SHAPES[key](value) : String(value);
}

/** The query term for a field of the details. */
export function termFor(key, row) {
  const column = COLUMNS.find((one) => one.key === key && one.term);
  if (column) return column.term(row);
  return ["conn_state", "vlan"].includes(key) ? termOf(key, key)(row) : null;
}
