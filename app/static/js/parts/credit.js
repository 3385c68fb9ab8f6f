/** Who is to be named for the places that are shown. */

import { h } from "../dom.js";
import { t } from "../strings.js";

/** DB-IP's licence asks for this link wherever its places are shown. */
export const credit = () => h("a.credit", { href: "https://db-ip.com/", target: "_blank", rel: "noopener noreferrer" }, t("places.credit"));
