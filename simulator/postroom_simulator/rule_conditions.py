"""What rules ask of a message beside the simple questions of `Rule`: the conditions of server-side rules as Exchange publishes them
(ews reference 15; MS-OXWSRULES 2.2.4)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from email.utils import getaddresses, parseaddr
from typing import TYPE_CHECKING, Any

from postroom_simulator.item_classes import item_class

if TYPE_CHECKING:
    from postroom_simulator.directory import Account
    from postroom_simulator.rules import Letter

__all__ = ["Conditions", "fulfils"]


@dataclass(frozen=True, slots=True)
class Conditions:
    """All that are given have to hold; of several texts or addresses one is enough. Truths: None asks nothing. Texts are found without regard to
    case; addresses are whole. size: octets, at least and at most; received: not before, not after (aware)."""

    categories: tuple[str, ...] = ()
    body: tuple[str, ...] = ()
    header: tuple[str, ...] = ()
    recipient: tuple[str, ...] = ()
    sender: tuple[str, ...] = ()
    subject_or_body: tuple[str, ...] = ()
    subject: tuple[str, ...] = ()
    from_addresses: tuple[str, ...] = ()
    sent_to_addresses: tuple[str, ...] = ()
    item_classes: tuple[str, ...] = ()
    flagged: str | None = None
    importance: str | None = None
    sensitivity: str | None = None
    has_attachments: bool | None = None
    is_approval_request: bool | None = None
    is_automatic_forward: bool | None = None
    is_automatic_reply: bool | None = None
    is_encrypted: bool | None = None
    is_meeting_request: bool | None = None
    is_meeting_response: bool | None = None
    is_ndr: bool | None = None
    is_permission_controlled: bool | None = None
    is_read_receipt: bool | None = None
    is_signed: bool | None = None
    is_voicemail: bool | None = None
    not_sent_to_me: bool | None = None
    sent_cc_me: bool | None = None
    sent_only_to_me: bool | None = None
    sent_to_me: bool | None = None
    sent_to_or_cc_me: bool | None = None
    received: tuple[datetime | None, datetime | None] | None = None
    size: tuple[int | None, int | None] | None = None

    @property
    def asked(self) -> list[str]:
        """The names of those that are given."""
        return [one.name for one in fields(self) if getattr(self, one.name) not in (None, ())]


def fulfils(
    letter: Letter, conditions: Conditions, account: Account | None, now: datetime | None, *, any_of: bool = False
) -> bool:
    """Whether a message holds all of them; with `any_of` one is enough, and none is not (exceptions)."""
    asked = conditions.asked
    held = (_holds(letter, name, getattr(conditions, name), account, now) for name in asked)
    return any(held) if any_of else all(held)


def _holds(letter: Letter, name: str, wanted: object, account: Account | None, now: datetime | None) -> bool:
    if isinstance(wanted, bool):
        return _truth(letter, name, account) is wanted
    if name in _TEXTS and isinstance(wanted, tuple):
        return _one_in(wanted, _TEXTS[name](letter))
    if name == "size" and isinstance(wanted, tuple):
        return _within(len(letter.octets), wanted)
    if name == "received" and isinstance(wanted, tuple):
        return now is not None and _within(now.astimezone(UTC), wanted)
    if isinstance(wanted, tuple):
        return _any_is(letter, name, [str(one).casefold() for one in wanted])
    return _is_marked(letter, name, str(wanted))


def _within(value: Any, ends: tuple[Any, ...]) -> bool:
    least, most = ends
    return (least is None or value >= least) and (most is None or value <= most)


def _any_is(letter: Letter, name: str, wanted: list[str]) -> bool:
    """`wanted`: folded."""
    if name == "item_classes":
        return any(_is_of(item_class(letter.message()), one) for one in wanted)
    known = {
        "categories": lambda: {one.strip().casefold() for one in letter.header("Keywords").split(",")},
        "from_addresses": lambda: {parseaddr(letter.header("From"))[1].casefold()},
        "sent_to_addresses": lambda: {address.casefold() for address in letter.recipients()},
    }[name]()
    return not known.isdisjoint(wanted)


def _is_marked(letter: Letter, name: str, wanted: str) -> bool:
    if name == "importance":
        return _importance(letter) == wanted
    if name == "sensitivity":
        return _SENSITIVITIES.get(letter.header("Sensitivity").strip().lower(), "Normal") == wanted
    flag = letter.header("X-Message-Flag").strip().replace(" ", "").casefold()
    return bool(flag) and (wanted == "Any" or flag == wanted.casefold())


_SENSITIVITIES = {"personal": "Personal", "private": "Private", "company-confidential": "Confidential"}


def _importance(letter: Letter) -> str:
    words = (letter.header("Importance") or letter.header("X-Priority")).lower().split()
    return {"high": "High", "1": "High", "2": "High", "low": "Low", "4": "Low", "5": "Low"}.get(
        words[0] if words else "", "Normal"
    )


def _one_in(wanted: Iterable[object], text: str) -> bool:
    folded = text.casefold()
    return any(str(one).casefold() in folded for one in wanted)


def _addressed(letter: Letter) -> str:
    return " ".join(letter.header(name) for name in ("To", "Cc"))


_TEXTS: dict[str, Callable[[Letter], str]] = {
    "body": lambda letter: letter.text(),
    "header": lambda letter: letter.head(),
    "recipient": _addressed,
    "sender": lambda letter: letter.header("From"),
    "subject": lambda letter: letter.header("Subject"),
    "subject_or_body": lambda letter: letter.header("Subject") + "\n" + letter.text(),
}


def _is_of(one: str, wanted: str) -> bool:
    return one.casefold() == wanted.casefold() or one.casefold().startswith(wanted.casefold() + ".")


def _truth(letter: Letter, name: str, account: Account | None) -> bool:
    mine = {address.casefold() for address in (account.address, *account.aliases)} if account is not None else set()
    to, cc = _addresses(letter, "To"), _addresses(letter, "Cc")
    kind, automatic = item_class(letter.message()), letter.header("Auto-Submitted").split(";")[0].strip().lower()
    tests: dict[str, Callable[[], bool]] = {
        "has_attachments": letter.has_attachments,
        "is_approval_request": lambda: False,  # nobody moderates here
        "is_automatic_forward": lambda: automatic == "auto-forwarded" or bool(letter.loops()),
        "is_automatic_reply": lambda: automatic == "auto-replied" or bool(letter.header("X-Autoreply")),
        "is_encrypted": lambda: kind == "IPM.Note.SMIME",
        "is_meeting_request": lambda: kind == "IPM.Schedule.Meeting.Request",
        "is_meeting_response": lambda: kind.startswith("IPM.Schedule.Meeting.Resp"),
        "is_ndr": lambda: kind == "REPORT.IPM.Note.NDR",
        "is_permission_controlled": lambda: letter.header("Content-Class").lower().startswith("rpmsg"),
        "is_read_receipt": lambda: kind in ("REPORT.IPM.Note.IPNRN", "REPORT.IPM.Note.IPNNRN"),
        "is_signed": lambda: kind == "IPM.Note.SMIME.MultipartSigned",
        "is_voicemail": lambda: letter.header("Content-Class").lower().startswith("voice"),
        "not_sent_to_me": lambda: not mine & (to | cc),
        "sent_cc_me": lambda: bool(mine & cc),
        "sent_only_to_me": lambda: to <= mine and bool(to) and not cc,
        "sent_to_me": lambda: bool(mine & to),
        "sent_to_or_cc_me": lambda: bool(mine & (to | cc)),
    }
    return tests[name]()


def _addresses(letter: Letter, name: str) -> set[str]:
    try:
        return {address.casefold() for _, address in getaddresses([letter.header(name)]) if address}
    except RecursionError:  # comments in comments in comments
        return set()
