"""The one table of what is shown: every key of a connection and a packet, every metric of the statistics.

REST, the live table, `/api/help`, tooltips and exports read names, types, units and explanations here, so that none of
them can disagree. ECS, EVE and Zeek names are those of the same idea elsewhere, None where there is none.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Field:
    """One name. `kind`: text, number, integer, boolean, time (RFC 3339), object, list."""

    name: str
    kind: str
    label: str
    help: str
    unit: str | None = None
    ecs: str | None = None
    eve: str | None = None
    zeek: str | None = None
    live: bool = False  # a column of the live table


def _f(name: str, kind: str, label: str, help: str, **more: str | bool | None) -> Field:
    return Field(name, kind, label, help, **more)  # type: ignore[arg-type]


NOT_YET: Final = " Null until it is known."

CONNECTION_FIELDS: Final[tuple[Field, ...]] = (
    _f(
        "flow_id",
        "integer",
        "Flow",
        "Number of the flow in this run of the sensor.",
        eve="flow_id",
        zeek="uid",
        live=True,
    ),
    _f(
        "community_id",
        "text",
        "Community ID",
        "Community ID version 1, seed 0: the same text for the same flow in Zeek, Suricata, Arkime and others.",
        ecs="network.community_id",
        eve="community_id",
        zeek="community_id",
    ),
    _f(
        "protocol",
        "text",
        "Protocol",
        "IP protocol: tcp, udp, icmp, icmpv6, sctp and more.",
        ecs="network.transport",
        eve="proto",
        zeek="proto",
        live=True,
    ),
    _f(
        "detailed_protocol",
        "text",
        "Application protocol",
        "What is spoken over the protocol; from the responder's port, a hint and not proof, until the payload says otherwise.",
        ecs="network.protocol",
        eve="app_proto",
        zeek="service",
        live=True,
    ),
    _f("service", "text", "Service", "Name of the responder's port in the IANA registry.", zeek="service", live=True),
    _f(
        "local_address",
        "text",
        "Local address",
        "Address and port of the end that is this machine; of the originator where neither end is.",
        ecs="source.address",
        live=True,
    ),
    _f(
        "remote_address",
        "text",
        "Remote address",
        "Address and port of the other end.",
        ecs="destination.address",
        live=True,
    ),
    _f(
        "direction",
        "text",
        "Direction",
        "outbound: begun on this machine (or inside the private network); inbound: begun outside; internal: both ends inside; "
        "external: both outside.",
        ecs="network.direction",
        eve="direction",
        live=True,
    ),
    _f(
        "status",
        "text",
        "Status",
        "State of the TCP connection as seen on the wire, in netstat's words; NONE for protocols without a state.",
        zeek="conn_state",
        live=True,
    ),
    _f(
        "conn_state",
        "text",
        "Zeek state",
        "Zeek's code of the TCP connection: S0, S1, SF, REJ and so on.",
        zeek="conn_state",
    ),
    _f("history", "text", "History", "Zeek's letters of what happened; upper case: the originator.", zeek="history"),
    _f("session_status", "text", "Session", "Active, or Closed once the flow has ended.", eve="flow.state", live=True),
    _f(
        "end_reason",
        "text",
        "Ended by",
        "closed, idle, port_reused, evicted or end_of_capture; null while active.",
        eve="flow.reason",
    ),
    _f(
        "bytes_sent",
        "integer",
        "Sent",
        "Frame bytes on the wire from the local end.",
        unit="bytes",
        ecs="source.bytes",
        eve="flow.bytes_toserver",
        zeek="orig_ip_bytes",
        live=True,
    ),
    _f(
        "bytes_recv",
        "integer",
        "Received",
        "Frame bytes on the wire to the local end.",
        unit="bytes",
        ecs="destination.bytes",
        eve="flow.bytes_toclient",
        zeek="resp_ip_bytes",
        live=True,
    ),
    _f(
        "packets_sent",
        "integer",
        "Packets sent",
        "Frames from the local end.",
        unit="packets",
        ecs="source.packets",
        eve="flow.pkts_toserver",
        zeek="orig_pkts",
        live=True,
    ),
    _f(
        "packets_recv",
        "integer",
        "Packets received",
        "Frames to the local end.",
        unit="packets",
        ecs="destination.packets",
        eve="flow.pkts_toclient",
        zeek="resp_pkts",
        live=True,
    ),
    _f(
        "time_of_detection",
        "time",
        "First seen",
        "Time of the flow's first packet.",
        ecs="event.start",
        eve="flow.start",
        zeek="ts",
        live=True,
    ),
    _f(
        "end_time",
        "time",
        "Ended",
        "Time of the last packet of an ended flow; null while active.",
        ecs="event.end",
        eve="flow.end",
        live=True,
    ),
    _f("last_seen", "time", "Last packet", "Time of the last packet so far.", eve="flow.end", live=True),
    _f(
        "duration",
        "number",
        "Duration",
        "From the first to the last packet.",
        unit="s",
        ecs="event.duration",
        eve="flow.age",
        zeek="duration",
        live=True,
    ),
    _f(
        "latency_ms",
        "number",
        "Latency",
        "Round trip of the TCP handshake, SYN to the ACK that ends it; null where it was not seen.",
        unit="ms",
        live=True,
    ),
    _f(
        "packet_loss_percent",
        "number",
        "Packet loss",
        "TCP segments that were sent again, of all segments of the flow; null for other protocols.",
        unit="%",
        live=True,
    ),
    _f(
        "reconnect_count",
        "integer",
        "Reconnects",
        "Earlier flows between the same two addresses to the same port.",
        unit="flows",
        live=True,
    ),
    _f(
        "entropy_sent",
        "number",
        "Entropy sent",
        "Shannon entropy of the payload from the local end; 8 is random. Null: not measured.",
        unit="bits/byte",
        live=True,
    ),
    _f(
        "entropy_recv",
        "number",
        "Entropy received",
        "Shannon entropy of the payload to the local end; 8 is random. Null: not measured.",
        unit="bits/byte",
        live=True,
    ),
    _f(
        "interface",
        "text",
        "Interface",
        "Interface the flow was seen on.",
        ecs="observer.ingress.interface.name",
        eve="in_iface",
        live=True,
    ),
    _f(
        "vlan",
        "integer",
        "VLAN",
        "Outermost VLAN number; null without a tag.",
        ecs="network.vlan.id",
        eve="vlan",
        zeek="vlan",
    ),
    _f("tunnel_depth", "integer", "Tunnels", "How many tunnels lie around the flow."),
    _f(
        "app_name", "text", "Program", "Program on this machine that owns the connection." + NOT_YET, ecs="process.name"
    ),
    _f("app_path", "text", "Program path", "Path of that program's executable." + NOT_YET, ecs="process.executable"),
    _f("pid", "integer", "PID", "Process number of that program." + NOT_YET, ecs="process.pid"),
    _f("attribution", "object", "Attribution", "How the program was found: method, confidence, reason." + NOT_YET),
    _f("cpu_percent", "number", "CPU", "Processor use of that program." + NOT_YET, unit="%"),
    _f("memory_percent", "number", "Memory", "Share of the memory that program holds." + NOT_YET, unit="%"),
    _f(
        "hostname",
        "text",
        "Host name",
        "Name of the remote end, from traffic that named it." + NOT_YET,
        ecs="destination.domain",
    ),
    _f(
        "server_name",
        "text",
        "Server name",
        "Name the client asked for in TLS, QUIC or HTTP." + NOT_YET,
        ecs="tls.client.server_name",
        eve="tls.sni",
        zeek="server_name",
    ),
    _f(
        "country", "text", "Country", "Country of the remote address." + NOT_YET, ecs="destination.geo.country_iso_code"
    ),
    _f("city", "text", "City", "City of the remote address." + NOT_YET, ecs="destination.geo.city_name"),
    _f(
        "asn",
        "integer",
        "AS number",
        "Autonomous system that announces the remote address." + NOT_YET,
        ecs="destination.as.number",
    ),
    _f(
        "organization",
        "text",
        "Organisation",
        "Organisation that runs that autonomous system." + NOT_YET,
        ecs="destination.as.organization.name",
    ),
    _f("is_anonymous", "boolean", "Anonymiser", "The remote address is a known anonymising relay." + NOT_YET),
)

PACKET_FIELDS: Final[tuple[Field, ...]] = (
    _f("id", "integer", "No.", "Number of the packet in this run, from 1.", ecs="event.sequence"),
    _f("timestamp", "time", "Time", "When the packet was captured.", ecs="@timestamp", eve="timestamp", zeek="ts"),
    _f(
        "interface",
        "text",
        "Interface",
        "Interface the packet was seen on.",
        ecs="observer.ingress.interface.name",
        eve="in_iface",
    ),
    _f(
        "protocol",
        "text",
        "Protocol",
        "Innermost protocol that was decoded.",
        ecs="network.transport",
        eve="proto",
        zeek="proto",
    ),
    _f(
        "src_ip",
        "text",
        "Source",
        "Sender's address in the innermost header; null where there is no IP.",
        ecs="source.ip",
        eve="src_ip",
    ),
    _f("src_port", "integer", "Source port", "Sender's port.", ecs="source.port", eve="src_port"),
    _f(
        "dst_ip",
        "text",
        "Destination",
        "Receiver's address in the innermost header.",
        ecs="destination.ip",
        eve="dest_ip",
    ),
    _f("dst_port", "integer", "Destination port", "Receiver's port.", ecs="destination.port", eve="dest_port"),
    _f("service", "text", "Service", "Name of the lower of both ports that has one in the IANA registry."),
    _f("flags", "text", "Flags", "TCP flags of the segment.", zeek="history"),
    _f("size", "integer", "Size", "Bytes of the frame on the wire.", unit="bytes", ecs="network.bytes"),
    _f("info", "text", "Info", "What the packet is, in one line."),
    _f("flow_id", "integer", "Flow", "Flow the packet belongs to; null for none.", eve="flow_id", zeek="uid"),
    _f("layers", "list", "Layers", "What the frame carries, at any depth."),
    _f("reason", "text", "Not decoded", "Why the frame could not be decoded to the end; null where it could."),
    _f(
        "card_data_detected",
        "boolean",
        "Card number",
        "The payload holds a payment card number; null where it was not looked at.",
    ),
    _f("payload", "text", "Payload", "First 64 bytes of the payload, hexadecimal."),
)

METRIC_FIELDS: Final[tuple[Field, ...]] = (
    _f("packets", "integer", "Packets", "Frames seen since the capture started.", unit="packets"),
    _f("bytes", "integer", "Bytes", "Bytes of those frames on the wire.", unit="bytes"),
    _f(
        "captured_bytes",
        "integer",
        "Captured bytes",
        "Bytes that were kept of them; less where the snap length cut.",
        unit="bytes",
    ),
    _f("pps", "number", "Packets per second", "Frames per second over the last tick.", unit="packets/s"),
    _f("bps", "number", "Throughput", "Bits per second on the wire over the last tick.", unit="bit/s"),
    _f("throughput_bps", "number", "Throughput", "Bits per second on the wire over the last tick.", unit="bit/s"),
    _f("tcp_bytes", "integer", "TCP", "Bytes of frames that carry TCP.", unit="bytes"),
    _f("udp_bytes", "integer", "UDP", "Bytes of frames that carry UDP.", unit="bytes"),
    _f("icmp_bytes", "integer", "ICMP", "Bytes of frames that carry ICMP or ICMPv6.", unit="bytes"),
    _f("other_bytes", "integer", "Other", "Bytes of all other frames.", unit="bytes"),
    _f(
        "flows",
        "integer",
        "Flows",
        "Flows: the one the packets of two endpoints, protocol and ports belong to, in both directions.",
        unit="flows",
    ),
    _f("new_flows", "number", "New flows", "Flows that began in the last tick.", unit="flows"),
    _f("flows_active", "integer", "Active flows", "Flows that have not ended.", unit="flows"),
    _f(
        "flows_evicted",
        "integer",
        "Evicted flows",
        "Flows ended early because the table was full; their later packets begin new ones.",
        unit="flows",
    ),
    _f("retransmissions", "integer", "Retransmissions", "TCP segments that were sent again.", unit="packets"),
    _f("tcp_packets", "integer", "TCP segments", "The base of the retransmission rate.", unit="packets"),
    _f(
        "retransmission_percent",
        "number",
        "Retransmission rate",
        "Retransmitted segments of all TCP segments.",
        unit="%",
    ),
    _f(
        "rtt_ms_median",
        "number",
        "Median latency",
        "Median round trip of the TCP handshakes of the last minute.",
        unit="ms",
    ),
    _f("rtt_ms_p95", "number", "95 % latency", "95 of 100 handshakes of the last minute were faster.", unit="ms"),
    _f("runtime_s", "number", "Runtime", "How long the capture has been running.", unit="s"),
    _f(
        "kernel_drops",
        "integer",
        "Dropped by the kernel",
        "Packets the kernel could not hand over because the ring was full; they are in no other number.",
        unit="packets",
    ),
    _f("ring_freezes", "integer", "Ring freezes", "How often the ring was full."),
    _f(
        "undecoded",
        "object",
        "Not decoded",
        "Frames that could not be decoded to the innermost header, by reason.",
        unit="packets",
    ),
    _f(
        "packets_overwritten",
        "integer",
        "Packets overwritten",
        "Packets that left the ring of kept packets to make room.",
        unit="packets",
    ),
    _f("snapshots_replaced", "integer", "Snapshots replaced", "Updates the web side was too slow to take."),
    _f("hosts_evicted", "integer", "Hosts evicted", "Addresses that left the host table because it was full."),
    _f(
        "conversations_evicted",
        "integer",
        "Conversations evicted",
        "Pairs that left the conversation table because it was full.",
    ),
    _f("flows_deferred", "integer", "Flows deferred", "Changed flows that wait for the next update."),
    _f("ended_flows_lost", "integer", "Ended flows lost", "Flows that ended faster than they could be told of."),
    _f("snapshots_malformed", "integer", "Updates malformed", "Parts of updates that made no sense and were left out."),
    _f("rss_bytes", "integer", "Memory", "Memory the sensor holds.", unit="bytes"),
    _f("tick_ms", "number", "Tick", "How long the sensor took for its last tick.", unit="ms"),
    _f("lag_ms", "number", "Lag", "How far the sensor's tick was behind its time.", unit="ms"),
    _f(
        "total_data_usage_gb",
        "number",
        "Data used",
        "Bytes sent and received by all interfaces since the machine started.",
        unit="GB",
    ),
    _f("upload_bps", "number", "Upload", "Bits per second sent by the interface.", unit="bit/s"),
    _f("download_bps", "number", "Download", "Bits per second received by the interface.", unit="bit/s"),
    _f(
        "speed_mbps",
        "integer",
        "Link speed",
        "Speed the interface negotiated; null where it tells none.",
        unit="Mbit/s",
    ),
    _f("mtu", "integer", "MTU", "Largest packet the interface sends.", unit="bytes"),
    _f("traffic", "integer", "Traffic", "Frame bytes on the wire, both directions.", unit="bytes"),
)

CONNECTIONS: Final[dict[str, Field]] = {field.name: field for field in CONNECTION_FIELDS}
PACKETS: Final[dict[str, Field]] = {field.name: field for field in PACKET_FIELDS}
METRICS: Final[dict[str, Field]] = {field.name: field for field in METRIC_FIELDS}
LIVE_COLUMNS: Final[tuple[str, ...]] = tuple(field.name for field in CONNECTION_FIELDS if field.live)


def explanation(field: Field) -> str:
    """The help text with its unit, as `/api/help` gives it."""
    return f"{field.help} Unit: {field.unit}." if field.unit else field.help
