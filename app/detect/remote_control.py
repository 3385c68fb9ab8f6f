"""Remote control in the clear: shells that talk over a bare connection, machines that report about themselves, orders over IRC."""

from __future__ import annotations

from app.detect.conversation import ConversationDetector
from app.detect.rule import Rule
from app.dpi.facts import Action, Fact

_CAPACITY = 4096


class RemoteControl(ConversationDetector):
    """Says what the dialogue's reader found."""

    name = "remote_control"
    rules = (
        Rule(
            "reverse_shell",
            "Reverse shell: a command shell that called out",
            "critical",
            "The side that opened a connection shows a shell's prompt or the output of commands: somebody on the other side types.",
            "Consoles of devices and terminal servers over bare TCP.",
            "Isolate the machine that called out, and read the session: everything that was typed is in the evidence.",
            "T1059",
        ),
        Rule(
            "bind_shell",
            "Backdoor: a command shell behind a bare port",
            "high",
            "The side that was called shows a shell's prompt or the output of commands without any login protocol.",
            "Consoles of devices, serial ports over TCP.",
            "Find the program that listens there. Read the session in the evidence.",
            "T1059",
        ),
        Rule(
            "rat_c2",
            "Remote access trojan: a machine reports about itself",
            "high",
            "The first message of a connection has the form in which a known remote control program, or one like it, reports the machine it runs on.",
            "Inventory and chat programs of one's own making.",
            "Isolate the machine, and find the program that holds the connection.",
            "T1219",
        ),
        Rule(
            "irc_bot",
            "Botnet: orders to machines over IRC",
            "high",
            "Messages in an IRC channel have the form of orders to bots (scan, download, flood).",
            "People who run harmless bots use other words.",
            "Find the program that holds the connection on each machine in the channel.",
            "T1071",
        ),
        Rule(
            "exploit_shellcode",
            "Exploit: machine code in a plain connection",
            "high",
            "A long run of bytes that do nothing precedes machine code, as attacks on overflowing buffers need it.",
            "Uploads of programs hold such runs too; here the connection speaks no file transfer.",
            "See what listens at the port, and whether it crashed or opened a shell afterwards.",
            "T1203",
        ),
        Rule(
            "program_in_plain_connection",
            "Malware download over a bare connection",
            "medium",
            "A program file came over a connection that speaks no protocol of file transfer.",
            "FTP's and others' data connections, games and updates with protocols of their own.",
            "Find both programs; save the file and have it examined.",
            "T1105",
        ),
    )
    facts = (Action,)

    def begin(self) -> None:
        self._data_ports = self.bounded(_CAPACITY, int)

    def on_fact(self, fact: Fact) -> None:
        assert isinstance(fact, Action)
        client, server, port = self.ends()
        if fact.protocol == "ftp" and fact.name in ("retr", "stor", "port"):
            self._data_ports[client, server] = fact.ts
        elif fact.protocol == "irc" and fact.name == "order":
            speaker = server if fact.sender else client
            self._tell(
                "irc_bot",
                f"Messages between {client} and {server}:{port} have the form of orders to bots.",
                fact,
                speaker,
                client if fact.sender else server,
                0.8,
            )
        elif fact.protocol == "plain":
            self._plain(fact, client, server, port)

    def _plain(self, fact: Action, client: str, server: str, port: int) -> None:
        transfers = (client, server) in self._data_ports or (server, client) in self._data_ports
        if fact.name == "shell":
            if transfers:
                return
            if fact.sender == 0:
                self._tell(
                    "reverse_shell",
                    f"{client} called {server}:{port} and showed it the {fact.subject}: somebody there types commands.",
                    fact,
                    server,
                    client,
                    0.9,
                )
            else:
                self._tell(
                    "bind_shell",
                    f"{server} showed {client} the {fact.subject} at port {port} without a login protocol.",
                    fact,
                    client,
                    server,
                    0.75,
                )
        elif fact.name == "report":
            victim, controller = (client, server) if fact.sender == 0 else (server, client)
            sure = 0.85 if fact.subject == "system report" else 0.7
            self._tell(
                "rat_c2",
                f"{victim} told {controller} (port {port}) about itself as remote access trojans do ({fact.subject}).",
                fact,
                controller,
                victim,
                sure,
            )
        elif fact.name == "shellcode":
            attacker, victim = (client, server) if fact.sender == 0 else (server, client)
            self._tell(
                "exploit_shellcode",
                f"{attacker} sent {victim} (port {port}) {fact.subject}.",
                fact,
                attacker,
                victim,
                0.6,
            )
        elif fact.name == "executable" and not transfers and port not in (20, 21, 69, 873):
            sender, receiver = (client, server) if fact.sender == 0 else (server, client)
            self._tell(
                "program_in_plain_connection",
                f"{sender} sent {receiver} a program file over a bare connection (port {port}).",
                fact,
                sender,
                receiver,
                0.55,
            )

    def _tell(self, rule: str, reason: str, fact: Action, source: str, target: str, confidence: float) -> None:
        count = self.repeats((rule, source, target))
        if not count:
            return
        self.alert(
            rule,
            reason,
            fact.ts,
            source,
            target,
            confidence=confidence,
            measured=count,
            threshold=0,
            unit="signs",
            protocol="tcp",
            flow_ids=(fact.flow_id,),
            details={"sign": fact.subject[:120]},
        )
