"""Names that say something of who is behind them: dynamic DNS, services for anonymous files and messages, the Tor network's gateways."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from app.detect.conversation import ConversationDetector
from app.detect.rule import Rule
from app.dpi.facts import DnsTransaction, Fact, HttpTransaction, TlsClientHello
from app.model.alert import Severity

_DYNAMIC: Final = frozenset("duckdns.org no-ip.org no-ip.biz no-ip.info noip.me ddns.net hopto.org zapto.org sytes.net con-ip.com dyndns.org dyndns.biz dyndns.info dynalias.com dynalias.net myftp.org myftp.biz myvnc.com servebeer.com serveftp.com servegame.com servehttp.com servemp3.com redirectme.net bounceme.net gotdns.ch 3utilities.com freedynamicdns.net freedynamicdns.org portmap.io portmap.host ngrok.io ngrok-free.app linkpc.net publicvm.com kozow.com loseyourip.com ooguy.com theworkpc.com casacam.net camdvr.org ddnsfree.com accesscam.org freeddns.org mywire.org webredirect.org giize.com 3322.org 8866.org 8800.org 2288.org 6600.org 9966.org 7766.org f3322.net f3322.org changeip.com changeip.net mooo.com chickenkiller.com ignorelist.com strangled.net crabdance.com afraid.org dynu.net dynu.com trycloudflare.com serveo.net localtunnel.me playit.gg ply.gg dnsdynamic.org dnsd.info homeip.net homelinux.com homeunix.net is-a-geek.com selfip.com blogdns.com nsupdate.info spdns.de dyn.com dnsalias.com".split())  # noqa: SIM905  # fmt: skip
_DROPS: Final = frozenset("transfer.sh file.io anonfiles.com bashupload.com 0x0.st temp.sh gofile.io webhook.site requestbin.net pipedream.net beeceptor.com pastebin.com paste.ee hastebin.com ghostbin.com rentry.co controlc.com api.telegram.org oastify.com oast.fun oast.pro oast.live oast.site oast.online oast.me interact.sh burpcollaborator.net dnslog.cn ceye.io canarytokens.com ufile.io sendspace.com".split())  # noqa: SIM905  # fmt: skip
_GATEWAYS: Final = frozenset("onion.to onion.cab onion.ws onion.link onion.city tor2web.org tor2web.fi onion.pet onion.ly onion.sh onion.direct torproject.org".split())  # noqa: SIM905  # fmt: skip


@lru_cache(maxsize=8192)
def _listed(name: str) -> tuple[str, str, str] | None:
    """(rule, what it is, the entry that the name lies under); None: in no list."""
    labels = name.lower().rstrip(".").split(".")
    for start in range(max(0, len(labels) - 4), len(labels) - 1):
        entry = ".".join(labels[start:])
        if entry in _DYNAMIC and start > 0:
            return "dynamic_dns", "a dynamic DNS service", entry
        if entry in _DROPS:
            return "drop_service", "a service for anonymous files or messages", entry
        if entry in _GATEWAYS:
            return "tor_gateway", "a way into the Tor network", entry
    return None


class DoubtfulNames(ConversationDetector):
    """Compares names with three short lists: hints for who looks at other alerts, never more than low alone."""

    name = "doubtful_names"
    rules = (
        Rule(
            "dynamic_dns",
            "Suspicious contact: a name under a dynamic DNS service",
            "low",
            "A client asked for a name that anybody can register within a minute and move to any address; remote access trojans are reached by such names.",
            "People reach their homes and cameras so.",
            "Ask whose name it is. Together with an unusual port or a regular connection it needs a look.",
            "T1568",
        ),
        Rule(
            "drop_service",
            "Possible exfiltration: a service for anonymous files or messages",
            "low",
            "A client asked for a service where anybody can leave files or messages without a name.",
            "Developers and people use them too.",
            "Find the program that asked, and how much it sent.",
            "T1567",
        ),
        Rule(
            "tor_gateway",
            "Tor: a gateway or the project's site was asked for",
            "low",
            "A client asked for a name that leads into the Tor network, which hides who talks to whom; ransom notes name such gateways.",
            "People who want privacy.",
            "Ask whether it is wanted.",
            "T1090.003",
        ),
    )
    facts = (DnsTransaction, TlsClientHello, HttpTransaction)

    def on_fact(self, fact: Fact) -> None:
        if isinstance(fact, DnsTransaction):
            name = fact.query if fact.kind == "dns" else ""
        elif isinstance(fact, TlsClientHello):
            name = fact.server_name or ""
        else:
            assert isinstance(fact, HttpTransaction)
            name = (fact.host or "").partition(":")[0]
        found = _listed(name)
        if found is None:
            return
        if isinstance(fact, DnsTransaction):
            client, server = fact.client, None
            addresses = [answer.value for answer in fact.answers if answer.type in ("A", "AAAA")][:4]
        else:
            client, server, _ = self.ends()
            addresses = [server]
        self._tell(*found, name, fact, client, server, addresses)

    def _tell(
        self,
        rule: str,
        what: str,
        entry: str,
        name: str,
        fact: DnsTransaction | TlsClientHello | HttpTransaction,
        client: str,
        server: str | None,
        addresses: list[str],
    ) -> None:
        key = (rule, client, name.lower())
        count = self.repeats(key)
        if not count:
            return
        severity: Severity = "low"
        self.alert(
            rule,
            f"{client} asked for {name[:100]}, under {entry}: {what}.",
            fact.ts,
            client,
            server or (addresses[0] if addresses else None),
            confidence=0.4,
            severity=severity,
            fold=key,
            measured=count,
            threshold=0,
            unit="contacts",
            flow_ids=(fact.flow_id,),
            details={"name": name[:253], "addresses": addresses},
        )
