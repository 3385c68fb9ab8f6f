/** The dissection as a tree (WAI-ARIA tree pattern). A node is {label, value, offset, length, fields}; offset null: not in the bytes. */

import { h, icon, setData } from "../dom.js";
import { t } from "../strings.js";

export class FieldTree {
  #nodes = []; // {item, line, data, parent, start, end}, in order of the tree
  #selected = null;
  #lit = null;

  /** `onPoint(range or null)` and `onSelect(range or null)` hear [start, end) in bytes. */
  constructor({ tree, label, onPoint, onSelect }) {
    this.onPoint = onPoint;
    this.onSelect = onSelect;
    const list = h("ul", { role: "tree", "aria-label": label, onkeydown: (event) => this.#key(event) }, tree.map((layer) => this.#node(layer, 0, null)));
    this.element = h("div.tree", { onpointerover: (event) => this.#over(event), onpointerleave: () => this.onPoint(null), onclick: (event) => this.#click(event) }, list);
    if (this.#nodes.length) this.#nodes[0].item.tabIndex = 0;
  }

  focus() {
    (this.#selected ?? this.#nodes[0])?.item.focus({ preventScroll: true });
  }

  /** Marks the deepest field that holds the byte, without moving anything. */
  light(offset) {
    if (this.#lit) setData(this.#lit.line, "lit", null);
    this.#lit = offset === null ? null : this.#shownAncestor(this.#at(offset));
    if (this.#lit) setData(this.#lit.line, "lit", true);
  }

  /** Selects the deepest field that holds the byte and opens the way to it. */
  selectAt(offset) {
    const node = this.#at(offset);
    if (node) this.#select(node, true);
  }

  #node(data, depth, parent) {
    const fields = data.fields ?? [];
    const node = { data, parent, start: data.offset ?? null, end: data.offset === null || data.offset === undefined ? null : data.offset + (data.length ?? 0) };
    const size = data.length ? t("unit.bytes") : "";
    node.line = h("div.line", { vars: { depth } },
      h("span.twist", { "aria-hidden": "true" }, fields.length ? icon("right") : null),
      h("span.label", {}, data.label ?? data.name ?? ""),
      data.value === null || data.value === undefined || data.value === "" ? null : h("span.value", {}, String(data.value)),
      typeof data.bit_offset === "number" ? h("span.bytes", {}, bits(data)) : null,
      depth === 0 && data.length ? h("span.bytes", {}, `${data.length} ${size}`) : null);
    node.item = h(depth === 0 ? "li.layer" : "li", { role: "treeitem", tabindex: "-1", "aria-expanded": fields.length ? "true" : null, "aria-selected": "false", "aria-level": depth + 1 }, node.line);
    node.item.dataset.node = this.#nodes.length;
    this.#nodes.push(node);
    if (fields.length) node.item.append(h("ul", { role: "group" }, fields.map((field) => this.#node(field, depth + 1, node))));
    if (depth > 0 && fields.length) node.item.setAttribute("aria-expanded", "false");
    return node.item;
  }

  /** The smallest range around the byte; of equal ones the deepest. */
  #at(offset) {
    let best = null;
    for (const node of this.#nodes) {
      if (node.start === null || offset < node.start || offset >= node.end) continue;
      if (!best || node.end - node.start <= best.end - best.start) best = node;
    }
    return best;
  }

  #shownAncestor(node) {
    let shown = node;
    for (let at = node; at; at = at.parent) if (at.parent?.item.getAttribute("aria-expanded") === "false") shown = at.parent;
    return shown;
  }

  #select(node, reveal) {
    if (this.#selected) {
      this.#selected.item.setAttribute("aria-selected", "false");
      this.#selected.item.tabIndex = -1;
    } else if (this.#nodes[0]) this.#nodes[0].item.tabIndex = -1;
    this.#selected = node;
    node.item.setAttribute("aria-selected", "true");
    node.item.tabIndex = 0;
    if (reveal) {
      for (let at = node.parent; at; at = at.parent) at.item.setAttribute("aria-expanded", "true");
      node.line.scrollIntoView({ block: "nearest" });
    }
    this.onSelect(rangeOf(node));
  }

  #of(target) {
    const item = target.closest?.("[data-node]");
    return item ? this.#nodes[Number(item.dataset.node)] : null;
  }

  #over(event) {
    const node = event.target.closest(".line") ? this.#of(event.target) : null;
    this.onPoint(node ? rangeOf(node) : null);
  }

  #click(event) {
    const node = event.target.closest(".line") ? this.#of(event.target) : null;
    if (!node) return;
    if (event.target.closest(".twist") || node === this.#selected) this.#fold(node);
    this.#select(node, false);
    node.item.focus({ preventScroll: true });
  }

  #fold(node, open = node.item.getAttribute("aria-expanded") === "false") {
    if (node.item.hasAttribute("aria-expanded")) node.item.setAttribute("aria-expanded", String(open));
  }

  #key(event) {
    const node = this.#of(document.activeElement);
    if (!node) return;
    const shown = this.#nodes.filter((one) => one === this.#shownAncestor(one));
    const at = shown.indexOf(node);
    const expanded = node.item.getAttribute("aria-expanded");
    let to = null;
    if (event.key === "ArrowDown") to = shown[at + 1];
    else if (event.key === "ArrowUp") to = shown[at - 1];
    else if (event.key === "Home") to = shown[0];
    else if (event.key === "End") to = shown.at(-1);
    else if (event.key === "ArrowRight" && expanded === "false") this.#fold(node, true);
    else if (event.key === "ArrowRight" && expanded === "true") to = shown[at + 1];
    else if (event.key === "ArrowLeft" && expanded === "true") this.#fold(node, false);
    else if (event.key === "ArrowLeft") to = node.parent;
    else if (event.key === "Enter" || event.key === " ") this.#fold(node);
    else return;
    event.preventDefault();
    if (!to) return;
    this.#select(to, true);
    to.item.focus({ preventScroll: true });
  }
}

/** Which bits of its bytes a field is, counted from the most significant one. */
function bits({ bit_offset: from, bit_length: size }) {
  return size > 1 ? t("packets.bits", { from, to: from + size - 1 }) : t("packets.bit", { from });
}

function rangeOf(node) {
  return node.start === null || node.end === node.start ? null : [node.start, node.end];
}
