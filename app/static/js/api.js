/** Calls to the REST interface. A refusal becomes a `Problem` that carries the server's own words (RFC 9457). */

import { t } from "./strings.js";

/** Id of the session that this page shows; "" is the live capture. It stands in the address, so a reload shows the same. */
export const SESSION = new URLSearchParams(location.search).get("session") ?? "";

/** The same path for the session of this page. */
export function inSession(path) {
  if (!SESSION) return path;
  const url = new URL(path, location.origin);
  url.searchParams.set("session", SESSION);
  return url.pathname + url.search;
}

export class Problem extends Error {
  constructor(document, status) {
    super(reason(document) || t("error.status", { status }));
    this.title = document.title ?? null;
    this.status = status;
    this.document = document;
  }
}

/** What went wrong, in the server's words. */
export function reason(document) {
  return [document.detail || document.title, allowed(document)].filter(Boolean).join(" – ");
}

/** What would have been right, where the server says so; a long list is cut. */
function allowed({ allowed: list }) {
  if (!Array.isArray(list) || !list.length) return "";
  const text = list.join(", ");
  return t("error.allowed", { list: text.length > 220 ? `${text.slice(0, 219)}…` : text });
}

async function answer(response) {
  const type = response.headers.get("content-type") ?? "";
  const body = type.includes("json") ? await response.json().catch(() => null) : null;
  if (!response.ok) throw new Problem(body ?? {}, response.status);
  return body;
}

async function send(path, options, hear = () => {}) {
  let response;
  try {
    response = await fetch(inSession(path), { credentials: "same-origin", ...options });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem({ title: t("error.unreachableTitle"), detail: t("error.unreachable") }, 0);
  }
  hear(response);
  return answer(response);
}

/** Leaves out what is empty: query({q: "", limit: 5}) → "?limit=5" */
export function query(parameters) {
  const entries = Object.entries(parameters).filter(([, value]) => value !== undefined && value !== null && value !== "");
  return entries.length ? `?${new URLSearchParams(entries)}` : "";
}

export function get(path, parameters = {}, signal = undefined) {
  return send(path + query(parameters), { signal, headers: { Accept: "application/json" } });
}

/** A page of a list: {rows, total, next}; `next` are the parameters of the page after it, null at the end. */
export async function page(path, parameters = {}, signal = undefined) {
  let headers = null;
  const rows = await send(path + query(parameters), { signal, headers: { Accept: "application/json" } }, (response) => (headers = response.headers));
  const link = /^<[^?>]*\?([^>]*)>/.exec(headers.get("link") ?? "");
  return { rows, total: Number(headers.get("x-total-count") ?? rows.length), next: link ? Object.fromEntries(new URLSearchParams(link[1])) : null };
}

export function post(path, body = {}) {
  return send(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
}

/** Takes something away. */
export function remove(path) {
  return send(path, { method: "DELETE" });
}

/** Uploads a file; `onPart` hears 0..1, `signal` breaks it off. XMLHttpRequest, because fetch cannot tell how much has been sent. */
export function upload(path, file, onPart, signal) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", path);
    signal?.addEventListener("abort", () => {
      request.abort();
      reject(signal.reason);
    });
    request.upload.addEventListener("progress", (event) => event.lengthComputable && onPart(event.loaded / event.total));
    request.addEventListener("error", () => reject(new Problem({ title: t("error.unreachableTitle"), detail: t("error.unreachable") }, 0)));
    request.addEventListener("load", () => {
      let body = null;
      try {
        body = JSON.parse(request.responseText);
      } catch {
        body = null; // not JSON: the status says enough
      }
      if (request.status >= 200 && request.status < 300) resolve(body);
      else reject(new Problem(body ?? {}, request.status));
    });
    const form = new FormData();
    form.append("file", file);
    request.send(form);
  });
}

/** Starts a download whose refusal is still readable: asks first, then saves, under the server's name where none is given. `onBytes` hears how much has come; `signal` ends it with an AbortError. */
export async function download(path, name, { signal, onBytes = () => {} } = {}) {
  const response = await fetch(inSession(path), { credentials: "same-origin", signal }).catch((error) => {
    if (error.name === "AbortError") throw error;
    throw new Problem({ detail: t("error.unreachable") }, 0);
  });
  if (!response.ok) await answer(response);
  const parts = [];
  let count = 0;
  for (const reader = response.body.getReader(); ; ) {
    const { done, value } = await reader.read();
    if (done) break;
    parts.push(value);
    onBytes((count += value.length));
  }
  const address = URL.createObjectURL(new Blob(parts, { type: response.headers.get("content-type") ?? "" }));
  const link = document.createElement("a");
  link.href = address;
  link.download = name ?? /filename="([^"]+)"/.exec(response.headers.get("content-disposition") ?? "")?.[1] ?? "netglass";
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}
