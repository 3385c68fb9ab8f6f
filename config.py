"""The settings: each one once, with name, type, default, meaning and what is allowed. The only place that reads the environment.

A `Settings` object is made at start and handed down. It imports nothing from `app/`. Children get the same values through
`Settings.environment()`, a small environment without the secrets, and read them through the same door.
"""

# ruff: noqa: RUF009 -- _setting() only wraps dataclasses.field() so that a row stays one call
from __future__ import annotations

import ipaddress
import math
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

PROJECT: Final = Path(__file__).resolve().parent

_TRUE: Final = frozenset({"1", "true", "yes", "on"})
_FALSE: Final = frozenset({"0", "false", "no", "off"})
_HOST_NAME: Final = re.compile(r"(?!-)[A-Za-z0-9_.-]{1,253}(?<!-)\Z")
_INTERFACE: Final = re.compile(r"[^\s/,\x00-\x1f]{1,64}\Z")
_USER: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}\$?\Z")


class SettingsError(ValueError):
    """A setting has a value that is not allowed; the text names the variable, the value and what is allowed."""


class _Refused(ValueError):
    """Raised by a parser; the caller adds the names."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One row of the table of settings."""

    name: str  # attribute of Settings
    env: str
    default: Any
    parse: Callable[[str], Any]
    allowed: str  # for the error and the documentation
    help: str
    secret: bool  # never shown, never handed to a child
    child: bool  # of use to the sensor


def _whole(low: int, high: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not re.fullmatch(r"[+-]?[0-9]{1,18}", text, re.ASCII) or not low <= int(text) <= high:
            raise _Refused
        return int(text)

    return parse


def _number(low: float, high: float) -> Callable[[str], float]:
    def parse(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            raise _Refused from None
        if not math.isfinite(value) or not low <= value <= high:
            raise _Refused
        return value

    return parse


def _switch(text: str) -> bool:
    if text.lower() in _TRUE:
        return True
    if text.lower() in _FALSE:
        return False
    raise _Refused


def _choice(*names: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        for name in names:
            if text.lower() == name.lower():
                return name
        raise _Refused

    return parse


def _line(limit: int) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if len(text) > limit or not text.isprintable():
            raise _Refused
        return text

    return parse


def _bind_address(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text.strip("[]")))
    except ValueError:
        if _HOST_NAME.match(text):
            return text
        raise _Refused from None


def _interfaces(text: str) -> tuple[str, ...]:
    """`auto` is the empty tuple: the program chooses."""
    if text.lower() == "auto":
        return ()
    names = tuple(dict.fromkeys(part.strip() for part in text.split(",")))
    if len(names) > 64 or not all(_INTERFACE.match(name) for name in names) or ("any" in names and len(names) > 1):
        raise _Refused
    return names


def _hosts(text: str) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(part.strip().lower() for part in text.split(",")))
    for name in names:
        try:
            ipaddress.ip_address(name.strip("[]"))
        except ValueError:
            if not _HOST_NAME.match(name):
                raise _Refused from None
    return names


def _token(text: str) -> str:
    if not re.fullmatch(r"[\x21-\x7e]{1,512}", text):
        raise _Refused
    return text


def _address(*schemes: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        pattern = rf"(?:{'|'.join(schemes)})://[\x21-\x7e]{{1,500}}"
        try:
            parts = urlsplit(text)
            usable = bool(parts.hostname) and (parts.port is None or parts.port > 0)
        except ValueError:
            raise _Refused from None
        if not re.fullmatch(pattern, text) or not usable:
            raise _Refused
        return text

    return parse


def _mail_address(text: str) -> str:
    if not re.fullmatch(r"[^\s@<>,;:\"\x00-\x1f]{1,64}@[A-Za-z0-9.-]{1,253}", text.strip()):
        raise _Refused
    return text.strip()


def _mail_addresses(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(_mail_address(part) for part in text.split(",")))


def _user(text: str) -> str:
    if not _USER.match(text):
        raise _Refused
    return text


def _files(text: str) -> tuple[str, ...]:
    """Absolute paths; none of them may hold a comma."""
    return tuple(dict.fromkeys(str(_file(part.strip())) for part in text.split(",") if part.strip()))


def _directory(text: str) -> Path:
    path = Path(os.path.abspath(os.path.expanduser(text)))
    if "\0" in text or (path.exists() and not path.is_dir()):
        raise _Refused
    return path


def _file(text: str) -> Path:
    path = Path(os.path.abspath(os.path.expanduser(text)))
    if "\0" in text or not path.is_file():
        raise _Refused
    return path


def _mmdb(text: str) -> Path:
    """A MaxMind database: its metadata lies behind a marker in the last 128 KiB."""
    path = _file(text)
    try:
        with path.open("rb") as file:
            file.seek(max(path.stat().st_size - 128 * 1024, 0))
            if b"\xab\xcd\xefMaxMind.com" not in file.read():
                raise _Refused
    except OSError:
        raise _Refused from None
    return path


def _setting(
    env: str,
    default: Any,
    parse: Callable[[str], Any],
    allowed: str,
    help: str,
    *,
    secret: bool = False,
    child: bool = False,
) -> Any:
    row = Setting(env.lower(), env, default, parse, allowed, help, secret, child)
    return field(default=default, metadata={"setting": row}, repr=not secret)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the user chose. `Settings.from_environment(os.environ)` makes one; tests call the constructor."""

    host: str = _setting(
        "HOST", "127.0.0.1", _bind_address, "an IP address or a host name", "address the dashboard listens on"
    )
    port: int = _setting(
        "PORT", 8080, _whole(0, 65535), "a whole number 0..65535 (0: any free one)", "port; busy: the next up to 8089"
    )
    allowed_hosts: tuple[str, ...] = _setting(
        "ALLOWED_HOSTS",
        (),
        _hosts,
        "host names or addresses, separated by commas",
        "names the dashboard may be called by",
    )
    interface: tuple[str, ...] = _setting(
        "INTERFACE",
        (),
        _interfaces,
        "auto, any, or interface names separated by commas",
        "what to capture on; auto: the default route's interface, else the first physical one that is up",
    )
    bpf_filter: str = _setting(
        "BPF_FILTER", "", _line(4096), "one line of at most 4096 characters", "capture filter in libpcap's language"
    )
    pcap: Path | None = _setting("PCAP", None, _file, "the path of an existing file", "capture file to replay at start")
    autostart: bool = _setting("AUTOSTART", True, _switch, "0 or 1", "capture (or replay PCAP) at once")
    snaplen: int = _setting(
        "SNAPLEN", 0, _whole(0, 262144), "a whole number 0..262144 (0: whole packets)", "bytes kept of each packet"
    )
    max_flow_len: int = _setting(
        "MAX_FLOW_LEN",
        100,
        _whole(1, 1_000_000),
        "a whole number 1..1000000",
        "packets of a flow its entropy is measured on",
        child=True,
    )
    entropy_refresh: float = _setting(
        "ENTROPY_REFRESH", 1.0, _number(0.1, 3600), "seconds, 0.1..3600", "how often entropy is sent", child=True
    )
    alert_threshold_ratio: float = _setting(
        "ALERT_THRESHOLD_RATIO",
        0.5,
        _number(0, 1),
        "a number 0..1",
        "change of a flow's entropy against its own running level that is a spike or a drop, as a share of that level",
        child=True,
    )
    entropy_slots: int = _setting(
        "ENTROPY_SLOTS",
        4096,
        _whole(16, 65_536),
        "a whole number 16..65536",
        "flows whose entropy is measured at a time, 8.5 KiB each; others are counted",
        child=True,
    )
    entropy_flow_bytes: int = _setting(
        "ENTROPY_FLOW_BYTES",
        16_384,
        _whole(0, 1 << 30),
        "bytes, 0..1073741824 (0: all)",
        "first payload bytes of each direction that a flow's entropy over its life is measured on",
        child=True,
    )
    entropy_packet_bytes: int = _setting(
        "ENTROPY_PACKET_BYTES",
        256,
        _whole(0, 65_535),
        "bytes, 0..65535 (0: all)",
        "bytes of one packet that the entropy of the last packets is measured on",
        child=True,
    )
    entropy_log: bool = _setting(
        "ENTROPY_LOG", True, _switch, "0 or 1", "write the entropy log, CSV below DATA_DIR/logs"
    )
    entropy_log_mb: int = _setting(
        "ENTROPY_LOG_MB", 16, _whole(1, 4096), "MiB, 1..4096", "size at which another file of the entropy log is begun"
    )
    entropy_log_files: int = _setting(
        "ENTROPY_LOG_FILES", 20, _whole(1, 1000), "a whole number 1..1000", "files of the entropy log that are kept"
    )
    entropy_log_days: int = _setting(
        "ENTROPY_LOG_DAYS", 30, _whole(1, 3650), "days, 1..3650", "age at which a file of the entropy log is deleted"
    )
    ipinfo_token: str | None = _setting(
        "IPINFO_TOKEN",
        None,
        _token,
        "printable characters without spaces",
        "token for ipinfo; unset: no look-ups leave the machine",
        secret=True,
    )
    geoip_db: Path | None = _setting(
        "GEOIP_DB",
        None,
        _mmdb,
        "the path of a readable MaxMind database (.mmdb)",
        "GeoIP database instead of the bundled one",
        child=True,
    )
    blocklists: tuple[str, ...] = _setting(
        "BLOCKLISTS",
        (),
        _files,
        "paths of existing files, separated by commas",
        "block lists of addresses and domains (plain, CSV, hosts format); contacts with them raise alerts",
        child=True,
    )
    attribution: str = _setting(
        "ATTRIBUTION",
        "1",
        _choice("0", "1", "sockets"),
        "0, 1 or sockets",
        "name the program of each connection of this machine; sockets: without the kernel's tracing",
        child=True,
    )
    resolve_hostnames: bool = _setting("RESOLVE_HOSTNAMES", False, _switch, "0 or 1", "reverse DNS of remote addresses")
    measure_latency: bool = _setting("MEASURE_LATENCY", False, _switch, "0 or 1", "ping remote hosts")
    data_dir: Path = _setting(
        "DATA_DIR",
        PROJECT / "data",
        _directory,
        "a directory, or one that can be made",
        "history, logs, compiled kernels",
        child=True,
    )
    history: bool = _setting(
        "HISTORY", True, _switch, "0 or 1", "keep what was seen live in DATA_DIR, for time ranges in the past"
    )
    history_days: int = _setting("HISTORY_DAYS", 30, _whole(1, 3650), "days, 1..3650", "how long history is kept")
    history_max_mb: int = _setting(
        "HISTORY_MAX_MB", 2048, _whole(16, 1_048_576), "MiB, 16..1048576", "room for history; the oldest goes first"
    )
    export_dir: Path = _setting(
        "EXPORT_DIR",
        PROJECT / "exports",
        _directory,
        "a directory, or one that can be made",
        "where exports are written",
        child=True,
    )
    export_unmasked: bool = _setting(
        "EXPORT_UNMASKED", False, _switch, "0 or 1", "let pcap exports hold card numbers unmasked", child=True
    )
    auth_token: str | None = _setting(
        "AUTH_TOKEN",
        None,
        _token,
        "1..512 printable characters without spaces",
        "token of other users and machines; unset: a random one is printed",
        secret=True,
    )
    log_level: str = _setting(
        "LOG_LEVEL",
        "INFO",
        _choice("DEBUG", "INFO", "WARNING", "ERROR"),
        "DEBUG, INFO, WARNING or ERROR",
        "what is written to standard error",
        child=True,
    )
    packet_store_mb: int = _setting(
        "PACKET_STORE_MB",
        64,
        _whole(1, 65536),
        "MiB, 1..65536",
        "memory for raw packets and their index (list, dissection, export)",
        child=True,
    )
    max_flows: int = _setting(
        "MAX_FLOWS",
        262_144,
        _whole(1024, 16_777_216),
        "a whole number 1024..16777216",
        "flows held at once; more are evicted and counted",
        child=True,
    )
    ring_mb: int = _setting(
        "RING_MB",
        32,
        _whole(1, 4096),
        "MiB, 1..4096",
        "capture ring shared with the kernel, over all interfaces",
        child=True,
    )
    capture_backend: str = _setting(
        "CAPTURE_BACKEND",
        "auto",
        _choice("auto", "af_packet", "scapy"),
        "auto, af_packet or scapy",
        "af_packet on Linux, scapy elsewhere",
        child=True,
    )
    max_upload_mb: int = _setting(
        "MAX_UPLOAD_MB", 512, _whole(1, 1_048_576), "MiB, 1..1048576", "largest capture file that may be uploaded"
    )
    max_sessions: int = _setting(
        "MAX_SESSIONS",
        3,
        _whole(0, 16),
        "a whole number 0..16",
        "capture files open beside the live capture, each with a sensor of its own (about 150 MB)",
    )
    async_mode: str = _setting(
        "ASYNC_MODE", "eventlet", _choice("eventlet", "threading"), "eventlet or threading", "how the web server runs"
    )
    evidence_mb: int = _setting(
        "EVIDENCE_MB", 64, _whole(0, 65536), "MiB, 0..65536 (0: none)", "disk space for the packets behind alerts"
    )
    alert_min_severity: str = _setting(
        "ALERT_MIN_SEVERITY",
        "medium",
        _choice("low", "medium", "high", "critical"),
        "low, medium, high or critical",
        "least severity of alerts that leave by webhook, syslog, mail or EVE file",
    )
    alert_webhook: str | None = _setting(
        "ALERT_WEBHOOK",
        None,
        _address("http", "https"),
        "an http or https address",
        "where alerts are posted as JSON",
        secret=True,
    )
    alert_webhook_secret: str | None = _setting(
        "ALERT_WEBHOOK_SECRET",
        None,
        _token,
        "1..512 printable characters without spaces",
        "key that signs the posts (HMAC-SHA256)",
        secret=True,
    )
    alert_syslog: str | None = _setting(
        "ALERT_SYSLOG",
        None,
        _address("udp", "tcp"),
        "udp://host[:514] or tcp://host[:601]",
        "syslog server that gets alerts (RFC 5424)",
    )
    alert_mail_server: str | None = _setting(
        "ALERT_MAIL_SERVER",
        None,
        _address("smtp", "smtps"),
        "smtp://[user:password@]host[:587] or smtps://…[:465]",
        "mail server that sends alerts",
        secret=True,
    )
    alert_mail_from: str = _setting(
        "ALERT_MAIL_FROM", "netglass@localhost", _mail_address, "one mail address", "sender of mailed alerts"
    )
    alert_mail_to: tuple[str, ...] = _setting(
        "ALERT_MAIL_TO", (), _mail_addresses, "mail addresses, separated by commas", "who gets alerts by mail"
    )
    alert_eve: bool = _setting(
        "ALERT_EVE", False, _switch, "0 or 1", "append alerts to eve.json in DATA_DIR (Suricata's names)"
    )
    security_data: bool = _setting(
        "SECURITY_DATA", False, _switch, "0 or 1", "write security_data.json into DATA_DIR every 10 seconds"
    )
    run_as: str | None = _setting(
        "RUN_AS", None, _user, "the name or number of a user", "user to become when started as root without sudo"
    )
    elevate: bool = _setting(
        "ELEVATE", True, _switch, "0 or 1", "ask sudo for capture rights when started by an ordinary user"
    )

    @classmethod
    def from_environment(cls, env: Mapping[str, str]) -> Settings:
        """Read all settings. A variable that is unset or empty has its default.

        Raises SettingsError at the first value that is not allowed.
        """
        values: dict[str, Any] = {}
        for row in SETTINGS:
            text = env.get(row.env, "").strip()
            if not text:
                continue
            try:
                values[row.name] = row.parse(text)
            except _Refused:
                shown = "(not shown)" if row.secret else repr(text[:200])
                raise SettingsError(f"{row.env}={shown} is not allowed; allowed: {row.allowed}") from None
        return cls(**values)

    def environment(self) -> dict[str, str]:
        """The settings the sensor needs, as environment variables; no secret is among them."""
        return {row.env: _as_text(getattr(self, row.name)) for row in SETTINGS if row.child and not row.secret}


def _as_text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, tuple):
        return ",".join(value)
    return str(value)


SETTINGS: Final[tuple[Setting, ...]] = tuple(
    item.metadata["setting"] for item in fields(Settings) if item.default is not MISSING
)
