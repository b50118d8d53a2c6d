"""What the demo has to say, as values. `as_document` is the one JSON document of `postroom demo --json`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

__all__ = ["BooksRow", "MessageRow", "OutgoingRow", "PersonRow", "Place", "RecipientRow", "Report", "as_document"]


@dataclass(frozen=True, slots=True)
class PersonRow:
    """kind    systemuser, queue, contact, lead, account; the mail server alone knows "group", "alias" and "disabled"
    filter  `incomingemailfilteringmethod` of a user or queue
    """

    name: str
    address: str
    kind: str
    filter: int | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """What became of a message in one mailbox. `outcome`: tracked, filtered, parked, pending, withdrawn or lost."""

    mailbox: str
    outcome: str
    reason: str = ""
    detail: str = ""
    email_id: str = ""


@dataclass(frozen=True, slots=True)
class MessageRow:
    """One message; `name` says where it was found, "" for one that was written during the demo."""

    name: str
    subject: str
    sender: str
    places: tuple[Place, ...]


@dataclass(frozen=True, slots=True)
class RecipientRow:
    """`accepted` None: not known. `reply`: the server's own words."""

    address: str
    accepted: bool | None
    reply: str


@dataclass(frozen=True, slots=True)
class OutgoingRow:
    """One activity that somebody sent (`kind` email), or a message by which a mailbox was tested (`kind` test).

    outcome  sent, failed, pending, uncertain or canceled
    reason   the ledger's, with the server's words
    note     what the demo did to bring it about, "" for nothing
    """

    kind: str
    sender: str
    subject: str
    outcome: str
    attempts: int
    reason: str
    recipients: tuple[RecipientRow, ...]
    note: str = ""

    @property
    def partly(self) -> bool:
        """Sent, though not to everybody."""
        return self.outcome == "sent" and not all(one.accepted for one in self.recipients)


@dataclass(frozen=True, slots=True)
class BooksRow:
    """offered    pairs of message and monitored mailbox; `requested`: messages that were to be sent
    counts     {"incoming": {outcome: n}, "outgoing": {outcome: n}}
    problems   rows without counterpart; empty when the books balance
    """

    balanced: bool
    offered: int
    requested: int
    counts: Mapping[str, Mapping[str, int]]
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Report:
    """source        what was loaded, in words
    limit         octets of the largest message that is taken in
    messages      those that were loaded, in order
    written_here  those that came in because somebody here wrote them
    complete      nothing was left to do; False when the bounded number of rounds ended the run
    kept          the folder of --keep
    """

    seed: int
    domain: str
    limit: int
    people: tuple[PersonRow, ...]
    messages: tuple[MessageRow, ...]
    written_here: tuple[MessageRow, ...]
    outgoing: tuple[OutgoingRow, ...]
    books: BooksRow
    source: str = "our own samples"
    transport: str = "memory"
    strangers: int = 0
    complete: bool = True
    kept: str = ""
    seconds: float = 0.0

    @property
    def good(self) -> bool:
        """The exit code's question."""
        return self.books.balanced

    def reasons(self) -> Counter[tuple[str, str]]:
        """Places by outcome and reason, those of mail written here too."""
        return Counter((place.outcome, place.reason) for row in (*self.messages, *self.written_here) for place in row.places)


_KEYS = (
    "seed", "transport", "source", "domain", "people", "strangers", "messages", "written_here", "outgoing", "books", "complete", "seconds",
)  # fmt: skip
"""The keys of the document, in order."""


def as_document(report: Report) -> dict[str, Any]:
    """Plain dictionaries, lists, strings, numbers, booleans and None."""
    values = asdict(report)
    return {key: _plain(values[key]) for key in _KEYS}


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    return [_plain(one) for one in value] if isinstance(value, (tuple, list)) else value
