"""Messages that the kit makes: each has a token by which it is known again, whatever a provider makes of it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from postroom.mime.compose import compose
from postroom.mime.values import Address, OutgoingMessage
from postroom.providers.contract import ClaimedEmail

__all__ = ["TOKEN", "SourceMessage", "token_in"]

TOKEN = re.compile(rb"kit[0-9a-f]{8}n[0-9]+")


@dataclass(frozen=True, slots=True)
class SourceMessage:
    """One message of a scenario.

    number    1, 2, 3 ... within the check
    token     stands in subject, message id and body
    values    what the octets are made from; `raw` replaces them
    """

    number: int
    token: str
    values: OutgoingMessage
    envelope_from: str
    recipients: tuple[str, ...]
    raw: bytes | None = field(default=None, repr=False)

    @property
    def octets(self) -> bytes:
        return self.raw if self.raw is not None else compose(self.values)

    @property
    def message_id(self) -> str:
        return self.values.message_id

    @property
    def subject(self) -> str:
        return self.values.subject

    @property
    def date(self) -> datetime:
        return self.values.date

    @property
    def text(self) -> str:
        return self.values.text or ""

    @property
    def email(self) -> ClaimedEmail:
        """As the organization would hand it out to be sent, first attempt."""
        return ClaimedEmail(f"email-{self.token}", 1, self.envelope_from, self.recipients, self.values)

    def with_values(self, **values: Any) -> SourceMessage:
        return replace(self, values=replace(self.values, **values))


def make(
    number: int, nonce: str, *, date: datetime, recipient: str, outbound: bool, raw: bytes | None = None, **values: Any
) -> SourceMessage:
    """`values` replace fields of the message (subject, text, to, cc, date, attachments ...)."""
    token = f"kit{nonce}n{number}"
    outside = f"carl{number}@birch.test"
    sender, target = (recipient, outside) if outbound else (outside, recipient)
    fields: dict[str, Any] = {
        "message_id": f"<{token}@kit.test>",
        "date": date,
        "from_": Address(sender, "Kit"),
        "to": (Address(target),),
        "subject": f"Message {number} {token}",
        "text": f"This is message {number} of the kit, {token}.\n",
    }
    recipients = values.pop("recipients", None)
    envelope_from = values.pop("envelope_from", None)
    fields.update(values)
    everybody = tuple(address.address for address in (*fields["to"], *fields.get("cc", ())))
    return SourceMessage(number, token, OutgoingMessage(**fields), envelope_from or sender, tuple(recipients or everybody), raw)


def token_in(octets: bytes, among: Iterable[str] = ()) -> str:
    """The token of the message that these octets came from, or "". With several (a message inside another) the first of `among`."""
    found = [one.decode("ascii") for one in TOKEN.findall(octets)]
    known = set(among)
    return next((token for token in found if not known or token in known), "")
