"""Alerts as JSON to a web address, signed: `X-Netglass-Signature: t=<seconds>,v1=<hex HMAC-SHA256 of "<seconds>.<body>">` with the shared secret."""

from __future__ import annotations

import hashlib
import hmac
import http.client
import json
import time
from typing import Any, Final
from urllib.parse import urlsplit

TIMEOUT: Final = 10.0


class Webhook:
    """One POST an alert; any 2xx means that it arrived. Redirects are not followed: the receiver is the one that was named."""

    name = "webhook"

    def __init__(self, url: str, secret: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"{url[:80]} is no http or https address")
        self._parts = parts
        self._secret = secret.encode()
        self.where = f"{parts.scheme}://{parts.hostname}" + (f":{parts.port}" if parts.port else "") + "/…"

    def send(self, document: dict[str, Any]) -> None:
        """See `Output.send`."""
        body = json.dumps({"event": "alert", "alert": document}, ensure_ascii=False, separators=(",", ":")).encode()
        headers = {"Content-Type": "application/json", "User-Agent": "Netglass"}
        if self._secret:
            headers["X-Netglass-Signature"] = signature(self._secret, body, int(time.time()))
        kind = http.client.HTTPSConnection if self._parts.scheme == "https" else http.client.HTTPConnection
        connection = kind(self._parts.hostname or "", self._parts.port, timeout=TIMEOUT)
        target = (self._parts.path or "/") + (f"?{self._parts.query}" if self._parts.query else "")
        try:
            connection.request("POST", target, body, headers)
            status = connection.getresponse().status
        except http.client.HTTPException as error:
            raise OSError(f"it did not answer as a web server does: {type(error).__name__}") from None
        finally:
            connection.close()
        if not 200 <= status < 300:
            raise OSError(f"it answered {status}")


def signature(secret: bytes, body: bytes, seconds: int) -> str:
    """The value of the header."""
    digest = hmac.new(secret, f"{seconds}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={seconds},v1={digest}"
