/** The top bar: which interface, which capture filter, start and stop, and how the capture is. */

import { post, SESSION } from "../api.js";
import * as session from "../data/session.js";
import { fill, h, icon, setData, setText } from "../dom.js";
import * as format from "../format.js";
import { t } from "../strings.js";
import { openMenu, closeMenu, menuAnchor, toast } from "./floating.js";
import { InterfacePicker } from "./interface_picker.js";
import { sessionLine, SessionSwitch } from "./session_switch.js";

const PRESETS = [
  ["all", ""],
  ["tcp", "tcp"],
  ["udp", "udp"],
  ["icmp", "icmp or icmp6"],
  ["web", "tcp port 80 or tcp port 443 or udp port 443"],
  ["dns", "port 53 or port 5353"],
];

const RUNNING = ["starting", "running", "replaying"];

export class CaptureBar {
  #busy = false;
  #touched = false; // the user typed a filter that is not applied yet

  constructor({ onQuit, moreMenu }) {
    this.picker = new InterfacePicker(() => this.#restart());
    this.bpf = this.#bpfField();
    this.startStop = h("button.btn", { type: "button", id: "start-stop", onclick: () => this.#toggle() });
    this.controls = h("div.capture-controls", { data: { open: "false" }, id: "capture-controls" }, this.picker.button, this.bpf);
    this.state = h("span.pill", { id: "capture-state", "aria-label": t("state.label") }, h("span.dot"), h("span.text", { role: "status" }), h("span.clock.desktop-only"));
    this.losses = h("span.pill.pill-warn", { id: "losses", tabindex: "0", hidden: true, data: { tip: t("state.lossesTip") } }, icon("warning", "icon-sm"), h("span.text"), h("span.desktop-only", {}, t("state.lost.word")));
    const settings = SESSION ? null : h("button.btn.btn-icon.mobile-only", { type: "button", "aria-label": t("action.settings"), "aria-expanded": "false", "aria-controls": "capture-controls", onclick: () => this.#fold(settings) }, icon("sliders"));
    const more = h("button.btn.btn-icon.mobile-only", { type: "button", "aria-label": t("action.more"), "aria-haspopup": "menu", "aria-expanded": "false", onclick: () => moreMenu(more) }, icon("more"));
    const quit = h("button.btn.btn-quiet.desktop-only", { type: "button", id: "quit", onclick: onQuit }, icon("power"), t("action.quit"));
    const choice = new SessionSwitch();
    this.parts = [SESSION ? sessionLine() : this.controls, h("div.topbar-state", {}, this.losses, choice.button, this.state, this.startStop, settings, more, quit)];
    session.capture.watch((capture) => this.#show(capture));
    session.stats.watch(() => this.#showState());
    session.sensor.watch(() => this.#showState());
    setInterval(() => this.#showState(), 1000);
  }

  // -- the filter ----------------------------------------------------------------------------------------------------

  #bpfField() {
    this.input = h("input", {
      type: "text", id: "bpf", spellcheck: "false", autocomplete: "off", autocapitalize: "off", "aria-label": t("bpf.label"), placeholder: t("bpf.placeholder"),
      oninput: () => this.#type(),
      onkeydown: (event) => event.key === "Enter" && this.start(),
    });
    this.error = h("p.field-error", { id: "bpf-error", role: "alert", hidden: true });
    const presets = h("button.btn.btn-quiet.btn-sm", { type: "button", "aria-haspopup": "menu", "aria-expanded": "false", onclick: () => this.#presets(presets) }, t("bpf.presets"), icon("down", "icon-sm"));
    this.enter = h("kbd.bpf-enter", { hidden: true, title: t("bpf.applied") }, "Enter");
    return h("div.bpf-field", {}, this.input, h("span.bpf-end", {}, this.enter, presets), this.error);
  }

  #presets(anchor) {
    if (menuAnchor() === anchor) return closeMenu();
    const now = this.input.value.trim();
    const item = (label, hint, checked, choose) => h("button.menu-item", { type: "button", role: "menuitemradio", "aria-checked": String(checked), onclick: choose }, label, h("code.hint", {}, hint));
    const items = PRESETS.map(([name, filter]) => item(t(`bpf.${name}`), filter, filter === now, () => {
      closeMenu();
      this.input.value = filter;
      this.#type();
      if (RUNNING.includes(session.capture.value?.state)) this.start();
    }));
    const custom = !PRESETS.some(([, filter]) => filter === now);
    items.push(item(t("bpf.custom"), t("bpf.customHint"), custom, () => {
      closeMenu();
      this.input.focus();
      this.input.select();
    }));
    return openMenu(anchor, items, { label: t("bpf.presets") });
  }

  #type() {
    this.#touched = true;
    this.enter.hidden = false;
    this.#refuse(null);
  }

  #refuse(text) {
    this.error.hidden = !text;
    setText(this.error, text ?? "");
    if (text) {
      this.input.setAttribute("aria-invalid", "true");
      this.input.setAttribute("aria-describedby", "bpf-error");
    } else {
      this.input.removeAttribute("aria-invalid");
      this.input.removeAttribute("aria-describedby");
    }
  }

  // -- start and stop ------------------------------------------------------------------------------------------------

  async start(interfaces = this.picker.chosen) {
    if (this.#busy) return;
    this.#setBusy(true);
    this.#refuse(null);
    const typed = this.input.value;
    try {
      const answer = await post("/api/capture/start", { interfaces, bpf_filter: typed.trim(), snaplen: session.capture.value?.snaplen ?? 0 });
      this.#touched = this.input.value !== typed; // somebody may have typed on meanwhile
      this.enter.hidden = !this.#touched;
      session.takeCapture(answer);
    } catch (problem) {
      if (aboutFilter(problem)) {
        this.controls.dataset.open = "true";
        this.#refuse(problem.message);
        this.input.focus();
      } else toast(problem.message, "error");
    }
    this.#setBusy(false);
  }

  async #stop() {
    this.#setBusy(true);
    try {
      session.takeCapture(await post("/api/capture/stop"));
    } catch (problem) {
      toast(problem.message, "error");
    }
    this.#setBusy(false);
  }

  #toggle() {
    if (RUNNING.includes(session.capture.value?.state)) this.#stop();
    else this.start();
  }

  #restart() {
    if (session.capture.value?.state === "running") this.start();
  }

  #setBusy(busy) {
    this.#busy = busy;
    this.#showButton(session.capture.value);
  }

  // -- showing -------------------------------------------------------------------------------------------------------

  #show(capture) {
    this.#showButton(capture);
    if (capture && !this.#touched && document.activeElement !== this.input) this.input.value = capture.bpf_filter ?? "";
    this.#showState();
  }

  #showButton(capture) {
    const running = RUNNING.includes(capture?.state);
    const denied = capture?.can_capture === false && !running;
    fill(this.startStop, icon(running ? "stop" : "play", "icon-sm"), h("span.label", {}, t(running ? "action.stop" : "action.start")));
    this.startStop.className = `btn ${running ? "" : "btn-primary"}`;
    this.startStop.hidden = Boolean(SESSION) && !running;
    this.startStop.disabled = this.#busy || !capture || denied;
    setData(this.startStop, "tip", denied ? capture.why_not ?? t("empty.noRights") : null);
  }

  #showState() {
    const capture = session.capture.value;
    const sensor = session.sensor.value?.state;
    const lost = sensor === "restarting" || sensor === "gone";
    const state = lost ? "lost" : capture?.state;
    this.state.dataset.state = state ?? "unknown";
    setText(this.state.children[1], t(lost ? "state.sensorLost" : `state.${state ?? "unknown"}`));
    setText(this.state.lastChild, lost ? "" : since(capture));
    const dropped = session.stats.value?.losses?.kernel_drops ?? 0;
    this.losses.hidden = !dropped;
    if (dropped) setText(this.losses.children[1], format.short(dropped));
  }

  #fold(button) {
    const open = this.controls.dataset.open !== "true";
    this.controls.dataset.open = String(open);
    button.setAttribute("aria-expanded", String(open));
  }
}

/** How long it has been running, or how far the file is read. */
function since(capture) {
  if (!capture) return "";
  if (capture.state === "replaying" && typeof capture.progress === "number") return format.percent(capture.progress, 0);
  if (capture.state !== "running") return "";
  const started = startOf(capture);
  return started ? format.stopwatch((Date.now() - started) / 1000) : "";
}

/** Milliseconds since the epoch. */
export function startOf(capture) {
  if (typeof capture?.started === "string") return Date.parse(capture.started);
  return capture?.started_ns ? capture.started_ns / 1e6 : null;
}

function aboutFilter(problem) {
  const { parameter, code } = problem.document;
  return parameter === "bpf_filter" || code === "bad_filter";
}
