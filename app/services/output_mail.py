"""Alerts by e-mail over SMTP: one message an alert, plain text."""

from __future__ import annotations

import json
import smtplib
import socket
import ssl
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from typing import Any, Final
from urllib.parse import unquote, urlsplit

TIMEOUT: Final = 20.0
_SHOWN: Final = ("severity", "confidence", "source", "target", "app_name", "measured", "threshold", "count", "first_seen", "last_seen", "mitre")  # fmt: skip


class Mail:
    """`smtp://user:password@host:587` (STARTTLS where it is offered; a password is never sent without TLS) or `smtps://host:465`."""

    name = "mail"

    def __init__(self, url: str, sender: str, recipients: tuple[str, ...]) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("smtp", "smtps") or not parts.hostname:
            raise ValueError("the mail server is smtp://[user:password@]host[:587] or smtps://…[:465]")
        self._tls = parts.scheme == "smtps"
        self._host = parts.hostname
        self._port = parts.port or (465 if self._tls else 587)
        self._user = unquote(parts.username or "")
        self._password = unquote(parts.password or "")
        self._sender = sender
        self._recipients = recipients
        self.where = f"{', '.join(recipients)} by {self._host}:{self._port}"

    def send(self, document: dict[str, Any]) -> None:
        """See `Output.send`."""
        context = ssl.create_default_context()
        try:
            if self._tls:
                server: smtplib.SMTP = smtplib.SMTP_SSL(self._host, self._port, timeout=TIMEOUT, context=context)
            else:
                server = smtplib.SMTP(self._host, self._port, timeout=TIMEOUT)
            with server:
                encrypted = self._tls
                server.ehlo()
                if not encrypted and server.has_extn("starttls"):
                    server.starttls(context=context)
                    encrypted = True
                if self._user:
                    if not encrypted:
                        raise OSError("the server offers no TLS, and the password is not sent without")
                    server.login(self._user, self._password)
                server.send_message(mail(document, self._sender, self._recipients))
        except smtplib.SMTPException as error:
            raise OSError(f"{type(error).__name__}: {error}") from None


def mail(document: dict[str, Any], sender: str, recipients: tuple[str, ...]) -> EmailMessage:
    """The message. Captured text cannot end a header: the policy of `EmailMessage` refuses line ends, and they are taken out before."""
    made = EmailMessage()
    title = "".join(char if char.isprintable() else " " for char in str(document["title"]))
    made["Subject"] = f"[Netglass] {document['severity']}: {title}"[:200]
    made["From"] = sender
    made["To"] = ", ".join(recipients)
    made["Date"] = formatdate()
    made["Message-ID"] = make_msgid(document["id"], socket.gethostname() or "netglass")
    lines = [str(document["reason"]), ""]
    lines += [f"{key.replace('_', ' ')}: {document[key]}" for key in _SHOWN if document.get(key) is not None]
    if document.get("not_seen"):
        lines += ["", f"Not seen: {json.dumps(document['not_seen'])}"]
    made.set_content("\n".join("".join(c if c.isprintable() else " " for c in line) for line in lines) + "\n")
    return made
