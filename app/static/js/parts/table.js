/**
 * A table that draws only the rows in sight: a pool of rows, positioned by transform, redrawn once per animation frame.
 *
 * A column is {key, label, width, grow, align: "num", mono, sortable, pick, help, cell(row) → text or null, above(row) or beneath(row)
 * → a second line of text or null, kind(row), tone(row)}. Rows are plain objects with a unique `keyOf(row)`. It sorts nothing: it says what was asked for.
 */

import { fill, framed, h, setData, setText } from "../dom.js";
import { NONE } from "../format.js";
import { t } from "../strings.js";

const OVERSCAN = 4;
let tables = 0;

export class VirtualTable {
  rows = [];
  #columns = [];
  #pool = [];
  #activeKey = null;
  #activeColumn = 0;
  #openKey = null;
  #id = `vt${(tables += 1)}`;

  constructor({ label, columns, keyOf, sort = null, rowHeight = 32, onOpen, onPick, onSort, onKey, onScroll, faded }) {
    Object.assign(this, { keyOf, sort, rowHeight, onOpen, onPick, onSort, onKey, onScroll, faded });
    this.head = h("tr", { role: "row", "aria-rowindex": "1" });
    this.body = h("tbody", { role: "rowgroup", onclick: (event) => this.#click(event), oncontextmenu: (event) => this.#click(event, true), onpointerover: spellOut });
    this.table = h("table.vt", { role: "grid", "aria-label": label, tabindex: "0", id: this.#id, onkeydown: (event) => this.#key(event) }, h("thead", { role: "rowgroup" }, this.head), this.body);
    this.scroll = h("div.vt-scroll", { tabindex: "-1", onscroll: () => this.#scrolled() }, this.table);
    this.empty = h("div.vt-empty", { hidden: true });
    this.element = h("div.vt-shell.panel", {}, this.scroll, this.empty);
    this.draw = framed(() => this.#draw());
    new ResizeObserver(() => this.draw()).observe(this.scroll);
    this.setColumns(columns);
  }

  setColumns(columns) {
    this.#columns = columns;
    this.#pool = [];
    this.body.replaceChildren();
    this.table.style.setProperty("--columns", columns.map((c) => (c.grow ? `minmax(${c.width}px, ${c.grow}fr)` : `${c.width}px`)).join(" "));
    this.table.style.minWidth = `${columns.reduce((sum, c) => sum + c.width, 0)}px`;
    this.table.setAttribute("aria-colcount", columns.length);
    this.#activeColumn = Math.min(this.#activeColumn, columns.length - 1);
    fill(this.head, columns.map((column, index) => this.#header(column, index)));
    this.draw();
  }

  setRows(rows) {
    this.rows = rows;
    this.draw();
  }

  /** Shows `content` in the place of rows while there are none. */
  setEmpty(content) {
    this.empty.hidden = !content;
    fill(this.empty, content);
  }

  setSort(sort) {
    this.sort = sort;
    for (const cell of this.head.children) {
      const direction = sort?.key === cell.dataset.key ? (sort.descending ? "descending" : "ascending") : "none";
      if (cell.hasAttribute("aria-sort")) cell.setAttribute("aria-sort", direction);
    }
  }

  /** Marks the row whose details are open. */
  setOpen(key) {
    this.#openKey = key;
    this.draw();
  }

  focus() {
    this.table.focus({ preventScroll: true });
  }

  get activeRow() {
    const index = this.#activeIndex();
    return index < 0 ? null : this.rows[index];
  }

  #header(column, index) {
    const label = column.sortable
      ? h("button", { type: "button", onclick: () => this.#askSort(column) }, h("span", {}, column.label))
      : h("span.th", {}, column.label);
    if (column.help) label.dataset.help = column.help;
    const direction = this.sort?.key === column.key ? (this.sort.descending ? "descending" : "ascending") : "none";
    return h(`th${column.align ? `.${column.align}` : ""}`, { role: "columnheader", scope: "col", "aria-colindex": index + 1, "aria-sort": column.sortable ? direction : null, data: { key: column.key } }, label);
  }

  #askSort(column) {
    const same = this.sort?.key === column.key;
    const descending = same ? !this.sort.descending : column.align === "num" || column.newestFirst === true;
    this.setSort({ key: column.key, descending });
    this.onSort?.(this.sort);
  }

  // -- drawing -------------------------------------------------------------------------------------------------------

  #draw() {
    const { rows, rowHeight } = this;
    const height = this.scroll.clientHeight;
    this.table.setAttribute("aria-rowcount", rows.length + 1);
    this.table.dataset.rows = rows.length;
    this.body.style.height = `${rows.length * rowHeight}px`;
    if (!height) return;
    const first = Math.max(0, Math.floor(this.scroll.scrollTop / rowHeight) - OVERSCAN);
    const last = Math.min(rows.length, Math.ceil((this.scroll.scrollTop + height) / rowHeight) + OVERSCAN);
    const needed = Math.ceil(height / rowHeight) + 2 * OVERSCAN + 1;
    while (this.#pool.length < needed) this.#pool.push(this.#makeRow(this.#pool.length));
    const size = this.#pool.length;
    const used = new Set();
    for (let index = first; index < last; index += 1) {
      used.add(index % size);
      this.#drawRow(this.#pool[index % size], rows[index], index);
    }
    this.#pool.forEach((line, slot) => {
      if (!used.has(slot)) line.row.hidden = true;
    });
    this.#pointAtActive(first, last, size);
  }

  #makeRow(slot) {
    const cells = this.#columns.map((column, index) => {
      const classes = [column.align, column.mono && "mono", column.pick && "pick", column.className].filter(Boolean);
      return h(["td", ...classes].join("."), { role: "gridcell", id: `${this.#id}-${slot}-${index}`, "aria-colindex": index + 1, data: { two: second(column) } }, second(column) ? [h("span.above"), h("span.beneath")] : document.createTextNode(""));
    });
    const row = h("tr", { role: "row", data: { slot } }, cells);
    row.hidden = true;
    this.body.append(row);
    return { row, cells, index: -1 };
  }

  #drawRow(line, data, index) {
    const { row, cells } = line;
    if (line.index !== index || row.hidden) {
      row.hidden = false;
      line.index = index;
      row.style.transform = `translateY(${index * this.rowHeight}px)`;
      row.setAttribute("aria-rowindex", index + 2);
    }
    const key = this.keyOf(data);
    const active = key === this.#activeKey;
    setData(row, "active", active);
    setData(row, "open", key === this.#openKey);
    setData(row, "faded", this.faded?.(data) ?? false);
    if (active !== (row.getAttribute("aria-selected") === "true")) row.setAttribute("aria-selected", active);
    for (let i = 0; i < cells.length; i += 1) this.#drawCell(cells[i], this.#columns[i], data, active && i === this.#activeColumn);
  }

  #drawCell(cell, column, data, active) {
    const text = column.cell(data);
    const shown = text === null || text === undefined || text === "" ? NONE : text;
    const part = second(column) === "above" ? cell.lastChild : cell.firstChild;
    if (part.textContent !== shown) {
      part.textContent = shown;
      setData(cell, "null", shown === NONE);
    }
    if (second(column)) setText(part === cell.lastChild ? cell.firstChild : cell.lastChild, column[second(column)](data) ?? "");
    if (column.kind) setData(cell, "kind", column.kind(data));
    if (column.tone) setData(cell, "tone", column.tone(data));
    if (active !== "active" in cell.dataset) setData(cell, "active", active);
  }

  // -- keyboard and mouse --------------------------------------------------------------------------------------------

  #activeIndex() {
    return this.#activeKey === null ? -1 : this.rows.findIndex((row) => this.keyOf(row) === this.#activeKey);
  }

  #pointAtActive(first, last, size) {
    const index = this.#activeIndex();
    const inSight = index >= first && index < last;
    if (inSight) this.table.setAttribute("aria-activedescendant", `${this.#id}-${index % size}-${this.#activeColumn}`);
    else this.table.removeAttribute("aria-activedescendant");
  }

  #moveTo(index) {
    if (!this.rows.length) return;
    const to = Math.max(0, Math.min(this.rows.length - 1, index));
    this.#activeKey = this.keyOf(this.rows[to]);
    const top = to * this.rowHeight;
    const head = this.head.parentElement.offsetHeight;
    const sight = this.scroll.clientHeight - head;
    if (top < this.scroll.scrollTop) this.scroll.scrollTop = top;
    else if (top + this.rowHeight > this.scroll.scrollTop + sight) this.scroll.scrollTop = top + this.rowHeight - sight;
    this.draw();
  }

  #moveColumn(step) {
    this.#activeColumn = Math.max(0, Math.min(this.#columns.length - 1, this.#activeColumn + step));
    const cell = this.head.children[this.#activeColumn];
    const pinned = this.#activeColumn === 0 ? 0 : this.head.children[0].offsetWidth;
    if (cell.offsetLeft < this.scroll.scrollLeft + pinned) this.scroll.scrollLeft = cell.offsetLeft - pinned;
    else if (cell.offsetLeft + cell.offsetWidth > this.scroll.scrollLeft + this.scroll.clientWidth) this.scroll.scrollLeft = cell.offsetLeft + cell.offsetWidth - this.scroll.clientWidth;
    this.draw();
  }

  #key(event) {
    if (event.target !== this.table || event.ctrlKey || event.metaKey || event.altKey) return;
    const index = this.#activeIndex();
    const page = Math.max(1, Math.floor(this.scroll.clientHeight / this.rowHeight) - 2);
    const moves = { ArrowDown: index + 1, ArrowUp: index < 0 ? 0 : index - 1, PageDown: index + page, PageUp: index - page, Home: 0, End: this.rows.length - 1 };
    if (event.key in moves) this.#moveTo(moves[event.key]);
    else if (event.key === "ArrowRight") this.#moveColumn(1);
    else if (event.key === "ArrowLeft") this.#moveColumn(-1);
    else if ((event.key === "Enter" || event.key === " ") && index >= 0) this.onOpen?.(this.rows[index]);
    else if ((event.key === "+" || event.key === "-") && index >= 0) this.onKey?.(event.key, this.rows[index], this.#columns[this.#activeColumn]);
    else return;
    event.preventDefault();
  }

  #click(event, secondary = false) {
    const cell = event.target.closest("td");
    if (!cell || String(getSelection())) return;
    const index = this.#pool[Number(cell.parentElement.dataset.slot)]?.index ?? -1;
    const row = this.rows[index];
    if (!row) return;
    this.#activeColumn = Number(cell.getAttribute("aria-colindex")) - 1;
    this.#activeKey = this.keyOf(row);
    this.draw();
    const column = this.#columns[this.#activeColumn];
    if (column.pick && this.onPick) {
      if (secondary) event.preventDefault();
      this.onPick(row, column, cell);
    } else if (!secondary) this.onOpen?.(row);
  }

  #scrolled() {
    this.draw();
    this.onScroll?.(this.scroll);
  }
}

/** Where the second line of a column stands; null where it has one line only. */
const second = (column) => (column.above ? "above" : column.beneath ? "beneath" : null);

/** Text that does not fit is told in full when pointed at. */
function spellOut({ target }) {
  const cell = target.closest("td");
  if (!cell) return;
  const lines = cell.dataset.two === undefined ? [cell] : [...cell.children];
  if (lines.some((line) => line.scrollWidth > line.clientWidth)) cell.title = lines.map((line) => line.textContent).filter(Boolean).join("\n");
  else cell.removeAttribute("title");
}

/** Compares as people expect: numbers by size, text by letter, unknown always last. */
export function sorter(value, descending) {
  const sign = descending ? -1 : 1;
  return (left, right) => {
    const a = value(left);
    const b = value(right);
    if (a === null || a === undefined || a === "") return b === null || b === undefined || b === "" ? 0 : 1;
    if (b === null || b === undefined || b === "") return -1;
    if (a === b) return 0;
    return (typeof a === "number" && typeof b === "number" ? a - b : String(a) < String(b) ? -1 : 1) * sign;
  };
}

export const footText = (shown, total) => (total > shown ? t("table.shownOf", { shown, total }) : t("table.shown", { shown }));
