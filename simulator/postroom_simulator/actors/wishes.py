"""What a sender asks to be told about the fate of a message: RFC 3461."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

__all__ = ["NEVER", "Notify", "Returns", "Wish", "Wishes"]

Returns = Literal["", "FULL", "HDRS"]


class Notify(StrEnum):
    """Fates that a sender can ask to be told of (RFC 3461 §4.1)."""

    SUCCESS = "SUCCESS"
    FAILURE = "FAILURE"
    DELAY = "DELAY"


@dataclass(frozen=True, slots=True)
class Wish:
    """For one recipient.

    notify    None: nothing was said, which means failures and delays (RFC 3461 §4.1 leaves it to the server); empty: NEVER
    original  of ORCPT, decoded: "rfc822;ann@sim.test"; "" where none was given
    """

    notify: frozenset[Notify] | None = None
    original: str = ""

    def wants(self, fate: Notify) -> bool:
        return fate is not Notify.SUCCESS if self.notify is None else fate in self.notify


NEVER = Wish(frozenset())


@dataclass(frozen=True, slots=True)
class Wishes:
    """For one envelope.

    returns      of RET: what comes back with a failure
    envelope_id  of ENVID, decoded
    each         by recipient as the envelope names it; `other` is for everybody else
    """

    returns: Returns = ""
    envelope_id: str = ""
    each: Mapping[str, Wish] = field(default_factory=dict)
    other: Wish = field(default_factory=Wish)

    def of(self, recipient: str) -> Wish:
        return self.each.get(recipient, self.other)
