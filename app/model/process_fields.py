"""Keys of a connection that tell whose it is; see `app.model.fields`."""

from __future__ import annotations

from typing import Final

from app.model.field import Field
from app.model.field import describe as _f

_NULL: Final = " Null where it is not known; attribution says why."

PROCESS_FIELDS: Final[tuple[Field, ...]] = (
    _f(
        "app_name",
        "text",
        "Program",
        "Program on this machine that owns the connection; of a connection within this machine, the one that began it."
        + _NULL,
        ecs="process.name",
        live=True,
    ),
    _f("app_path", "text", "Program path", "Path of that program's executable." + _NULL, ecs="process.executable"),
    _f("pid", "integer", "PID", "Process number of that program." + _NULL, ecs="process.pid", live=True),
    _f(
        "command_line",
        "text",
        "Command line",
        "How the program was started, cut at 400 characters; what looks like a password or token in it is hidden."
        + _NULL,
        ecs="process.command_line",
    ),
    _f("user", "text", "User", "User that the program runs as." + _NULL, ecs="process.user.name"),
    _f(
        "parents",
        "text",
        "Started by",
        "The program's parent process, its parent, and so on: bash (812) ← sshd (700)." + _NULL,
        ecs="process.parent.name",
    ),
    _f("process_start", "time", "Program started", "When the program was started." + _NULL, ecs="process.start"),
    _f(
        "container",
        "text",
        "Container",
        "Container that the program runs in, or its network namespace where that is not the machine's own.",
        ecs="container.id",
    ),
    _f("unit", "text", "Unit", "systemd unit that the program belongs to.", ecs="service.name"),
    _f(
        "peer_app_name",
        "text",
        "Program at the other end",
        "Of a connection within this machine: the program that it was made to.",
    ),
    _f(
        "peer_pid",
        "integer",
        "PID at the other end",
        "Process number of the program at the other end, on this machine.",
    ),
    _f(
        "attribution",
        "object",
        "Attribution",
        "How the program was found: method (trace: the kernel said it while it happened; sock_diag: the socket was looked up; procfs: found in another "
        "network namespace; polling: the list of connections), confidence (0 to 1), seen_after_ms (between the first packet and the answer), reason.",
    ),
    _f(
        "cpu_percent",
        "number",
        "CPU",
        "Processor use of that process now, 100 is one core. Null where it has ended or may not be read.",
        unit="%",
        ecs="process.cpu.pct",
    ),
    _f(
        "memory_percent",
        "number",
        "Memory",
        "Share of the machine's memory that process holds now. Null where it has ended or may not be read.",
        unit="%",
    ),
)
