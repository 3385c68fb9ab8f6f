"""A web process without a web: launches broker and sensor like wsgi.py, prints what it receives as JSON lines, sends what it reads from stdin.

Run as a script from the project's directory. SIGINT and SIGTERM end it like the real one.
"""

import json
import os
import signal
import sys
import threading

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))

from app import launcher
from app.link.broker_links import BrokerLinks
from config import Settings

lock = threading.Lock()
current = []


def say(**event):
    with lock:
        print(json.dumps(event, default=lambda value: len(value)), flush=True)


def stop(number, frame):
    raise SystemExit(0)


def commands():
    for line in sys.stdin:
        if current:
            current[0].send(json.loads(line))


def main():
    launched = launcher.launch(Settings.from_environment(os.environ))
    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGTERM, stop)
    links = BrokerLinks(launched.receiver)
    try:
        say(
            event="launched",
            broker=launched.broker_pid,
            uid=launched.uid,
            capabilities=launched.capabilities,
            can_capture=launched.can_capture,
            why_not=launched.why_not,
            warning=launched.warning,
            started_by=launched.started_by,
        )
        threading.Thread(target=commands, daemon=True).start()
        while not links.ended:
            channel = links.next_link(0.5)
            if channel is None:
                continue
            say(event="link", restart=links.restarts)
            current[:] = [channel]
            for message in channel.messages():
                say(event="message", **message)
            say(event="gone", why=links.why_gone())
        say(event="ended", why=links.why_gone())
    finally:
        ended = launched.end()
        say(event="finished", clean=ended)


main()
