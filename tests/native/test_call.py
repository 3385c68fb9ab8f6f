"""Calling kernels: only what fits comes through, and machine code does what numba does."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app.capture.pcap_file import open_file
from app.flow import roll_ups, table
from app.native import loader
from app.native.call import EACH_CALL, Kernel, NativeKernel, NumbaKernel
from app.native.compiling import in_process
from app.native.registry import KERNELS
from app.sensor.packet_store import PacketStore
from app.sensor.pipeline import Pipeline
from app.stats import traffic
from app.wire import decode, pcap, pcap_write, pcapng
from app.wire.block import Block
from app.wire.records import FRAME_DTYPE
from tests.test_floors import FILES, imports

CAPTURES = Path(__file__).parents[1] / "data" / "captures"
FRAMES = np.zeros(4, FRAME_DTYPE)
BYTES = np.zeros(64, np.uint8)
LAYOUT = np.array([0, 1000, 16, 1, 0], np.int64)
STATE = np.zeros(5, np.int64)


HALF = """
import os
from app.native.compiling import in_process
from app.native.registry import KERNELS
while one := os.read(0, 1):
    in_process(KERNELS[one[0]])
"""


@pytest.fixture(scope="module")
def through_numba() -> dict[str, NumbaKernel]:
    """All of them, for which two processes fill numba's cache beforehand: the longest part of these tests."""
    with loader._queue(len(KERNELS)) as waiting:
        halves = [
            subprocess.Popen([sys.executable, "-c", HALF], stdin=waiting, cwd=CAPTURES.parents[2]) for _ in range(2)
        ]
        assert [half.wait() for half in halves] == [0, 0]
    return {entry.name: in_process(entry) for entry in KERNELS}


@pytest.fixture(params=["native", "numba"])
def walk(request: pytest.FixtureRequest) -> Kernel:
    if request.param == "numba":
        return in_process(next(entry for entry in KERNELS if entry.name == "walk_pcap"))
    kernel = loader.kernel("walk_pcap")
    assert isinstance(kernel, NativeKernel)
    return kernel


def changed(place: int, value: Any) -> tuple[Any, ...]:
    arguments: list[Any] = [BYTES, 0, 64, LAYOUT, FRAMES, STATE]
    arguments[place] = value
    return tuple(arguments)


def read_only() -> np.ndarray:
    array = STATE.copy()
    array.flags.writeable = False
    return array


WRONG = [
    (0, BYTES.astype(np.int8)),
    (0, BYTES.reshape(8, 8)),
    (0, BYTES[::2]),
    (0, bytes(64)),
    (0, None),
    (0, BYTES.ctypes.data),
    (1, 1.0),
    (1, np.float64(1)),
    (1, "1"),
    (1, None),
    (1, BYTES),
    (3, LAYOUT.astype(np.uint64)),
    (3, LAYOUT.astype(">i8")),
    (4, np.zeros(4, [*FRAME_DTYPE.descr, ("more", "<u8")])),
    (4, np.zeros(4 * FRAME_DTYPE.itemsize, np.uint8)),
    (5, read_only()),
    (5, 7),
]


@pytest.mark.parametrize(("place", "value"), WRONG)
def test_what_does_not_fit_is_refused(walk: Kernel, place: int, value: Any) -> None:
    with pytest.raises(TypeError, match=rf"walk_pcap, argument {place}: "):
        walk(*changed(place, value))
    with pytest.raises(TypeError, match=rf"walk_pcap, argument {place}: "):
        walk.bind(*changed(place, value))
    arguments = list(changed(place, EACH_CALL))
    with pytest.raises(TypeError, match=rf"walk_pcap, argument {place}: "):
        walk.bind(*arguments)(value)


@pytest.mark.parametrize("number", [1 << 63, -(1 << 63) - 1, 1 << 200])
def test_numbers_out_of_range_are_refused(walk: Kernel, number: int) -> None:
    with pytest.raises(OverflowError, match="walk_pcap, argument 1: "):
        walk(*changed(1, number))


def test_the_number_of_arguments_counts(walk: Kernel) -> None:
    with pytest.raises(TypeError, match="takes 6 arguments here, not 5"):
        walk(*changed(0, BYTES)[:5])
    with pytest.raises(TypeError, match="takes 6 arguments here, not 7"):
        walk.bind(*changed(0, BYTES), 1)
    bound = walk.bind(*changed(0, EACH_CALL))
    for wrong in ((), (BYTES, BYTES)):
        with pytest.raises(TypeError, match="takes 1 arguments here"):
            bound(*wrong)


def test_equal_layouts_are_one_layout(walk: Kernel) -> None:
    other = np.dtype({name: FRAME_DTYPE.fields[name] for name in FRAME_DTYPE.names or ()})
    assert other is not FRAME_DTYPE
    assert walk(*changed(4, np.zeros(0, other))) == 1  # full
    assert walk(*changed(2, np.int32(0))) == 0  # more


def test_truth_values_and_tuples() -> None:
    flows = table.FlowTable(16, lambda records, rolled: None)
    assert loader.kernel("sweep_flows")(0, True, *flows._kept()) is True
    assert loader.kernel("sweep_flows")(0, np.False_, *flows._kept()) is True
    with pytest.raises(OverflowError, match="boolean"):
        loader.kernel("sweep_flows")(0, 2, *flows._kept())
    result = loader.kernel("pack_pcap")(BYTES, np.zeros(4, FRAME_DTYPE), 0, 1, np.zeros(64, np.uint8))
    assert result == (4, 0, 4)


def test_a_bound_kernel_keeps_its_arrays_alive() -> None:
    state = np.zeros(5, np.int64)
    bound = loader.kernel("walk_pcap").bind(EACH_CALL, EACH_CALL, EACH_CALL, LAYOUT.copy(), FRAMES.copy(), state)
    rubbish = [np.full(5, 255, np.int64) for _ in range(1000)]
    assert bound(BYTES, 0, 64) == 0
    assert state[0] == 64
    del rubbish


def test_threads_may_share_a_kernel() -> None:
    kernel, wrong = loader.kernel("walk_pcap"), []

    def work(position: int) -> None:
        for _ in range(300):
            state = np.zeros(5, np.int64)
            kernel(BYTES, position, position + 3, LAYOUT, FRAMES, state)
            if state[0] != position:
                wrong.append(int(state[0]))

    threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


class Everything:
    """What a capture leaves behind, as bytes."""

    def __init__(self, path: Path) -> None:
        ended: list[bytes] = []
        store = PacketStore(1 << 20)
        pipeline = Pipeline(64, store, lambda records: ended.append(records.tobytes()))
        pipeline.table._seeds[:] = (1, 2)
        packer = pcap_write.Packer()
        source = open_file(path, bpf="greater 60" if "bgp" in path.name else None)
        self.written: list[bytes] = []
        while not source.finished:
            block = source.read()
            if block is not None:
                pipeline.feed(block)
                self.written += [bytes(piece) for piece in packer.pcap(block, 1)]
                self.written += [bytes(piece) for piece in packer.pcapng(block, 9)]
                self.written += [bytes(piece) for piece in packer.pcapng(Block(block.data, block.frames[1:]), 9)]
        source.close()
        active, _, _ = pipeline.table.collect(0, 1000)
        pipeline.close_tick()
        pipeline.finish()
        counts = pipeline.counts
        self.flows = [active.tobytes(), *ended]
        self.packets = [ring.records(0, ring.held).tobytes() for ring in store._rings]
        self.frames = [ring.data[: ring.used_bytes].tobytes() for ring in store._rings]
        self.counts = [
            a.tobytes() for a in (counts._totals, counts._masks, counts._sizes, counts._reasons, *counts.rings)
        ]
        sums = pipeline.roll_ups
        self.sums = [sums.top_hosts(99).tobytes(), sums.top_conversations(99).tobytes(), str(sums.top_ports(99))]


MODULES = (pcap, pcapng, pcap_write, decode, table, roll_ups, traffic)


@pytest.mark.parametrize(
    "name",
    ["app-bgp.pcap", "encap-vxlan.pcap", "ip-frag4.pcap", "fmt-pcapng-le-006-mixed-link.pcapng", "encap-qinq.pcap"],
)
def test_machine_code_and_numba_agree_to_the_byte(
    name: str, through_numba: dict[str, NumbaKernel], monkeypatch: pytest.MonkeyPatch
) -> None:
    native = Everything(CAPTURES / name)
    for module in (*MODULES, "app.wire.bpf", "app.sensor.packet_store"):
        target = f"{module}.kernel" if isinstance(module, str) else f"{module.__name__}.kernel"
        monkeypatch.setattr(target, through_numba.__getitem__)
    assert vars(Everything(CAPTURES / name)) == vars(native)
    assert native.packets[0]


def test_every_kernel_declared_is_registered() -> None:
    """A kernel that is missing in the registry would never be compiled."""
    declared = {
        (f"app.{'.'.join(path.relative_to(path.parents[1]).with_suffix('').parts)}")
        for path in FILES
        if any(module == "app.native.declare" for module, _, _ in imports(path)) and "@kernel(" in path.read_text()
    }
    assert declared == {entry.module for entry in KERNELS}
    assert len({entry.name for entry in KERNELS}) == len(KERNELS)
