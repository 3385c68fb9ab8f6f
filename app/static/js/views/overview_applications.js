/** What the traffic is: applications by bytes, and who named them. */

import { h, setData, setText } from "../dom.js";
import * as format from "../format.js";
import { panel } from "../parts/panel.js";
import { Ranked } from "../parts/ranked.js";
import { address } from "../router.js";
import { t } from "../strings.js";
import { term } from "../query.js";

const TOP = 8;
const NAMELESS = [null, undefined, "", "unknown"];

export class ApplicationsPanel {
  constructor() {
    this.list = new Ranked({ headings: [t("column.application"), t("column.share"), t("column.bytes")], narrow: [1], none: t("applications.none") });
    this.engine = h("span.tag", { tabindex: "0", hidden: true });
    this.element = panel(t("panel.applications"), "span-4", this.list.element, { help: "applications", aside: this.engine });
    this.element.id = "applications";
  }

  draw(stats) {
    const applications = [...(stats.applications ?? [])].sort((a, b) => b.bytes - a.bytes);
    const total = Math.max(stats.totals?.bytes ?? 0, applications.reduce((sum, one) => sum + one.bytes, 0)); // what has no name is not listed
    this.list.set(applications.slice(0, TOP).map((one) => {
      const nameless = NAMELESS.includes(one.name);
      const name = nameless ? t("applications.unknown") : one.name;
      return {
        name,
        tip: t("applications.tip", { name, bytes: format.bytes(one.bytes), packets: one.packets, n: one.flows }),
        link: address("connections", { q: nameless ? "-application:*" : term("application", one.name) }),
        values: [format.percent(total ? one.bytes / total : null), format.bytes(one.bytes)],
        part: total ? one.bytes / total : 0,
      };
    }));
    this.#engine(stats.insight);
  }

  #engine(insight) {
    this.engine.hidden = !insight;
    if (!insight) return;
    const isNdpi = insight.engine === "ndpi";
    setText(this.engine, isNdpi ? t("engine.ndpi", { version: insight.engine_version ?? "" }).trim() : t("engine.content"));
    setData(this.engine, "tip", isNdpi ? t("engine.ndpiTip") : insight.engine_why_not ? t("engine.contentTip", { reason: insight.engine_why_not }) : null);
  }
}
