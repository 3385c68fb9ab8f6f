"""Detectors of what is said in conversations. A new one needs one line here."""

from __future__ import annotations

from typing import Final

from app.detect.blocked_destination import BlockedDestination
from app.detect.brute_force import BruteForce
from app.detect.c2_http import C2Http
from app.detect.cleartext_credentials import CleartextCredentials
from app.detect.community_guessing import CommunityGuessing
from app.detect.data_theft import DataTheft
from app.detect.detector import Detector
from app.detect.dga import GeneratedDomains
from app.detect.dns_beacon import DnsBeacon
from app.detect.dns_servers import DnsServers
from app.detect.dns_spoof import DnsSpoof
from app.detect.dns_tunnel import DnsTunnel
from app.detect.doubtful_names import DoubtfulNames
from app.detect.exploits import Exploits
from app.detect.form_guessing import FormGuessing
from app.detect.http_download import HttpDownload
from app.detect.http_flood import HttpFlood
from app.detect.lateral_movement import LateralMovement
from app.detect.protocol_tunnel import ProtocolTunnel
from app.detect.remote_control import RemoteControl
from app.detect.service_scan import ServiceScan
from app.detect.session_guessing import SessionGuessing
from app.detect.session_hijack import SessionHijack
from app.detect.slow_guessing import SlowGuessing
from app.detect.subdomain_flood import SubdomainFlood
from app.detect.telephone_abuse import TelephoneAbuse
from app.detect.tls_trust import TlsTrust
from app.detect.udp_worm import UdpWorm
from app.detect.user_agents import UserAgents
from app.detect.vpn_signs import VpnSigns
from app.detect.web_attack import WebAttack

CONVERSATION_DETECTORS: Final[tuple[type[Detector], ...]] = (
    DnsTunnel,
    GeneratedDomains,
    SubdomainFlood,
    DnsSpoof,
    DnsServers,
    DnsBeacon,
    BruteForce,
    SessionGuessing,
    SlowGuessing,
    CommunityGuessing,
    FormGuessing,
    CleartextCredentials,
    TlsTrust,
    UserAgents,
    ServiceScan,
    WebAttack,
    HttpFlood,
    HttpDownload,
    C2Http,
    RemoteControl,
    SessionHijack,
    Exploits,
    LateralMovement,
    TelephoneAbuse,
    ProtocolTunnel,
    DataTheft,
    BlockedDestination,
    VpnSigns,
    DoubtfulNames,
    UdpWorm,
)
