/** The live packets; a row opens its dissection. */

import { NewestFirst } from "../data/newest_first.js";
import * as format from "../format.js";
import { t } from "../strings.js";
import { Dissection } from "./dissection.js";
import { LogView } from "./log_view.js";

const host = (ip, port) => (ip === null || ip === undefined ? null : port === null || port === undefined ? ip : ip.includes(":") ? `[${ip}]:${port}` : `${ip}:${port}`);
const valueTerm = (field, key) => (row) => (row[key] === null || row[key] === undefined ? null : { field, value: row[key] });

const COLUMNS = [
  { key: "timestamp", label: t("pcol.time"), width: 126, mono: true, className: "dim", cell: (row) => format.timeOfDay(row.timestamp) },
  { key: "src_ip", label: t("pcol.source"), width: 180, grow: 0.7, mono: true, pick: true, cell: (row) => host(row.src_ip, row.src_port), term: valueTerm("ip", "src_ip") },
  { key: "dst_ip", label: t("pcol.destination"), width: 180, grow: 0.7, mono: true, pick: true, cell: (row) => host(row.dst_ip, row.dst_port), term: valueTerm("ip", "dst_ip") },
  { key: "protocol", label: t("pcol.protocol"), width: 92, pick: true, cell: (row) => row.protocol?.toUpperCase(), kind: (row) => row.protocol, term: valueTerm("protocol", "protocol") },
  { key: "service", label: t("pcol.service"), width: 84, pick: true, cell: (row) => row.service, term: valueTerm("service", "service") },
  { key: "size", label: t("pcol.size"), width: 76, align: "num", cell: (row) => format.bytes(row.size) },
  { key: "flags", label: t("pcol.flags"), width: 92, cell: (row) => row.flags, tone: (row) => (row.flags?.includes("RST") ? "bad" : null) },
  { key: "info", label: t("pcol.info"), width: 256, grow: 2, cell: (row) => row.info, tone: (row) => (row.reason || row.card_data_detected ? "warn" : null) },
  { key: "interface", label: t("pcol.interface"), width: 92, className: "dim", cell: (row) => row.interface },
  { key: "id", label: t("pcol.id"), width: 80, align: "num", className: "dim", cell: (row) => String(row.id) },
].map((column) => ({ help: `packets.${column.key}`, ...column }));

export class PacketsView extends LogView {
  several = true; // interfaces in the capture, so that the column says something

  constructor() {
    super({
      name: "packets",
      data: new NewestFirst({ path: "/api/packets", topic: "packets", field: "packets" }),
      columns: COLUMNS,
      details: new Dissection({ onClose: () => this.closed() }),
    });
  }

  /** With one interface there is nothing to tell apart. */
  followed(capture) {
    const several = (capture?.interfaces?.length ?? 0) !== 1;
    if (several !== this.several) this.table.setColumns(COLUMNS.filter((column) => several || column.key !== "interface"));
    this.several = several;
  }
}
