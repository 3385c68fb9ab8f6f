"""The sensor's main: prove that no right is left, say hello, run the loop.

The broker starts it; the web process starts others without a broker, which read files alone. `--warm` only compiles the kernels.
"""

from __future__ import annotations

import argparse
import logging
import os
import secrets
import signal
import sys
from typing import TYPE_CHECKING, Final

from app import kernel_cache, privileges
from app.attribution.asker import Asker
from app.link.channel import SensorEnd
from app.link.messages import hello
from app.model.errors import NetglassError
from app.sensor.broker_client import BrokerClient, inherited
from app.sensor.files_alone import FilesAlone
from app.sensor.loop import Loop, Progress
from config import Settings

if TYPE_CHECKING:
    from app.sensor.assembly import Parts

NICE: Final = 10  # of a sensor that reads files alone


def _arguments(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="app.sensor", description="The capturing process; the broker starts it.")
    parser.add_argument("--warm", action="store_true", help="compile the kernels and end")
    parser.add_argument("--link", type=int, help="inherited descriptor of the link to the web process")
    parser.add_argument(
        "--broker", type=int, help="inherited descriptor of the socket to the broker; without one it reads files alone"
    )
    parser.add_argument("--owners", type=int, help="inherited descriptor of the socket for questions about programs")
    parser.add_argument("--parent", type=int, help="process id of the broker")
    arguments = parser.parse_args(argv)
    if not arguments.warm and None in (arguments.link, arguments.parent):
        parser.error("--link and --parent are needed")
    return arguments


def _warm() -> int:
    from app.sensor.kernels_warm import compile_all

    def show(done: int, total: int, text: str) -> None:
        end = "\n" if done >= total or not sys.stdout.isatty() else "\r"
        print(f"Compiling kernels {done}/{total}: {text}".ljust(78), end=end, flush=True)

    compile_all(show)
    return 0


def _run(arguments: argparse.Namespace, settings: Settings) -> None:
    if arguments.broker is None:
        os.nice(NICE)  # whoever captures live goes first
    broker = FilesAlone() if arguments.broker is None else BrokerClient(inherited(arguments.broker))
    link = SensorEnd(inherited(arguments.link))
    link.send(hello(os.getpid(), secrets.token_hex(8)))
    rights = broker.rights()
    owners = Asker(
        inherited(arguments.owners) if arguments.owners is not None and settings.attribution != "0" else None
    )

    def build(progress: Progress) -> Parts:
        from app.sensor.kernels_warm import compile_all

        compile_all(progress)
        from app.sensor.assembly import assemble

        return assemble(settings, broker, rights, link.send, owners)

    loop = Loop(link, broker, build, owners)
    loop.run()
    if not loop.ready:
        os._exit(0)  # a thread is compiling; the interpreter's own end would wait for it


def main(argv: list[str]) -> int:
    """Exit status 0 at a regular end, 1 where it could not start or go on."""
    arguments = _arguments(argv)
    settings = Settings.from_environment(os.environ)
    logging.basicConfig(
        level=settings.log_level, format="%(asctime)s sensor %(levelname)s %(message)s", stream=sys.stderr
    )
    kernel_cache.use()
    try:
        if arguments.warm:
            return _warm()
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # the terminal sends it to all; the web process decides
        privileges.seal()
        privileges.die_with_parent(arguments.parent, signal.SIGKILL)
        _run(arguments, settings)
    except NetglassError as error:
        print(f"netglass: the sensor ends: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
