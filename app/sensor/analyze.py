"""`python -m app analyze FILE… [--json]`: each capture through the pipeline of the live sensor."""

from __future__ import annotations

import gc
import json
import os
import sys
from argparse import Namespace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from app.capture.pcap_file import open_file
from app.capture.source import Source
from app.detect.block_list import BlockList, read_block_lists
from app.detect.engine import Engine
from app.dpi.ndpi_client import NdpiClient
from app.flow.flow_entropy import EntropySettings
from app.model.errors import CaptureError
from app.sensor.card_key import installation_key
from app.sensor.cards import Cards
from app.sensor.document import capture_document, capture_report, coverage_document
from app.sensor.entropy_watch import EntropyWatch
from app.sensor.insight import Insight
from app.sensor.pipeline import Pipeline
from app.sensor.summary import summary_lines
from app.stats.payload_entropy import PayloadEntropy
from app.wire.row_copies import copied
from config import Settings, SettingsError

# A table this large holds the flows of any capture a person looks at; beyond it flows are ended early, counted, and still reported.
MAX_FLOWS: Final = 1 << 18
ENTROPY_SLOTS: Final = 16_384  # flows at a time whose bytes are looked at closely; plain entropy is counted for all
COLLECTED: Final = (
    20_000,
    20,
    20,
)  # objects made until Python looks for cycles: a flow that is read makes many, nearly all without one
KEPT_FACTS: Final = 1000  # of each kind, where only a summary is wanted


def run(args: Namespace) -> int:
    """Exit status 0, or 1 when a file could not be read."""
    try:
        block_list = _block_list()
    except SettingsError as error:
        print(f"netglass: {error}", file=sys.stderr, flush=True)
        return 2
    failed = False
    gc.freeze()  # modules and classes stay
    gc.set_threshold(*COLLECTED)
    for name in args.files:
        gc.collect()  # a pipeline refers to itself: the one of the file before, which is tens of megabytes
        try:
            if args.json:
                document = analyze(name, block_list)
            else:
                document = summarize(name, args.counts_only, args.inspect_only, block_list)
        except CaptureError as error:
            failed = True
            if args.json:
                print(json.dumps({"capture": {"file": name, "error": error.message}}), flush=True)
            else:
                print(f"netglass: {error.message}", file=sys.stderr, flush=True)
            continue
        print(document, flush=True)
    return 1 if failed else 0


def analyze(name: str, block_list: BlockList | None = None) -> str:
    """The document of one capture as a line of JSON."""
    flows: list[NDArray[np.void]] = []
    engine = NdpiClient()
    insight = Insight(patient=True, engine=engine if engine.available else None)
    pipeline = Pipeline(
        MAX_FLOWS,
        on_ended=lambda records: flows.append(copied(records)),
        insight=insight,
        entropy=PayloadEntropy(MAX_FLOWS),
        watch=EntropyWatch(EntropySettings(slots=ENTROPY_SLOTS, unhurried=True), rows=False),
        detection=Engine(block_list=block_list),
        cards=Cards(_key(), patient=True, limit=None),
    )
    try:
        source = _through(name, pipeline)
    finally:
        engine.close()
    try:
        report: dict[str, Any] = capture_report(name, pipeline, source, flows)
    finally:
        source.close()
    return json.dumps(report, allow_nan=False, separators=(",", ":"))


def _block_list() -> BlockList:
    """The user's, with a sentence on standard error for each list that says nothing. Raises SettingsError where BLOCKLISTS is wrong."""
    try:
        paths = Settings.from_environment(os.environ).blocklists
    except SettingsError as error:
        if "BLOCKLISTS" in str(error):
            raise
        return BlockList()  # this command does not need the other settings
    block_list, problems = read_block_lists(paths)
    for problem in problems:
        print(f"netglass: {problem}", file=sys.stderr, flush=True)
    return block_list


def _key() -> bytes:
    """Of the fingerprints: this installation's, so that numbers found live and in files can be compared."""
    try:
        return installation_key(Settings.from_environment(os.environ).data_dir)
    except SettingsError:  # of some other setting: this command does not need them
        return installation_key(None)


def summarize(
    name: str, counts_only: bool = False, inspect_only: bool = False, block_list: BlockList | None = None
) -> str:
    """The summary of one capture for a person. counts_only: nothing looks into payload; inspect_only: neither card numbers nor attacks are looked for."""
    everything = not counts_only and not inspect_only
    engine = NdpiClient()
    insight = Insight(patient=True, engine=engine if engine.available else None, limit=KEPT_FACTS)
    pipeline = Pipeline(
        MAX_FLOWS,
        insight=None if counts_only else insight,
        detection=Engine(block_list=block_list) if everything else None,
        cards=Cards(_key(), patient=True, limit=KEPT_FACTS) if everything else None,
        watch=EntropyWatch(EntropySettings(slots=ENTROPY_SLOTS, unhurried=True), rows=False) if everything else None,
    )
    try:
        source = _through(name, pipeline)
    finally:
        engine.close()
    try:
        capture = capture_document(name, pipeline, source)
        return "\n".join(summary_lines(capture, coverage_document(pipeline, source), pipeline)) + "\n"
    finally:
        source.close()


def _through(name: str, pipeline: Pipeline) -> Source:
    """All packets of a file; the source is returned open, for its statistics."""
    source = open_file(name)
    while (block := source.read()) is not None or not source.finished:
        if block is not None:
            pipeline.feed(block)
            source.release(block)
    pipeline.close_tick()
    pipeline.finish()
    return source
