"""Port → service name: what the IANA service registry, or common practice where it is silent, says a port is for.

A port is a hint, not proof: whoever shows the name says that it comes from the port.
"""

from __future__ import annotations

from typing import Final

from app.wire.service_ports import SERVICE_PORTS

_TCP: Final = """
1:tcpmux 7:echo 9:discard 11:systat 13:daytime 15:netstat 17:qotd 19:chargen 20:ftp-data 21:ftp 22:ssh 23:telnet
25:smtp 37:time 43:whois 49:tacacs 53:dns 70:gopher 79:finger 80:http 88:kerberos 102:iso-tsap 104:acr-nema
106:poppassd 110:pop3 111:portmapper 113:auth 119:nntp 135:epmap 137:netbios-ns 138:netbios-dgm 139:netbios-ssn
143:imap 161:snmp 162:snmp-trap 163:cmip-man 164:cmip-agent 174:mailq 179:bgp 199:smux 209:qmtp 210:z3950
345:pawserv 346:zserv 369:rpc2portmap 370:codaauth2 389:ldap 427:svrloc 443:https 444:snpp 445:smb 464:kpasswd
465:smtps 487:saft 500:isakmp 502:modbus 512:exec 513:login 514:shell 515:printer 538:gdomap 540:uucp 543:klogin
544:kshell 546:dhcpv6 547:dhcpv6 548:afpovertcp 554:rtsp 563:nntps 587:smtp-submission 607:nqs 628:qmqp 631:ipp
636:ldaps 646:ldp 655:tinc 706:silc 749:kerberos-adm 750:kerberos4 751:kerberos-master 754:krb-prop 775:moira-db
777:moira-update 783:spamd 853:dns-over-tls 871:supfilesrv 873:rsync 989:ftps-data 990:ftps 992:telnets
993:imaps 995:pop3s 1080:socks 1093:proofd 1094:rootd 1099:rmiregistry 1127:supfiledbg 1178:skkserv 1194:openvpn
1236:rmtcfg 1313:xtel 1314:xtelw 1352:lotusnote 1433:mssql 1521:oracle 1524:ingreslock 1645:datametrics
1646:sa-msg-port 1649:kermit 1677:groupwise 1812:radius 1813:radius-acct 1883:mqtt 1900:ssdp 2000:cisco-sccp
2049:nfs 2086:gnunet 2101:rtcm-sc104 2119:gsigatekeeper 2121:iprop 2123:gtp-c 2135:gris 2152:gtp-u
2181:zookeeper 2375:docker 2376:docker-tls 2379:etcd 2380:etcd-peer 2401:cvspserver 2430:venus 2431:venus-se
2432:codasrv 2433:codasrv-se 2583:mon 2600:zebrasrv 2601:zebra 2602:ripd 2603:ripngd 2604:ospfd 2605:bgpd
2606:ospf6d 2607:ospfapi 2608:isisd 2628:dict 2792:f5-globalsite 2811:gsiftp 2947:gpsd 3000:http-dev 3050:gds-db
3128:http-proxy 3205:isns 3260:iscsi-target 3306:mysql 3389:rdp 3478:stun 3493:nut 3632:distcc 3689:daap
3690:svn 3702:ws-discovery 4031:suucp 4094:sysrqd 4190:sieve 4353:f5-iquery 4369:epmd 4373:remctl 4460:ntske
4500:ipsec-nat-t 4557:fax 4559:hylafax 4691:mtn 4789:vxlan 4840:opc-ua 4899:radmin-port 4949:munin 5000:http-dev
5060:sip 5061:sips 5222:xmpp-client 5228:google-push 5269:xmpp-server 5308:cfengine 5349:stuns 5353:mdns
5355:llmnr 5432:postgresql 5556:freeciv 5666:nrpe 5667:nsca 5671:amqps 5672:amqp 5680:canna 5683:coap 5684:coaps
5900:vnc 5985:winrm 5986:winrms 6000:x11 6001:x11-1 6002:x11-2 6003:x11-3 6004:x11-4 6005:x11-5 6006:x11-6
6007:x11-7 6081:geneve 6346:gnutella-svc 6347:gnutella-rtr 6379:redis 6443:kubernetes-api 6444:sge-qmaster
6445:sge-execd 6446:mysql-proxy 6514:syslog-tls 6566:sane-port 6667:ircd 6697:ircs-u 6881:bittorrent 7000:bbs
7100:font-service 7680:delivery-optimization 8000:http-dev 8008:http-alt 8021:zope-ftp 8080:http-alt 8081:tproxy
8086:influxdb 8088:omniorb 8123:clickhouse-http 8140:puppet 8443:https-alt 8883:mqtts 8888:http-dev
8990:clc-build-daemon 9000:clickhouse 9042:cassandra 9090:prometheus 9092:kafka 9098:xinetd 9100:jetdirect
9101:bacula-dir 9102:bacula-fd 9103:bacula-sd 9200:elasticsearch 9300:elasticsearch-node 9418:git 9667:xmms2
9673:zope 10000:webmin 10050:zabbix-agent 10051:zabbix-trapper 10080:amanda 10081:kamanda 10082:amandaidx
10083:amidxtape 10250:kubelet 10809:nbd 11112:dicom 11211:memcached 11371:hkp 17004:sgi-cad 17500:db-lsp
20000:dnp3 22125:dcap 22128:gsidcap 22273:wnn6 24554:binkp 25565:minecraft 27017:mongodb 27374:asp 30865:csync2
44818:ethernet-ip 57000:dircproxy 60177:tfido 60179:fido 62078:apple-lockdown
"""

_UDP: Final = """
7:echo 9:discard 13:daytime 19:chargen 21:fsp 37:time 49:tacacs 53:dns 67:dhcp 68:dhcp 69:tftp 80:quic
88:kerberos 111:portmapper 123:ntp 137:netbios-ns 138:netbios-dgm 139:netbios-ssn 161:snmp 162:snmp-trap
163:cmip-man 164:cmip-agent 177:xdmcp 213:ipx 319:ptp-event 320:ptp-general 369:rpc2portmap 370:codaauth2
371:clearcase 389:ldap 427:svrloc 443:quic 445:smb 464:kpasswd 500:isakmp 512:biff 513:who 514:syslog 517:talk
518:ntalk 520:route 538:gdomap 546:dhcpv6 547:dhcpv6 554:rtsp 623:ipmi 636:ldaps 646:ldp 655:tinc 750:kerberos4
751:kerberos-master 752:passwd-server 779:moira-ureg 784:dns-over-quic 853:dns-over-quic 1194:openvpn
1210:predict 1434:ms-sql-m 1645:datametrics 1646:sa-msg-port 1701:l2tp 1812:radius 1813:radius-acct 1900:ssdp
1985:hsrp 2049:nfs 2055:netflow 2086:gnunet 2101:rtcm-sc104 2102:zephyr-srv 2103:zephyr-clt 2104:zephyr-hm
2123:gtp-c 2152:gtp-u 2430:venus 2431:venus-se 2432:codasrv 2433:codasrv-se 2583:mon 3130:icpv2 3205:isns
3389:rdp 3478:stun 3493:nut 3544:teredo 3702:ws-discovery 3784:bfd 4500:ipsec-nat-t 4569:iax 4739:ipfix
4784:bfd-multihop 4789:vxlan 5060:sip 5061:sips 5349:stuns 5351:nat-pmp 5353:mdns 5355:llmnr 5555:rplay
5683:coap 5684:coaps 6081:geneve 6343:sflow 6346:gnutella-svc 6347:gnutella-rtr 6696:babel 6881:bittorrent
7000:afs3-fileserver 7001:afs3-callback 7002:afs3-prserver 7003:afs3-vlserver 7004:afs3-kaserver
7005:afs3-volser 7007:afs3-bos 7008:afs3-update 7009:afs3-rmtsys 8080:http-alt 8443:https-alt 9993:zerotier
9995:netflow 17001:sgi-cmsd 17002:sgi-crsd 17003:sgi-gcd 19132:minecraft-bedrock 27015:source-engine 27374:asp
41641:tailscale 47808:bacnet 51820:wireguard
"""


def _table(text: str) -> dict[int, str]:
    """The rows above; where the query language names the port, by that name, so that what is shown can be asked for."""
    pairs = (item.split(":") for item in text.split())
    return {int(port): SERVICE_PORTS.get(int(port), name) for port, name in pairs}


SERVICES: Final[dict[str, dict[int, str]]] = {"tcp": _table(_TCP), "udp": _table(_UDP)}


def service_name(protocol: str, port: int) -> str | None:
    """`https` for ("tcp", 443); None where the port says nothing. Other protocols have no table of their own."""
    return SERVICES.get(protocol, {}).get(port)
