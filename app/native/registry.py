"""All kernels of the program. A new one needs a line here, those that take a second or more to compile at the front: builds take them in this order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Entry:
    """Where a kernel is declared, and what to tell the user while it is compiled."""

    name: str
    module: str
    attribute: str
    text: str


KERNELS: Final = (
    Entry("decode_block", "app.wire.decode_kernels", "decode_block", "decoding"),
    Entry("update_flows", "app.flow.table_kernels", "update", "flows"),
    Entry("scan_payload", "app.sensor.card_scan_kernels", "scan_payload", "card numbers"),
    Entry("note_contacts", "app.flow.contact_kernels", "note_contacts", "attempts"),
    Entry("count_flow_bytes", "app.flow.entropy_kernels", "count_flow_bytes", "entropy of flows"),
    Entry("walk_pcap", "app.wire.pcap_kernels", "walk_pcap", "capture files"),
    Entry("walk_pcapng", "app.wire.pcap_kernels", "walk_pcapng", "capture files"),
    Entry("walk_ring_block", "app.capture.ring_kernels", "walk_ring_block", "packet rings"),
    Entry("sweep_flows", "app.flow.table_kernels", "sweep", "flows"),
    Entry("collect_flows", "app.flow.table_kernels", "collect", "flows"),
    Entry("choose_packets", "app.wire.selection_kernels", "choose_packets", "detectors"),
    Entry("first_payloads", "app.wire.first_payload_kernels", "first_payloads", "applications"),
    Entry("write_plain_packets", "app.wire.plain_packet_kernels", "write_plain_packets", "applications"),
    Entry("add_active", "app.flow.roll_up_kernels", "add_active", "hosts and conversations"),
    Entry("add_ended", "app.flow.roll_up_kernels", "add_ended", "hosts and conversations"),
    Entry("restore_hosts", "app.flow.roll_up_kernels", "restore_hosts", "hosts and conversations"),
    Entry("restore_pairs", "app.flow.roll_up_kernels", "restore_pairs", "hosts and conversations"),
    Entry("count_block", "app.stats.count_kernels", "count_block", "statistics"),
    Entry("count_payload", "app.flow.histogram_kernels", "count_payload", "entropy"),
    Entry("sample_slots", "app.flow.entropy_measure_kernels", "sample_slots", "entropy of flows"),
    Entry("store_frames", "app.sensor.store_kernels", "store_frames", "packet store"),
    Entry("select_packets", "app.sensor.select_kernels", "select", "inspection"),
    Entry("scan_packets", "app.wire.card_number_kernels", "scan_packets", "card numbers"),
    Entry("scan_bytes", "app.wire.card_number_kernels", "scan_bytes", "card numbers"),
    Entry("run_filter", "app.wire.bpf_kernels", "run", "filters"),
    Entry("select_frames", "app.wire.bpf_kernels", "select", "filters"),
    Entry("pack_pcap", "app.wire.pcap_write_kernels", "pack_pcap", "writing capture files"),
    Entry("pack_pcapng", "app.wire.pcap_write_kernels", "pack_pcapng", "writing capture files"),
)
