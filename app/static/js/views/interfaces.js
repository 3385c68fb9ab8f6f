/** Every interface of the machine as a card: what it is, what it carries now, and a button to capture there. */

import * as session from "../data/session.js";
import { fill, framed, h, icon, setText } from "../dom.js";
import * as format from "../format.js";
import { empty } from "../parts/empty.js";
import { namesOf } from "../parts/interface_picker.js";
import { Spark } from "../parts/spark.js";
import { t } from "../strings.js";
import { InterfaceLatency } from "./interface_latency.js";

export class InterfacesView {
  #cards = new Map();
  #stop = [];

  constructor({ startOn, capture }) {
    this.startOn = (names) => {
      capture(names);
      if (session.capture.value?.state !== "running") startOn(names);
    };
    this.latency = new InterfaceLatency();
    this.cards = h("div.cards");
    this.element = h("div.view", { id: "interfaces" }, h("div.view-head", {}, h("h1", {}, t("interfaces.title"))), this.cards, this.latency.element);
    this.draw = framed(() => this.#draw());
  }

  show() {
    for (const stop of this.#stop) stop();
    this.#stop = [session.interfaces.watch(this.draw), session.capture.watch(this.draw)];
    this.latency.show();
  }

  hide() {
    for (const stop of this.#stop) stop();
    this.#stop = [];
    this.latency.hide();
  }

  #draw() {
    const items = [...session.interfaces.value].sort(physicalFirst);
    const names = items.map((item) => item.interface).join("\n");
    if (names !== this.names) {
      this.names = names;
      this.#cards.clear();
      for (const item of items) this.#cards.set(item.interface, new Card(item.interface, () => this.startOn([item.interface])));
      fill(this.cards, items.length ? [...this.#cards.values()].map((card) => card.element) : h("section.panel", {}, empty({ iconName: "interfaces", title: t("interfaces.empty.title"), text: t("interfaces.empty") })));
    }
    const capture = session.capture.value ?? {};
    const live = capture.source === "live" && capture.state === "running" ? namesOf(capture) : [];
    for (const item of items) this.#cards.get(item.interface).set(item, live.includes(item.interface) || live.includes("any"), capture.can_capture === false);
  }
}

const physicalFirst = (a, b) => Number(Boolean(b.is_physical)) - Number(Boolean(a.is_physical)) || Number(Boolean(b.is_up)) - Number(Boolean(a.is_up));

class Card {
  constructor(name, onCapture) {
    this.name = name;
    this.kind = h("span.tag");
    this.up = h("span.tag");
    this.lanes = { down: lane("interfaces.in", null), up: lane("interfaces.out", "sent") };
    this.addresses = h("p.addresses.mono");
    this.facts = h("span");
    this.button = h("button.btn.btn-sm", { type: "button", onclick: onCapture });
    this.element = h("section.panel.card", { "aria-label": name },
      h("header", {}, h("h2", {}, name), this.kind, this.up),
      h("div.lanes", {}, this.lanes.down.element, this.lanes.up.element),
      this.addresses,
      h("footer", {}, this.facts, this.button));
  }

  set(item, capturing, denied) {
    const readings = session.interfaceRates.get(this.name) ?? [];
    const top = Math.max(1, ...readings.flatMap(({ down, up }) => [down, up]));
    this.lanes.down.set(item.download_bps, item.bytes_recv, readings.map(({ down }) => down), top);
    this.lanes.up.set(item.upload_bps, item.bytes_sent, readings.map(({ up }) => up), top);
    setText(this.kind, t(item.is_physical ? "interfaces.physical" : "interfaces.virtual"));
    setText(this.up, t(item.is_up ? "interfaces.up" : "interfaces.down"));
    this.up.className = item.is_up ? "tag tag-good" : "tag";
    setText(this.addresses, (item.addresses ?? []).map((one) => one.address ?? one).join("  ·  ") || format.NONE);
    setText(this.facts, [
      item.speed_mbps ? t("interfaces.speed", { value: item.speed_mbps }) : null,
      item.mtu ? t("interfaces.mtu", { value: String(item.mtu) }) : null,
      item.errors ? t("interfaces.errors", { n: item.errors }) : null,
      item.drops ? t("interfaces.drops", { n: item.drops }) : null,
    ].filter(Boolean).join(" · "));
    if (this.capturing !== capturing) fill(this.button, icon(capturing ? "check" : "play", "icon-sm"), t(capturing ? "interfaces.capturing" : "interfaces.capture"));
    this.capturing = capturing;
    this.button.disabled = capturing || denied;
  }
}

function lane(key, tone) {
  const spark = new Spark({ tone, points: 45 });
  const rate = h("b");
  const total = h("span");
  const element = h("div.lane", {}, h("p", {}, t(key), rate), h("p", {}, total), spark.element);
  return {
    element,
    set(bps, bytes, values, top) {
      setText(rate, format.bitRate(bps));
      setText(total, format.bytes(bytes));
      spark.set(values, top);
    },
  };
}
