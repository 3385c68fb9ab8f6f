/** The legal notice: a modal that stays until it is accepted; the server remembers that it was. */

import { get, post } from "../api.js";
import { h, icon } from "../dom.js";
import { t } from "../strings.js";
import { toast } from "./floating.js";
import { openDialog } from "./overlay.js";

const POINTS = ["own", "wiretap", "access", "privacy", "warranty"];

export async function ask(onDecline) {
  try {
    if ((await get("/api/legal")).accepted) return;
  } catch {
    // a server that cannot say whether it was accepted gets the notice shown again
  }
  const accept = async () => {
    button.disabled = true;
    try {
      await post("/api/legal", { accepted: true });
      dialog.close();
    } catch (problem) {
      button.disabled = false;
      toast(problem.message, "error");
    }
  };
  const button = h("button.btn.btn-primary", { type: "button", id: "legal-accept", onclick: accept }, t("legal.accept"));
  const points = POINTS.map((name) => h("li", {}, icon("check"), h("span", {}, h("strong", {}, t(`legal.${name}.title`)), " ", t(`legal.${name}`))));
  const dialog = openDialog({
    id: "legal",
    title: t("legal.title"),
    iconName: "legal",
    dismissible: false,
    body: [h("p", {}, t("legal.lead")), h("ul", {}, points)],
    buttons: [h("button.btn.btn-quiet", { type: "button", onclick: onDecline }, t("legal.decline")), button],
  });
  button.focus();
}
