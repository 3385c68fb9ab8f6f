/** The columns of the list of alerts. */

import * as format from "../format.js";
import { t } from "../strings.js";

const valueTerm = (field, key) => (row) => (row[key] === null || row[key] === undefined || row[key] === "" ? null : { field, value: row[key] });

export const severityText = (row) => t(`alert.severity.${row.severity}`);

export const severityTone = (row) => ({ critical: "bad", high: "bad", medium: "warn", low: "quiet" })[row.severity];

export const statusText = (row) => (row.muted_by ? t("alert.muted") : t(`alert.status.${row.status}`));

const statusTone = (row) => (row.muted_by ? "quiet" : { acknowledged: "good", false_positive: "quiet" }[row.status] ?? null);

/** Who did it to whom, as far as it is known. */
const whom = (row) => row.target ?? format.NONE;

export const COLUMNS = [
  { key: "severity", label: t("acol.severity"), width: 88, pick: true, className: "strong", cell: severityText, tone: severityTone, term: valueTerm("severity", "severity") },
  { key: "last_seen", label: t("acol.time"), width: 116, mono: true, className: "dim", cell: (row) => format.timeOfDay(row.last_seen) },
  { key: "title", label: t("acol.title"), width: 250, grow: 3, className: "strong", pick: true, cell: (row) => row.title, term: valueTerm("rule", "rule") },
  { key: "source", label: t("acol.source"), width: 140, grow: 1, mono: true, pick: true, cell: (row) => row.source, term: valueTerm("source", "source") },
  { key: "target", label: t("acol.target"), width: 150, grow: 1, mono: true, pick: true, cell: whom, term: valueTerm("target", "target") },
  { key: "app_name", label: t("acol.program"), width: 100, pick: true, cell: (row) => row.app_name, term: valueTerm("app", "app_name") },
  { key: "confidence", label: t("acol.confidence"), width: 84, align: "num", cell: (row) => format.percent(row.confidence, 0) },
  { key: "count", label: t("acol.count"), width: 64, align: "num", cell: (row) => format.count(row.count) },
  { key: "status", label: t("acol.status"), width: 112, pick: true, cell: statusText, tone: statusTone, term: valueTerm("status", "status") },
].map((column) => ({ help: `alerts.${column.key}`, ...column }));

/** On a phone what has been seen comes first. */
export const NARROW_COLUMNS = ["title", "severity", "source", "target", "status", "count", "last_seen"].map((key) => {
  const column = COLUMNS.find((one) => one.key === key);
  return key === "title" ? { ...column, width: 210 } : column;
});
