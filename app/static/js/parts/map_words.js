/** What stands with the map: what it is told of a country, and its legend. Apart from the map, so that pages may be drawn before that has come. */

import { h } from "../dom.js";
import * as format from "../format.js";
import { t } from "../strings.js";
import { credit } from "./credit.js";

const total = (one) => one.bytes ?? one.bytes_sent + one.bytes_recv;

/** What the map needs of a country. */
export const shape = (one) => ({ country: one.country, bytes: total(one), tip: t("world.tip", { name: one.name, bytes: format.bytes(total(one)), n: one.flows }) });

export const legend = () => h("div.world-legend", {}, t("world.less"), h("i", { "aria-hidden": "true" }), t("world.more"), credit());
