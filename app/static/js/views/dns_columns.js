/** The columns of the DNS log: what each shows, and which term of the query language a value becomes. */

import * as format from "../format.js";
import { ANY } from "../query.js";
import { t } from "../strings.js";

const valueTerm = (field, key) => (row) => (row[key] === null || row[key] === undefined || row[key] === "" ? null : { field, value: row[key] });

/** Nobody answered: neither with an error nor with nothing. */
export const isUnanswered = (row) => row.rcode === null || row.rcode === undefined;

export const rcodeText = (row) => (isUnanswered(row) ? t("dns.unanswered") : row.rcode);

/** NXDOMAIN is an ordinary answer worth seeing; other errors mean that something does not work. */
export function rcodeTone(row) {
  if (isUnanswered(row)) return "warn";
  if (row.rcode === "NOERROR") return "good";
  return row.rcode === "NXDOMAIN" ? "warn" : "bad";
}

/** Without an answer there is no code to look for: `-rcode:*`. */
const rcodeTerm = (row) => (isUnanswered(row) ? { field: "rcode", value: ANY, inverted: true } : { field: "rcode", value: row.rcode });

/** An answer as {type, value, ttl, name}; what is told as "A 192.0.2.1" is taken apart. */
export function answersOf(row) {
  return (row.answers ?? []).map((answer) => {
    if (typeof answer !== "string") return answer;
    const [, type, value] = /^(\S+) (.*)$/s.exec(answer) ?? [null, null, answer];
    return { type, value, ttl: null, name: null };
  });
}

/** The first answer that is an address, else the first, and how many more there are. */
export function answerText(row) {
  const answers = answersOf(row);
  if (!answers.length) return null;
  const first = answers.find((answer) => answer.type === "A" || answer.type === "AAAA") ?? answers[0];
  return answers.length > 1 ? t("dns.answerAndMore", { value: first.value, n: answers.length - 1 }) : first.value;
}

const KINDS = { dns: "DNS", mdns: "mDNS", llmnr: "LLMNR", nbns: "NetBIOS" };

export const kindOnly = (row) => KINDS[row.kind ?? "dns"] ?? row.kind;

const kindText = (row) => [kindOnly(row), row.transport && row.transport !== "udp" ? row.transport.toUpperCase() : null].filter(Boolean).join(" · ");

export const COLUMNS = [
  { key: "timestamp", label: t("dcol.time"), width: 116, mono: true, className: "dim", cell: (row) => format.timeOfDay(row.timestamp) },
  { key: "client", label: t("dcol.client"), width: 126, mono: true, pick: true, cell: (row) => row.client, term: valueTerm("client", "client") },
  { key: "query", label: t("dcol.query"), width: 240, grow: 3, className: "strong", pick: true, cell: (row) => row.query, term: valueTerm("query", "query") },
  { key: "type", label: t("dcol.type"), width: 66, pick: true, cell: (row) => row.type, term: valueTerm("type", "type") },
  { key: "rcode", label: t("dcol.rcode"), width: 108, pick: true, cell: rcodeText, tone: rcodeTone, term: rcodeTerm },
  { key: "answers", label: t("dcol.answers"), width: 176, grow: 1, mono: true, cell: answerText },
  { key: "latency_ms", label: t("dcol.latency"), width: 80, align: "num", cell: (row) => (row.latency_ms === null || row.latency_ms === undefined ? null : format.milliseconds(row.latency_ms)) },
  { key: "server", label: t("dcol.server"), width: 120, mono: true, pick: true, className: "dim", cell: (row) => row.server, term: valueTerm("server", "server") },
  { key: "kind", label: t("dcol.kind"), width: 76, pick: true, className: "dim", cell: kindText, term: valueTerm("kind", "kind") },
].map((column) => ({ help: `dns_${column.key}`, ...column }));

/** On a phone the name comes first and stays in sight. */
export const NARROW_COLUMNS = ["query", "rcode", "answers", "type", "client", "latency_ms", "timestamp", "server", "kind"].map((key) => {
  const column = COLUMNS.find((one) => one.key === key);
  return key === "query" ? { ...column, width: 186 } : column;
});
