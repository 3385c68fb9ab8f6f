/**
 * Making elements. Data enters the page only here and only as text nodes or attribute values; nothing on this page parses HTML.
 */

const SVG = "http://www.w3.org/2000/svg";

/**
 * h("button.btn.btn-sm", {type: "button", onclick: save}, icon("check"), "Save")
 * Properties: on<event> is a listener, `vars` sets custom properties, `data` sets data-*, true/false set or leave out an attribute.
 */
export function h(selector, properties, ...children) {
  const [tag, ...classes] = selector.split(".");
  const element = document.createElement(tag || "div");
  if (classes.length) element.className = classes.join(" ");
  for (const [name, value] of Object.entries(properties ?? {})) setProperty(element, name, value);
  append(element, children);
  return element;
}

function setProperty(element, name, value) {
  if (value === undefined || value === null || value === false) return;
  if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
  else if (name === "vars") for (const [key, item] of Object.entries(value)) element.style.setProperty(`--${key}`, item);
  else if (name === "data") for (const [key, item] of Object.entries(value)) setData(element, key, item);
  else if (name === "value" || name === "checked") element[name] = value;
  else element.setAttribute(name, value === true ? "" : String(value));
}

/** Sets data-<key>, or takes it away where the value says nothing. */
export function setData(element, key, value) {
  if (value === undefined || value === null || value === false) delete element.dataset[key];
  else element.dataset[key] = value === true ? "" : String(value);
}

export function append(element, children) {
  for (const child of children.flat(Infinity)) {
    if (child === undefined || child === null || child === false) continue;
    element.append(child instanceof Node ? child : document.createTextNode(String(child)));
  }
  return element;
}

export function svg(tag, attributes, ...children) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes ?? {})) element.setAttribute(name, String(value));
  for (const child of children) element.append(child);
  return element;
}

export function icon(name, extra = "") {
  return svg("svg", { class: `icon ${extra}`, "aria-hidden": "true" }, svg("use", { href: `/static/icons.svg#${name}` }));
}

/** Replaces what an element holds. */
export function fill(element, ...children) {
  element.replaceChildren();
  return append(element, children);
}

/** As `fill`, for what the reader is in the middle of: what is unfolded stays so, and the focus stays on what has the same label. */
export function refill(element, ...children) {
  const unfolded = new Set([...element.querySelectorAll("details[open]")].map((one) => one.dataset.fold));
  const focused = element.contains(document.activeElement) ? document.activeElement.getAttribute("aria-label") : null;
  fill(element, ...children);
  for (const one of element.querySelectorAll("details[data-fold]")) one.open = unfolded.has(one.dataset.fold);
  if (focused) element.querySelector(`[aria-label="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
  return element;
}

/** Sets the text only where it changed, so that an idle page causes no layout. */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** Two decimals of precision are enough for a bar; the same value is not written twice. */
export function setPart(element, part) {
  const value = (Number.isFinite(part) ? Math.max(0, Math.min(1, part)) : 0).toFixed(4);
  if (element.dataset.part !== value) {
    element.dataset.part = value;
    element.style.setProperty("--part", value);
  }
}

/** Runs `draw` at most once per animation frame. */
export function framed(draw) {
  let asked = false;
  return () => {
    if (asked) return;
    asked = true;
    requestAnimationFrame(() => {
      asked = false;
      draw();
    });
  };
}
