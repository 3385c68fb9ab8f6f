/** One packet in the drawer: its layers as a tree, its bytes below, each pointing at the other. */

import { get } from "../api.js";
import { fill, h, icon } from "../dom.js";
import * as format from "../format.js";
import { empty } from "../parts/empty.js";
import { Bytes } from "../parts/bytes.js";
import { FieldTree } from "../parts/field_tree.js";
import { followable } from "../parts/pivots.js";
import { openDrawer } from "../parts/overlay.js";
import { address } from "../router.js";
import { t } from "../strings.js";

export class Dissection {
  #asked = 0;

  constructor({ onClose }) {
    this.onClose = onClose;
  }

  async open(row) {
    const asked = (this.#asked += 1);
    const body = empty({ iconName: "wait", text: t("packets.loading") });
    const drawer = openDrawer({ label: "packet", title: t("packets.packet", { id: String(row.id) }), subtitle: row.info ?? "", body, actions: actions(row), onClose: () => {
      this.#asked += 1;
      this.onClose();
    } });
    try {
      const packet = await get(`/api/packets/${row.id}`);
      if (asked !== this.#asked) return;
      drawer.setHead(t("packets.packet", { id: String(row.id) }), packet.summary || row.info || "", brief(row, packet.masked));
      const tree = draw(packet);
      fill(drawer.body, tree.element);
      tree.focus();
    } catch (problem) {
      if (asked === this.#asked) fill(drawer.body, empty({ iconName: "warning", title: t("packets.gone"), text: problem.message }));
    }
  }
}

function actions(row) {
  const ends = [["src_ip", row.src_ip], ["dst_ip", row.dst_ip]].map(([field, value]) => followable(value, { field, value }, { mono: true }));
  if (!row.flow_id) return ends;
  return [...ends, h("a.btn.btn-sm", { href: address("connections", { q: `flow_id:${row.flow_id}` }) }, icon("connections", "icon-sm"), t("packets.flow"))];
}

/** The facts beside the title, as tags. */
function brief(packet, masked) {
  const flags = packet.flags ? packet.flags.split(", ") : [];
  return h("div.packet-brief", {},
    packet.timestamp ? h("span.tag", {}, format.timeOfDay(packet.timestamp)) : null,
    packet.size ? h("span.tag", {}, format.bytes(packet.size)) : null,
    packet.interface ? h("span.tag", {}, packet.interface) : null,
    flags.map((flag) => h("span.tag.tag-accent", {}, flag)),
    packet.reason ? h("span.tag.tag-warn", {}, packet.reason) : null,
    masked ? h("span.tag.tag-warn", {}, t("packets.masked")) : null);
}

function draw({ tree, hex, masked, error }) {
  const bytes = new Bytes({ hex, masked, label: t("packets.hex"), onPoint: (offset) => fields.light(offset), onSelect: (offset) => fields.selectAt(offset) });
  const fields = new FieldTree({ tree, label: t("packets.tree"), onPoint: (range) => bytes.light(range), onSelect: (range) => bytes.select(range) });
  const element = h("div.dissection", {}, h("div.tree-pane", {}, error ? h("p.tree-error", { role: "alert" }, icon("warning", "icon-sm"), error) : null, fields.element), bytes.element);
  return { element, focus: () => fields.focus() };
}
