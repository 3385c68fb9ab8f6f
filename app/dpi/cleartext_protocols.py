"""The recognisers of protocols that talk in the clear, in the order to ask them: the strictest and most frequent first.

How to ask: with all bytes that came so far in a direction, again with each more until one answers or a few kB are passed; then the
inspector gets what came, in order of time. For UDP with each datagram of a flow's first few.
"""

from __future__ import annotations

from typing import Final

from app.dpi.dcerpc import recognize_dcerpc
from app.dpi.dhcp import recognize_dhcp
from app.dpi.dialogue import recognize_dialogue
from app.dpi.ftp import recognize_ftp
from app.dpi.head_protocols import recognize_ssdp
from app.dpi.http1 import recognize_http1
from app.dpi.http2 import recognize_http2
from app.dpi.imap import recognize_imap
from app.dpi.inspector import Recognizer
from app.dpi.irc import recognize_irc
from app.dpi.kerberos import recognize_kerberos
from app.dpi.ldap import recognize_ldap
from app.dpi.mongodb import recognize_mongodb
from app.dpi.mqtt import recognize_mqtt
from app.dpi.mysql import recognize_mysql
from app.dpi.nntp import recognize_nntp
from app.dpi.ntp import recognize_ntp
from app.dpi.one_message import (
    recognize_bittorrent,
    recognize_openvpn,
    recognize_stun,
    recognize_wireguard,
)
from app.dpi.pop3 import recognize_pop3
from app.dpi.postgresql import recognize_postgresql
from app.dpi.proxy_protocol import recognize_proxy_protocol
from app.dpi.r_services import recognize_r_services
from app.dpi.rdp import recognize_rdp
from app.dpi.redis import recognize_redis
from app.dpi.rtsp import recognize_rtsp
from app.dpi.sieve import recognize_sieve
from app.dpi.sip import recognize_sip
from app.dpi.smb import recognize_smb
from app.dpi.smtp import recognize_smtp
from app.dpi.snmp import recognize_snmp
from app.dpi.socks import recognize_socks
from app.dpi.ssh import recognize_ssh
from app.dpi.stratum import recognize_stratum
from app.dpi.telnet import recognize_telnet
from app.dpi.vnc import recognize_vnc
from app.dpi.websocket import recognize_websocket
from app.dpi.xmpp import recognize_xmpp

TCP_RECOGNIZERS: Final[tuple[Recognizer, ...]] = (
    recognize_http1,
    recognize_http2,
    recognize_ssh,
    recognize_smb,
    recognize_smtp,
    recognize_ftp,
    recognize_imap,
    recognize_pop3,
    recognize_telnet,
    recognize_rdp,
    recognize_mysql,
    recognize_postgresql,
    recognize_redis,
    recognize_mongodb,
    recognize_mqtt,
    recognize_sip,
    recognize_rtsp,
    recognize_nntp,
    recognize_xmpp,
    recognize_sieve,
    recognize_stratum,
    recognize_socks,
    recognize_proxy_protocol,
    recognize_bittorrent,
    recognize_vnc,
    recognize_stun,
    recognize_openvpn,
    recognize_dcerpc,
    recognize_kerberos,
    recognize_ldap,
    recognize_irc,
    recognize_r_services,
    recognize_websocket,
    recognize_dialogue,
)
UDP_RECOGNIZERS: Final[tuple[Recognizer, ...]] = (
    recognize_dhcp,
    recognize_ntp,
    recognize_ssdp,
    recognize_sip,
    recognize_snmp,
    recognize_kerberos,
    recognize_ldap,
    recognize_stun,
    recognize_wireguard,
    recognize_bittorrent,
    recognize_openvpn,
)
RECOGNIZERS: Final[tuple[Recognizer, ...]] = tuple(dict.fromkeys((*TCP_RECOGNIZERS, *UDP_RECOGNIZERS)))
