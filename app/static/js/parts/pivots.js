/** Where else a value can be followed: the pages that know it, each asked in its own words. A value in a drawer is a button that offers them. */

import { h, icon } from "../dom.js";
import { endpoint, term } from "../query.js";
import * as router from "../router.js";
import { t } from "../strings.js";
import { pickMenu } from "./pick_menu.js";

/** What a field's values are. Fields that are not listed are known to one page only. */
const KINDS = {
  ip: "address", src_ip: "address", dst_ip: "address", client: "address", local_ip: "address", remote_ip: "address", source: "address", target: "address", destination: "address", address: "address",
  server: "name", server_name: "name", query: "name", hostname: "name", name: "name", host: "name",
  app_name: "program", app: "program", program: "program", application: "application", country: "country", port: "port", service: "service", protocol: "protocol", ja4: "ja4", ja3: "ja3", organization: "organization",
  asn: "asn", mac: "mac", user: "user", pid: "pid", app_path: "path", unit: "unit", city: "city", vendor: "vendor", container: "container", flow_id: "flow", rule: "rule", category: "category", vlan: "vlan",
};

/** Kind → [page, parameter `q` for a value]. */
const only = (field) => (value) => ({ q: term(field, value) });
const WAYS = {
  address: { connections: only("ip"), hosts: (value) => ({ q: term("ip", value), open: value }), dns: only("ip"), alerts: only("ip"), packets: only("ip"), history: only("ip") },
  name: { connections: only("server_name"), dns: only("query"), hosts: only("name"), history: only("server") },
  program: { connections: only("app_name"), programs: (value) => ({ q: value }), alerts: only("app"), history: only("app") },
  application: { connections: only("application"), history: only("application") },
  country: { connections: only("country"), hosts: only("country"), history: only("country") },
  port: { connections: only("port"), packets: only("port"), history: only("port") },
  service: { connections: only("service"), packets: only("service"), history: only("service") },
  protocol: { connections: only("protocol"), packets: only("protocol"), history: only("protocol") },
  ja4: { connections: only("ja4"), history: only("ja4") },
  ja3: { connections: only("ja3") },
  organization: { connections: only("organization"), hosts: only("organization") },
  asn: { connections: only("asn"), hosts: only("asn") },
  mac: { hosts: only("mac"), connections: only("mac") },
  user: { connections: only("user"), programs: (value) => ({ q: value }) },
  container: { connections: only("container"), programs: (value) => ({ q: value }) },
  pid: { connections: only("pid") },
  path: { connections: only("app_path"), programs: (value) => ({ q: value }) },
  unit: { connections: only("unit"), programs: (value) => ({ q: value }) },
  city: { connections: only("city"), hosts: only("city") },
  vendor: { hosts: only("vendor") },
  flow: { connections: only("flow_id"), packets: only("flow_id"), dns: only("flow_id"), cards: only("flow_id") },
  rule: { alerts: only("rule") },
  category: { connections: only("category") },
  vlan: { connections: only("vlan"), packets: only("vlan") },
};

/** [{section, href}] of the pages that can be asked for a value, without the one that is shown. */
export function ways({ field, value }) {
  if (typeof value === "symbol" || value === null || value === undefined || value === "") return [];
  const { ip } = endpoint(String(value));
  const isAddress = /^[0-9.]+$/.test(ip ?? "") || (ip ?? "").includes(":");
  const kind = KINDS[field] === "name" && isAddress ? "address" : KINDS[field];
  if (kind === "address" && !isAddress) return ways({ field: "name", value });
  const here = router.parse(location.hash).name;
  return Object.entries(WAYS[kind] ?? {})
    .filter(([section]) => section !== here)
    .map(([section, parameters]) => ({ section, href: router.address(section, parameters(kind === "address" ? ip : value)) }));
}

/** A value in a drawer. `one` {field, value} is what it is; `onTerm(one, exclude)` filters the list beside it, where that knows the field. */
export function followable(text, one, { onTerm = null, mono = false } = {}) {
  if (text === null || text === undefined || text === "") return null;
  if (!one || (!onTerm && !ways(one).length)) return h(mono ? "span.mono" : "span", {}, text);
  return h(mono ? "button.plain.follow.mono" : "button.plain.follow", { type: "button", "aria-haspopup": "menu", onclick: (event) => pickMenu(event.currentTarget, { title: String(one.value), term: onTerm ? one : null, pivot: one, onTerm }) }, text, icon("down", "icon-sm"));
}
