/** A stretch of a chart, chosen by dragging over it with a mouse, a pen or a finger; who has none of them types the time into the menu of times. */

import { h } from "../dom.js";

const LEAST_PX = 8; // less is a click or a trembling hand

/** `over` is the drawn area; `onSelect(left, right)` hears px from its left edge. Escape, or a finger that begins to scroll, breaks it off. */
export function brush(over, onSelect) {
  const mark = h("div.chart-brush", { hidden: true, "aria-hidden": "true" });
  let start = null;
  let end = null;
  const place = (event) => {
    const { left, width } = over.getBoundingClientRect();
    return Math.max(0, Math.min(width, event.clientX - left));
  };
  const draw = () => {
    mark.hidden = start === null || Math.abs(end - start) < LEAST_PX;
    mark.style.left = `${Math.min(start, end)}px`;
    mark.style.width = `${Math.abs(end - start)}px`;
  };
  const finish = () => {
    start = null;
    draw();
    document.removeEventListener("keydown", escape, true);
  };
  const escape = (event) => {
    if (event.key !== "Escape") return;
    event.stopPropagation();
    finish();
  };
  over.append(mark);
  over.classList.add("chart-brushed");
  over.addEventListener("pointerdown", (event) => {
    if (event.button !== 0 || !event.isPrimary) return;
    start = end = place(event);
    over.setPointerCapture(event.pointerId);
    document.addEventListener("keydown", escape, true);
  });
  over.addEventListener("pointermove", (event) => {
    if (start === null) return;
    end = place(event);
    draw();
  });
  over.addEventListener("pointerup", () => {
    if (start === null) return;
    const [left, right] = [Math.min(start, end), Math.max(start, end)];
    finish();
    if (right - left >= LEAST_PX) onSelect(left, right);
  });
  over.addEventListener("pointercancel", finish);
}
