/** The bytes of a packet: offset, hexadecimal, text; sixteen in a row, a page at a time. Ranges are [start, end). */

import { h, setData } from "../dom.js";
import { t } from "../strings.js";

const PAGE = 2048;
const STAR = 0x2a;
const FEWEST_STARS = 2;

export class Bytes {
  #pairs = []; // per byte [hex cell, text cell]
  #lit = null;
  #selected = null;

  constructor({ hex, masked, label, onPoint, onSelect }) {
    this.values = parse(hex ?? "");
    this.masked = masked ? stars(this.values) : new Set();
    this.perRow = matchMedia("(max-width: 720px)").matches && innerWidth < 480 ? 8 : 16;
    this.rows = h("div", { role: "img", "aria-label": label });
    this.more = h("button.btn.btn-sm", { type: "button", hidden: true, onclick: () => this.#grow(this.#pairs.length + PAGE) });
    this.element = h("div.hex", {
      tabindex: "0",
      onpointerover: (event) => onPoint(offsetOf(event)),
      onpointerleave: () => onPoint(null),
      onclick: (event) => offsetOf(event) !== null && onSelect(offsetOf(event)),
    }, this.rows, this.more);
    this.#grow(PAGE);
  }

  light(range) {
    this.#mark(this.#lit, "lit", null);
    this.#lit = range;
    this.#mark(range, "lit", true);
  }

  select(range) {
    this.#mark(this.#selected, "sel", null);
    this.#selected = range;
    if (!range) return;
    if (range[0] >= this.#pairs.length) this.#grow(range[0] + PAGE);
    this.#mark(range, "sel", true);
    this.#pairs[range[0]]?.[0].scrollIntoView({ block: "nearest", inline: "nearest" });
  }

  #mark(range, name, value) {
    if (!range) return;
    for (let at = range[0]; at < Math.min(range[1], this.#pairs.length); at += 1) {
      setData(this.#pairs[at][0], name, value);
      setData(this.#pairs[at][1], name, value);
    }
  }

  #grow(to) {
    const end = Math.min(this.values.length, Math.ceil(to / this.perRow) * this.perRow);
    for (let at = this.#pairs.length; at < end; at += this.perRow) this.rows.append(this.#row(at, Math.min(at + this.perRow, this.values.length)));
    const left = this.values.length - this.#pairs.length;
    this.more.hidden = left <= 0;
    this.more.textContent = t("packets.moreBytes", { n: left });
    if (this.#selected) this.#mark(this.#selected, "sel", true);
  }

  #row(from, to) {
    const hex = h("span");
    const ascii = h("span.ascii");
    for (let at = from; at < to; at += 1) {
      const value = this.values[at];
      const masked = this.masked.has(at);
      const gap = at - from === 8 ? ".gap" : "";
      const data = { at, zero: value === 0, masked };
      const pair = [h(`b${gap}`, { data }, masked ? "**" : value.toString(16).padStart(2, "0")), h("b", { data }, masked ? "*" : value >= 32 && value < 127 ? String.fromCharCode(value) : "·")];
      hex.append(pair[0]);
      ascii.append(pair[1]);
      this.#pairs.push(pair);
    }
    for (let at = to; at < from + this.perRow; at += 1) hex.append(h(at - from === 8 ? "b.gap" : "b", { data: { fill: true }, "aria-hidden": "true" }, "00"));
    return h("div.hex-row", {}, h("span.at", {}, from.toString(16).padStart(4, "0")), hex, ascii);
  }
}

function offsetOf(event) {
  const at = event.target.dataset?.at;
  return at === undefined ? null : Number(at);
}

function parse(hex) {
  return (hex.match(/[0-9a-fA-F]{2}/g) ?? []).map((pair) => Number.parseInt(pair, 16));
}

/** Where the server has put asterisks over a card number: at least two in a row, in a packet of which it says so. */
function stars(values) {
  const found = new Set();
  for (let at = 0; at < values.length; at += 1) {
    let end = at;
    while (values[end] === STAR) end += 1;
    if (end - at >= FEWEST_STARS) for (let i = at; i < end; i += 1) found.add(i);
    at = Math.max(at, end - 1);
  }
  return found;
}
