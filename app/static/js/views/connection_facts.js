/** What a connection said in payload that could be read: TLS, HTTP, DNS, and logins in clear text. Sections without a fact are left out. */

import { h, icon } from "../dom.js";
import * as format from "../format.js";
import { followable } from "../parts/pivots.js";
import { address } from "../router.js";
import { t } from "../strings.js";
import { term } from "../query.js";
import { answerText, rcodeText, rcodeTone } from "./dns_columns.js";
import { definitions, mark, section } from "./facts.js";

const FIRST = 50;

/** What must not be overlooked; null where nobody logged in in clear text. */
export function loginWarning(found) {
  const { logins = [], more: unsent = {} } = found ?? {};
  return logins.length ? loginSection(logins, logins.length + (unsent.logins ?? 0)) : null;
}

/** Sections for `found` {dns, tls, http, logins, more}; `more`: how many of each the answer leaves out. */
export function factSections(found) {
  const { tls = [], http = [], dns = [], more: unsent = {} } = found ?? {};
  const total = (list, kind) => list.length + (unsent[kind] ?? 0);
  return [
    tls.length ? tlsSection(tls, total(tls, "tls")) : null,
    http.length ? httpSection(http, total(http, "http")) : null,
    dns.length ? dnsSection(dns, total(dns, "dns")) : null,
  ];
}

// -- logins --------------------------------------------------------------------------------------------------------------

function loginSection(logins, total) {
  const line = ({ protocol, username, succeeded }) => h("li", {},
    h("span.tag", {}, (protocol ?? "").toUpperCase()),
    h("b", {}, username || t("facts.noUser")),
    succeeded === null || succeeded === undefined ? null : mark(t(succeeded ? "facts.accepted" : "facts.rejected"), succeeded ? "good" : "bad"));
  return h("section.warned", { data: { facts: "logins" } },
    h("h3", {}, icon("warning", "icon-sm"), t("facts.logins")),
    h("p", {}, t("facts.loginsNote")),
    h("ul", {}, logins.slice(0, FIRST).map(line)),
    more(total));
}

// -- TLS -----------------------------------------------------------------------------------------------------------------

function tlsSection(hellos, total) {
  const [first, ...others] = hellos;
  const part = section(first.transport && first.transport !== "tls" ? first.transport.toUpperCase() : t("facts.tls"), { count: total > 1 ? format.count(total) : null }, tlsList(first));
  part.dataset.facts = "tls";
  if (others.length) part.append(h("details", {}, h("summary", {}, t("facts.furtherHellos", { n: total - 1 })), others.slice(0, FIRST).map((hello) => tlsList(hello)), more(total)));
  return part;
}

function tlsList(hello) {
  const negotiated = hello.version && hello.offered_version && hello.version !== hello.offered_version ? t("facts.offered", { version: hello.offered_version }) : null;
  return definitions([
    [t("field.server_name"), nameWithEch(hello), { help: "server_name" }],
    [t("facts.version"), [[hello.version, hello.quic_version].filter(Boolean).join(" · "), negotiated].filter(Boolean).join(" "), { help: "tls_version" }],
    [t("facts.cipher"), hello.cipher, { mono: true }],
    [t("facts.alpn"), listed(hello.alpn), { mono: true, help: "alpn" }],
    [t("facts.ja3"), followable(hello.ja3, { field: "ja3", value: hello.ja3 }, { mono: true }), { mono: true, help: "ja3" }],
    [t("facts.ja4"), followable(hello.ja4, { field: "ja4", value: hello.ja4 }, { mono: true }), { mono: true, help: "ja4" }],
    [t("facts.subject"), hello.subject ? h("span", {}, hello.subject, hello.self_signed ? [" ", mark(t("facts.selfSigned"), "warn")] : null) : null],
    [t("facts.issuer"), hello.issuer],
    [t("facts.validity"), validity(hello)],
    [t("facts.names"), listed(hello.names)],
  ]);
}

function nameWithEch({ server_name: name, ech }) {
  if (!ech) return name ? followable(name, { field: "server_name", value: name }) : h("span.faint", {}, t("facts.noName"));
  return h("span", {}, name ?? "", " ", h("span.tag.tag-accent", { tabindex: "0", data: { tip: t("facts.echTip") } }, "ECH"));
}

/** From when to when, with a mark where the connection lay outside. */
function validity({ not_before: from, not_after: until, timestamp }) {
  if (!from || !until) return null;
  const at = Date.parse(timestamp);
  const outside = at < Date.parse(from) ? t("facts.notYetValid") : at > Date.parse(until) ? t("facts.expired") : null;
  return h("span", {}, t("facts.fromUntil", { from: format.dateTime(from), until: format.dateTime(until) }), outside ? [" ", mark(outside, "bad")] : null);
}

const listed = (value) => (Array.isArray(value) ? value.join(", ") : value);

// -- HTTP ----------------------------------------------------------------------------------------------------------------

function httpSection(requests, total) {
  const line = (request) => h("li", {},
    h("div", {}, h("b", {}, request.method ?? format.NONE), h("span.mono.target", {}, request.host ? followable(request.host, { field: "host", value: request.host }, { mono: true }) : null, request.uri ?? ""), status(request.status)),
    h("small", {}, [request.content_type, request.response_length === null || request.response_length === undefined ? null : format.bytes(request.response_length), request.latency_ms === null || request.latency_ms === undefined ? null : format.milliseconds(request.latency_ms), request.username ? t("facts.as", { user: request.username }) : null].filter(Boolean).join(" · ")));
  const agents = [...new Set(requests.map((request) => request.user_agent).filter(Boolean))];
  const part = section(t("facts.http"), { count: format.count(total) },
    agents.length ? definitions([[t("facts.userAgent"), agents.slice(0, 3).join("\n")]]) : null,
    h("ol.requests", {}, requests.slice(0, FIRST).map(line)),
    more(total));
  part.dataset.facts = "http";
  return part;
}

function status(code) {
  if (code === null || code === undefined) return mark(t("facts.noResponse"), "warn");
  return mark(String(code), code >= 500 ? "bad" : code >= 400 ? "warn" : "good");
}

// -- DNS -----------------------------------------------------------------------------------------------------------------

function dnsSection(queries, total) {
  const line = (row) => h("li", {},
    h("div", {}, h("span.tag", {}, row.type ?? format.NONE), h("a.plain.target", { href: address("dns", { q: term("query", row.query) }) }, row.query), mark(rcodeText(row), rcodeTone(row))),
    h("small.mono", {}, answerText(row) ?? ""));
  const part = section(t("facts.dns"), { count: format.count(total) }, h("ol.requests", {}, queries.slice(0, FIRST).map(line)), more(total));
  part.dataset.facts = "dns";
  return part;
}

const more = (total) => (total > FIRST ? h("p.faint", {}, t("facts.more", { shown: FIRST, total })) : null);
