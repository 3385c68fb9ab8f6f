/** This capture and what is held of it, opening a capture file beside it or in its place, and the files that are open. */

import { post, SESSION, upload } from "../api.js";
import * as session from "../data/session.js";
import * as sessions from "../data/sessions.js";
import { fill, framed, h, icon, setPart, setText } from "../dom.js";
import * as format from "../format.js";
import { empty } from "../parts/empty.js";
import { toast } from "../parts/floating.js";
import { namesOf } from "../parts/interface_picker.js";
import { t } from "../strings.js";
import { ExportPanel } from "./export_panel.js";
import { figure } from "./overview_panels.js";
import { SessionList } from "./session_list.js";

export class CapturesView {
  answersPast = true; // what is saved is of the time that is shown
  #stop = [];
  #uploading = null; // {name, part}
  #failed = null; // {name, text}
  #opened = null; // the name of a file that was handed over
  #session = null; // the session it became

  constructor() {
    this.facts = h("dl.figures");
    this.held = h("div");
    this.list = new SessionList();
    this.work = h("div", { role: "status", "aria-live": "polite" });
    this.element = h("div.view", { id: "captures" },
      h("div.view-head", {}, h("h1", {}, t("captures.title"))),
      h("div.grid", {},
        section("captures.current", "span-12", this.facts),
        section("captures.replay", "span-6", this.#dropZone(), this.work),
        section("captures.held", "span-6", this.held, h("h3.save-title", {}, t("export.title")), new ExportPanel().element),
        section("sessions.title", "span-12", this.list.element)));
    this.draw = framed(() => this.#draw());
  }

  show() {
    for (const stop of this.#stop) stop();
    this.#stop = [session.capture.watch(this.draw), session.stats.watch(this.draw), sessions.sessions.watch(() => this.list.draw())];
  }

  hide() {
    for (const stop of this.#stop) stop();
    this.#stop = [];
  }

  // -- opening a file ------------------------------------------------------------------------------------------------

  #dropZone() {
    const input = h("input", { type: "file", id: "replay-file", accept: ".pcap,.pcapng,.cap,.gz,.ntar", hidden: true, onchange: () => {
      if (input.files.length) this.#send(input.files[0]);
      input.value = "";
    } });
    this.beside = h("input", { type: "checkbox", id: "beside", checked: true });
    const beside = h("label.beside", { hidden: Boolean(SESSION) }, this.beside, t("sessions.beside"));
    const choose = h("button.btn.btn-primary", { type: "button", onclick: () => input.click() }, icon("upload", "icon-sm"), t("captures.choose"));
    const zone = h("div.drop", {
      id: "drop-zone",
      ondragover: (event) => { event.preventDefault(); zone.dataset.over = "true"; },
      ondragleave: (event) => { if (!zone.contains(event.relatedTarget)) delete zone.dataset.over; },
      ondrop: (event) => {
        event.preventDefault();
        delete zone.dataset.over;
        if (event.dataTransfer.files.length) this.#send(event.dataTransfer.files[0]);
      },
    }, icon("captures"), h("strong", {}, t("captures.drop")), h("p.muted", {}, t("captures.dropNote")), beside, choose, input);
    return zone;
  }

  async #send(file) {
    if (this.#uploading) return;
    const cancelled = new AbortController();
    this.#uploading = { name: file.name, part: 0, cancel: () => cancelled.abort() };
    this.#failed = null;
    this.#opened = this.#session = null;
    this.draw();
    const onPart = (part) => {
      this.#uploading.part = part;
      this.draw();
    };
    try {
      if (this.beside.checked || SESSION) this.#session = await sessions.open(file, onPart, cancelled.signal);
      else session.takeCapture(await upload("/api/capture/replay", file, onPart, cancelled.signal));
      this.#opened = file.name;
    } catch (problem) {
      if (problem.name !== "AbortError") this.#failed = { name: file.name, text: problem.message };
    }
    this.#uploading = null;
    this.draw();
  }

  #showWork(capture) {
    if (this.#uploading) return this.#progress(t("captures.uploading", { name: this.#uploading.name }), this.#uploading.part, this.#uploading.cancel);
    if (this.#failed) return fill(this.work, empty({ iconName: "warning", title: t("captures.failed", { name: this.#failed.name }), text: this.#failed.text, small: true }));
    if (this.#session) return fill(this.work, empty({ iconName: "check", title: t("sessions.opened", { name: this.#opened }), actions: [h("a.btn.btn-sm", { href: sessions.addressOf(this.#session) }, t("sessions.show"))], small: true }));
    const name = this.#opened ?? capture?.file;
    if (capture?.state === "replaying") return this.#progress(t("captures.reading", { name }), capture.progress, () => this.#stopReading());
    if (capture?.source === "file" && capture.state === "failed") return fill(this.work, empty({ iconName: "warning", title: t("captures.failed", { name }), text: capture.message ?? "", small: true }));
    if (this.#opened && capture?.state === "finished") return fill(this.work, empty({ iconName: "check", title: t("captures.done", { name }), text: capture.message ?? "", actions: [h("a.btn.btn-sm", { href: "#/overview" }, t("captures.show"))], small: true }));
    return fill(this.work);
  }

  #progress(text, part, cancel = null) {
    if (!this.work.querySelector("progress")) fill(this.work, h("div.empty.empty-small", {}, h("p"), h("progress", { max: "1", "aria-label": text }), cancel ? h("button.btn.btn-sm", { type: "button", onclick: cancel }, t("action.cancel")) : null));
    setText(this.work.querySelector("p"), text);
    const bar = this.work.querySelector("progress");
    if (typeof part === "number") bar.value = part;
    else bar.removeAttribute("value");
  }

  async #stopReading() {
    try {
      session.takeCapture(await post("/api/capture/stop"));
    } catch (problem) {
      toast(problem.message, "error");
    }
  }

  // -- drawing -------------------------------------------------------------------------------------------------------

  #draw() {
    const capture = session.capture.value;
    const stats = session.stats.value;
    const text = (label, value) => {
      const element = figure(t(label), value || format.NONE);
      element.lastChild.classList.add("text");
      return element;
    };
    const source = { live: t("captures.live"), file: capture?.file ?? t("captures.file") }[capture?.source] ?? t("captures.none");
    fill(this.facts,
      text("state.label", t(`state.${capture?.state ?? "unknown"}`)),
      text("captures.source", source),
      text("captures.interfaces", namesOf(capture ?? {}).join(", ")),
      text("captures.filter", capture?.bpf_filter || t("captures.noFilter")),
      text("captures.started", format.dateTime(capture?.started)),
      text("captures.packets", format.count(stats?.totals?.packets)),
      text("captures.bytes", format.bytes(stats?.totals?.bytes)),
      capture?.message ? text("captures.message", capture.message) : null);
    this.#showHeld(stats?.store ?? {});
    this.#showWork(capture);
  }

  #showHeld({ packets, bytes, capacity_bytes: capacity, oldest }) {
    const meter = h("div.meter", { role: "img", "aria-label": t("captures.heldOf", { bytes: format.bytes(bytes), capacity: format.bytes(capacity) }) }, h("i"));
    setPart(meter, capacity ? bytes / capacity : 0);
    fill(this.held, h("dl.figures", {}, figure(t("captures.packets"), format.count(packets)), figure(t("captures.bytes"), capacity ? t("captures.heldOf", { bytes: format.bytes(bytes), capacity: format.bytes(capacity) }) : format.bytes(bytes))), meter, oldest ? h("p.faint", {}, t("captures.oldest", { time: format.dateTime(oldest) })) : null);
  }
}

function section(key, span, ...body) {
  return h(`section.panel.${span}`, { "aria-label": t(key) }, h("div.panel-head", {}, h("h2", {}, t(key))), h("div.panel-body", {}, body));
}
