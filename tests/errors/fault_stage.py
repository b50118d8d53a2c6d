"""One mailbox on a world that can be faulted, used for one cell of the fault table after another: run, look how it ended, mend everything."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from postroom.model import EmailStatus
from postroom.organization import SYSTEM, DeploymentSettings, Operation
from postroom.rules.error_classes import Nature, classify
from postroom.testing.scene import Scene
from postroom_simulator.fault_rules import PHASES, TLS_TROUBLES, VERBS, problems
from postroom_simulator.faults import (
    AcceptThenReset,
    Cut,
    Delay,
    Drip,
    Drop,
    Effect,
    Fault,
    Garble,
    Lie,
    LoseReply,
    Refuse,
    Reply,
    Stall,
    TlsTrouble,
    When,
)

OPERATIONS = {"pop3": Operation.INCOMING, "smtp": Operation.OUTGOING}
REPLIES = {
    "pop3": [
        Reply("-ERR", text) for text in ("no", "[AUTH] no", "[IN-USE] no", "[LOGIN-DELAY] no", "[SYS/TEMP] no", "[SYS/PERM] no")
    ],
    "smtp": [
        Reply(code, "no")
        for code in (
            "421",
            "450",
            "451",
            "452",
            "454",
            "500",
            "502",
            "503",
            "530",
            "534",
            "535",
            "538",
            "550",
            "551",
            "552",
            "553",
            "554",
        )
    ],
}
LIES = {"pop3": Lie("-ERR", "not true"), "smtp": Lie("451", "not true")}
COMMON: tuple[Effect, ...] = (
    Delay(5.0),
    Stall(None),
    Cut(2),
    Cut(2, "rst"),
    Drop(),
    Drop("rst"),
    LoseReply(),
    Garble(3),
    Drip(20, 0.01),
    Refuse(),
    AcceptThenReset(),
    *(TlsTrouble(name) for name in TLS_TROUBLES),
)


def cells() -> Iterator[tuple[str, str, Effect]]:
    """Every protocol that the engine speaks, step and effect that can be."""
    for protocol, replies in REPLIES.items():
        for at in (*PHASES[protocol], *VERBS[protocol]):
            for effect in (*replies, LIES[protocol], *COMMON):
                if not problems(When(protocol=protocol, at=at), effect):
                    yield protocol, at, effect


def in_words(effect: Effect) -> str:
    """A short name of an effect: "Reply 451", "Reply [AUTH]", "Cut rst", "TlsTrouble expired"."""
    match effect:
        case Reply("-ERR", text):
            return f"Reply {text.removesuffix('no').strip() or '-ERR'}"
        case Reply(code, _):
            return f"Reply {code}"
        case TlsTrouble(name):
            return f"TlsTrouble {name}"
        case Cut(_, how) | Drop(how):
            return f"{type(effect).__name__} {how}"
    return type(effect).__name__


class FaultStage:
    """`tls`: "implicit", "upgrading" (the profile asks for STARTTLS and STLS) or "none"."""

    def __init__(self, *, tls: str) -> None:
        allowed = DeploymentSettings(allow_non_ssl_email=True, allow_basic_authentication_on_non_secure_channel=True)
        self.scene = scene = Scene(check=False, settings=allowed)
        if tls == "implicit":
            scene.mail_server()
        else:
            ports = {"incomingportnumber": scene.endpoint("pop3")[1], "outgoingportnumber": scene.endpoint("submission")[1]}
            asked = tls != "none"
            scene.profile("plain ports", default=True, **ports, incomingusessl=asked, outgoingusessl=asked)
        self.ada = scene.queue("Ada", "ada@alder.test", ready=True)
        scene.filter(self.ada, 0)
        scene.world.deliver("carl@birch.test", ["ada@alder.test"], b"From: carl@birch.test\r\nSubject: x\r\n\r\nHello.\r\n")
        scene.contact("Carl", "carl@birch.test")
        scene.organization.update(SYSTEM, "mailbox", self.ada.mailbox, processanddeleteemails=True)
        scene.run(after=timedelta(minutes=15))

    def outcome(self, protocol: str, at: str, effect: Effect) -> tuple[str, int]:
        """How a run ended with this fault at every such step, and how often the fault acted."""
        scene, operation = self.scene, OPERATIONS[protocol]
        email_id = self._work(protocol)
        scene.advance(timedelta(minutes=15))
        scene.world.faults.add(Fault(When(protocol=protocol, at=at), effect, name="it"))
        try:
            reports = scene.engine.run_due(operations={operation})
            acted = scene.world.faults.counts["it"]
        finally:
            scene.world.faults.clear()
        assert len(reports) == 1, reports
        found = self._ended(reports[0].error, operation) or self._became(protocol, email_id)
        self._mend(email_id)
        return found, acted

    def _work(self, protocol: str) -> str:
        scene = self.scene
        if protocol == "smtp":
            return scene.send("Ada", [scene.people["Carl"].lookup], "Out")
        scene.mail("carl@birch.test", "ada@alder.test", f"In {scene.world.clock.now()}")
        return ""

    @staticmethod
    def _ended(error: Exception | None, operation: Operation) -> str:
        if error is None:
            return ""
        judged = classify(error, operation)
        return "" if judged.nature is Nature.NONE else f"{judged.nature} {judged.scope}: {judged.name}"

    def _became(self, protocol: str, email_id: str) -> str:
        """Of the one message."""
        organization = self.scene.organization
        if protocol == "smtp":
            [row] = [one for one in organization.books().outgoing if one.email_id == email_id]
            return "well" if row.mark == "sent" else f"email {row.mark}"
        box = self.scene.mailbox(self.ada)
        return "email failed" if box.itemsfailedforlastsync else "well"

    def _mend(self, email_id: str) -> None:
        """Whatever is left of the mail goes, and the mailbox works again."""
        organization, scene = self.scene.organization, self.scene
        if email_id and organization.retrieve(SYSTEM, "email", email_id).statuscode is EmailStatus.PENDING_SEND:
            organization.cancel_email(SYSTEM, email_id)
        for item in scene.inbox("ada@alder.test"):
            scene.world.withdraw(item.uid, reason="the next cell")
        organization.update(SYSTEM, "mailbox", self.ada.mailbox, enabledforincomingemail=True, enabledforoutgoingemail=True)
