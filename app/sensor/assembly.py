"""The sensor's parts, put together. Importing this module compiles or loads the kernels, so the loop has it done in a thread beside it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from app.attribution.asker import Asker
from app.detect.block_list import read_block_lists
from app.detect.engine import Engine
from app.dissect.client import Dissector
from app.dpi.ndpi_client import NdpiClient
from app.flow.flow_entropy import EntropySettings
from app.link.messages import Message
from app.sensor.broker_client import BrokerClient, Rights
from app.sensor.capture_control import CaptureControl
from app.sensor.card_key import installation_key
from app.sensor.card_masking import CardMasking
from app.sensor.cards import Cards
from app.sensor.commands import Commands
from app.sensor.entropy_watch import EntropyWatch
from app.sensor.evidence import EvidenceCutter
from app.sensor.files_alone import FilesAlone
from app.sensor.findings import MAX_LISTED
from app.sensor.insight import Insight
from app.sensor.live_source import LiveSources
from app.sensor.packet_store import PacketStore, room_for_frames
from app.sensor.pipeline import Pipeline
from app.sensor.snapshot import SnapshotMaker
from config import Settings

ENGINE_FLOWS: Final = 6_000  # flows that nDPI holds at a time, some kB each; it says what it has of the others


@dataclass(frozen=True, slots=True)
class Parts:
    """What the loop drives."""

    control: CaptureControl
    commands: Commands
    snapshots: SnapshotMaker
    dissector: Dissector


def entropy_settings(settings: Settings) -> EntropySettings:
    """What the user chose of the entropy measurement."""
    return EntropySettings(
        slots=settings.entropy_slots,
        window_packets=settings.max_flow_len,
        refresh_ns=round(settings.entropy_refresh * 1e9),
        ratio=settings.alert_threshold_ratio,
        life_bytes=settings.entropy_flow_bytes,
        packet_bytes=settings.entropy_packet_bytes,
    )


def assemble(
    settings: Settings,
    broker: BrokerClient | FilesAlone,
    rights: Rights,
    send: Callable[[Message], object],
    owners: Asker | None = None,
) -> Parts:
    """Nothing of it runs yet. `send` queues a message for the web process."""

    def notify(level: str, text: str) -> None:
        send({"type": "notice", "level": level, "text": text})

    cards = Cards(installation_key(settings.data_dir))
    store = PacketStore(room_for_frames(settings.packet_store_mb << 20), CardMasking(lambda: cards.places))
    snapshots = SnapshotMaker()
    insight = Insight(patient=False, engine=NdpiClient(max_flows=ENGINE_FLOWS), limit=MAX_LISTED)
    block_list, problems = read_block_lists(settings.blocklists)
    for problem in problems:
        notify("warning", problem)
    evidence = EvidenceCutter(store, settings.export_unmasked)
    detection = Engine(notify=notify, block_list=block_list, on_alert=evidence.want)
    pipeline = Pipeline(
        settings.max_flows,
        store,
        snapshots.take_ended,
        insight=insight,
        detection=detection,
        owners=owners,
        cards=cards,
        watch=EntropyWatch(entropy_settings(settings)),
    )
    pipeline.evidence = snapshots.evidence = evidence
    snapshots.watch(pipeline, store)
    live = LiveSources(broker, settings.capture_backend, settings.ring_mb << 20)
    control = CaptureControl(pipeline, live, rights, notify)
    evidence.on_filed = lambda alert: detection.folding.touch(alert)  # each capture has a folding of its own
    evidence.interfaces = lambda: [one["name"] for one in control.state()["interfaces"]]
    dissector = Dissector()
    return Parts(control, Commands(control, store, dissector, send, settings.export_unmasked), snapshots, dissector)
