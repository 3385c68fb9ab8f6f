/** Writes the query language: terms for a value, added to or taken from a query that the user may have typed in part. */

const PLAIN = /^[A-Za-z0-9._:/%-]+$/;

/** Any value at all: `vlan:*`. */
export const ANY = Symbol("*");

/** Fields of text match a part of it; whoever clicks on a value means all of it: `type:=A`, not AAAA too. */
const TEXTS = new Set(["application", "category", "detailed_protocol", "server_name", "ja4", "tls_version", "query", "type", "rcode", "kind"]);

export function quote(value) {
  if (value === ANY) return "*";
  const text = String(value);
  return PLAIN.test(text) && !text.startsWith("-") ? text : `"${text.replace(/\\/g, "\\\\").replace(/"/g, '\\"')}"`;
}

export const term = (field, value, exclude = false) => `${exclude ? "-" : ""}${field}:${TEXTS.has(field) && value !== ANY ? "=" : ""}${quote(value)}`;

/** Adds a term; the opposite of it goes, and an OR is put into parentheses so that it keeps its meaning. */
export function withTerm(q, field, value, exclude = false) {
  const added = term(field, value, exclude);
  const opposite = term(field, value, !exclude);
  const words = split(q).filter((word) => word !== opposite && word !== added);
  if (words.some((word) => word.toUpperCase() === "OR") && !q.trim().startsWith("(")) return `(${words.join(" ")}) ${added}`;
  return [...words, added].join(" ");
}

/** Splits at spaces outside quotes. */
function split(q) {
  return q.match(/(?:"(?:\\.|[^"\\])*"|[^\s"])+/g) ?? [];
}

/** "192.0.2.1:443" or "[2001:db8::1]:443" → {ip, port}; without a port the address alone. */
export function endpoint(text) {
  if (!text) return { ip: null, port: null };
  const bracketed = /^\[(.+)\](?::(\d+))?$/.exec(text);
  if (bracketed) return { ip: bracketed[1], port: bracketed[2] ? Number(bracketed[2]) : null };
  const plain = /^([^:]+):(\d+)$/.exec(text);
  return plain ? { ip: plain[1], port: Number(plain[2]) } : { ip: text, port: null };
}
