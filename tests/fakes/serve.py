"""The real web process over a fake sensor: `python -m tests.fakes.serve --port 8090 --flows 10000 [--mode threading] [--die-every 30]`."""

from __future__ import annotations

import argparse
import sys


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8090)
    parser.add_argument("--flows", type=int, default=1000)
    parser.add_argument("--interval", type=float, default=1.0)
    parser.add_argument("--mode", choices=("eventlet", "threading"), default="eventlet")
    parser.add_argument("--history", action="store_true", help="keep a history in the data directory")
    parser.add_argument("--die-every", type=float, default=0, help="seconds between deaths of the sensor")
    parser.add_argument("--data-dir", default=None)
    parser.add_argument("--token", default=None)
    parser.add_argument("--real-interfaces", action="store_true")
    arguments = parser.parse_args()

    from app import concurrency

    concurrency.patch(arguments.mode)
    run(arguments)


def run(arguments: argparse.Namespace) -> None:
    import logging
    import tempfile
    import threading
    import time
    from pathlib import Path

    from app import create_app
    from app.server import listen, serve
    from config import Settings
    from tests.fakes.interfaces import fake_interfaces
    from tests.fakes.sensor import FakeBroker

    logging.basicConfig(level=logging.INFO, stream=sys.stderr)
    data = Path(arguments.data_dir or tempfile.mkdtemp(prefix="netglass-fake-"))
    settings = Settings(
        host=arguments.host,
        port=arguments.port,
        data_dir=data,
        auth_token=arguments.token,
        async_mode=arguments.mode,
        history=arguments.history,
    )
    broker = FakeBroker(arguments.flows, arguments.interval)
    listener = listen(settings.host, settings.port)
    port = listener.getsockname()[1]
    app = create_app(
        settings,
        broker,
        port=port,
        read_interfaces=None if arguments.real_interfaces else fake_interfaces,
        new_sensor=lambda settings: FakeBroker(arguments.flows // 4, arguments.interval, restart_seconds=3600),
    )

    def mortality() -> None:
        while True:
            time.sleep(arguments.die_every)
            broker.sensor.die()

    if arguments.die_every:
        threading.Thread(target=mortality, daemon=True).start()
    token = app.extensions["netglass.identity"].token
    print(f"http://{arguments.host}:{port}/  token: {token}", flush=True)
    serve(app, listener)


if __name__ == "__main__":
    main()
