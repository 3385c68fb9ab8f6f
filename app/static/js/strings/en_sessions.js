/** Capture files that are open beside the live capture. */

export default {
  "sessions.title": "Open beside the live capture",
  "sessions.label": "Live capture and open files",
  "sessions.live": "Live capture",
  "sessions.closed": "Closed",
  "sessions.switch": "Showing {name}. Choose what is shown",
  "sessions.line": "{name} – a file beside the live capture, which goes on",
  "sessions.gone": "This session was closed. What is still shown is the last of it.",
  "sessions.toLive": "Go to the live capture",
  "sessions.none": "No file is open. Up to {n} can be, each with all pages and exports.",
  "sessions.packets": "{n} packets",
  "sessions.span": "{from} to {to}",
  "sessions.show": "Show",
  "sessions.showNamed": "Show {name}",
  "sessions.shown": "Shown here",
  "sessions.close": "Close",
  "sessions.closeNamed": "Close {name}",
  "sessions.beside": "Beside the live capture, with pages of its own",
  "sessions.opened": "{name} is open beside the live capture",
};
