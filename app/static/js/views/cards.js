/** Payment card numbers that were seen in the clear, masked: four figures about those in the list, the list, and a report to print. */

import { inSession } from "../api.js";
import { CardList } from "../data/card_list.js";
import { h, icon, setText } from "../dom.js";
import * as format from "../format.js";
import { followable } from "../parts/pivots.js";
import { openDrawer } from "../parts/overlay.js";
import { term } from "../query.js";
import { address } from "../router.js";
import { t } from "../strings.js";
import { definitions, mark } from "./facts.js";
import { LogView } from "./log_view.js";

const NARROW = matchMedia("(max-width: 720px)");
const BRANDS = { visa: "Visa", mastercard: "Mastercard", amex: "American Express", discover: "Discover", diners: "Diners Club", jcb: "JCB", unionpay: "UnionPay", maestro: "Maestro" };

const brandName = (row) => BRANDS[row.brand] ?? row.brand;
const tone = (row) => (row.confidence >= 0.8 ? "bad" : row.confidence >= 0.5 ? "warn" : "dim");
const valueTerm = (field) => (row) => (row[field] === null || row[field] === undefined ? null : { field, value: row[field] });

const COLUMNS = [
  { key: "timestamp", label: t("ccol.time"), width: 116, mono: true, className: "dim", cell: (row) => format.timeOfDay(row.timestamp) },
  { key: "masked", label: t("ccol.masked"), width: 170, mono: true, className: "strong", pick: true, cell: (row) => row.masked, term: valueTerm("masked") },
  { key: "brand", label: t("ccol.brand"), width: 136, pick: true, cell: brandName, term: valueTerm("brand") },
  { key: "where", label: t("ccol.where"), width: 220, grow: 3, pick: true, cell: (row) => row.where, term: valueTerm("where") },
  { key: "source", label: t("ccol.source"), width: 150, grow: 1, mono: true, pick: true, cell: (row) => row.source, term: valueTerm("source") },
  { key: "destination", label: t("ccol.destination"), width: 150, grow: 1, mono: true, pick: true, cell: (row) => row.destination, term: valueTerm("destination") },
  { key: "count", label: t("ccol.count"), width: 64, align: "num", cell: (row) => format.count(row.count) },
  { key: "confidence", label: t("ccol.confidence"), width: 96, align: "num", cell: (row) => format.percent(row.confidence, 0), tone },
].map((column) => ({ help: `cards.${column.key}`, ...column }));
const NARROW_COLUMNS = ["masked", "confidence", "where", "destination", "brand", "timestamp", "source", "count"].map((key) => COLUMNS.find((one) => one.key === key));
const fitting = () => (NARROW.matches ? NARROW_COLUMNS : COLUMNS);

export class CardsView extends LogView {
  constructor() {
    const figures = new Figures();
    super({ name: "cards", data: new CardList(), columns: fitting(), details: { open: (row) => this.#details(row) }, above: figures.element });
    this.figures = figures;
    this.element.classList.add("view-fill-4");
    this.element.firstElementChild.append(h("a.btn.end", { id: "cards-report", href: inSession("/api/cards/report"), target: "_blank", rel: "noopener" }, icon("download"), h("span.label", {}, t("cards.report"))));
    NARROW.addEventListener("change", () => this.table.setColumns(fitting()));
  }

  drawNow() {
    super.drawNow();
    this.figures.set(this.data.rows);
  }

  #details(row) {
    const only = (label, field) => h("button.btn.btn-sm", { type: "button", onclick: () => this.addTerm({ field, value: row[field] }, false) }, icon("plus", "icon-sm"), label);
    const own = (field, mono = false) => followable(row[field], { field, value: row[field] }, { onTerm: (one, exclude) => this.addTerm(one, exclude), mono });
    const flow = row.flow_id ? h("a.btn.btn-sm", { href: address("connections", { q: term("flow_id", row.flow_id) }) }, icon("connections", "icon-sm"), t("cards.flow")) : null;
    const packet = h("a.btn.btn-sm", { href: address("packets", { q: term("id", row.packet) }) }, icon("packets", "icon-sm"), t("cards.packet", { n: String(row.packet) }));
    openDrawer({
      label: "card",
      title: row.masked,
      subtitle: [brandName(row), format.dateTime(row.timestamp)].join(" · "),
      extra: h("div.packet-brief", {}, mark(format.percent(row.confidence, 0), tone(row)), mark(t(row.encrypted ? "cards.encrypted" : "cards.clear"), row.encrypted ? "good" : "bad")),
      actions: [flow, packet, only(t("cards.sameNumber"), "fingerprint"), only(t("cards.sameTarget"), "destination")],
      body: h("div.facts", {},
        h("section", {}, h("h3", {}, t("cards.what")), definitions([
          [t("ccol.where"), own("where")],
          [t("ccol.source"), own("source", true)],
          [t("ccol.destination"), own("destination", true)],
          [t("ccol.direction"), t(`cards.${row.direction}`)],
          [t("ccol.time"), format.exactTime(row.timestamp)],
          [t("ccol.last"), row.count > 1 ? format.exactTime(row.last_seen) : null],
          [t("ccol.count"), format.count(row.count)],
          [t("ccol.fingerprint"), row.fingerprint, { mono: true, help: "cards.fingerprint" }],
        ])),
        h("section", {}, h("h3", {}, t("cards.why")), h("ul", {}, row.reasons.map((reason) => h("li", {}, reason))), h("p.faint", {}, t("cards.kept")))),
      onClose: () => this.closed(),
    });
  }
}

class Figures {
  constructor() {
    this.cells = Object.fromEntries(["findings", "numbers", "destinations", "certain"].map((name) => [name, h("b")]));
    this.element = h("dl.strip.panel", {}, Object.entries(this.cells).map(([name, value]) => h("div", { data: { name, tip: t(`cards.figure.${name}.tip`) } }, h("dt", {}, t(`cards.figure.${name}`)), h("dd", {}, value))));
  }

  set(rows) {
    const different = (key) => new Set(rows.map((row) => row[key])).size;
    setText(this.cells.findings, format.count(rows.length));
    setText(this.cells.numbers, format.count(different("fingerprint")));
    setText(this.cells.destinations, format.count(different("destination")));
    setText(this.cells.certain, format.count(rows.filter((row) => row.confidence >= 0.9).length));
  }
}
