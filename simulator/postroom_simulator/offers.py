"""What a server takes back of what it could do: one idea for every server, for a whole service and for single accounts.

Two sets of names. A name is what the server announces: a capability or extension ("UIDL", "STLS", "SIZE", "AUTH"), a mechanism of AUTH
("XOAUTH2"), or "APOP".

    hidden   not announced, and not there: answered as what the server has never heard of
    false    announced, and not there all the same. A way to log in that is false is played to its end and then refused as a wrong
             password is, as by providers that switched passwords off and go on announcing them

For a whole service: `world.pop3.settings.hidden` and `.false`, `world.smtp.settings.hidden` and `.false`. For one account:
`world.take_back("ann@sim.test", "smtp", hidden={"LOGIN"}, false={"PLAIN"})`, kept in `Account.offers` and added to what the service
takes back. Both may be changed while servers run and hold from the next command on. Before a client says who it is nobody knows its
account, so an account changes announcements only after login; a way to log in is refused as soon as the account is named.
All of this is our own choice.
"""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from postroom_simulator.errors import WorldError
from postroom_simulator.fault_rules import nearest

if TYPE_CHECKING:
    from postroom_simulator.directory import Account

__all__ = ["Offers", "Service", "checked", "fakes", "hides", "lacks", "names"]

_CAPABILITIES = (
    *(
        "CAPA",
        "USER",
        "SASL",
        "STLS",
        "TOP",
        "UIDL",
        "RESP-CODES",
        "AUTH-RESP-CODE",
        "PIPELINING",
        "IMPLEMENTATION",
        "UTF8",
        "LANG",
    ),
    *("EXPIRE", "LOGIN-DELAY", "APOP"),
)


def names(protocol: str) -> tuple[str, ...]:
    """What the server of a protocol can take back. Raises WorldError for a protocol that nobody speaks."""
    from postroom_simulator.sasl import MECHANISMS
    from postroom_simulator.smtp.settings import EXTENSIONS

    known = {"pop3": _CAPABILITIES, "smtp": EXTENSIONS}
    if protocol not in known:
        raise WorldError(f"no server speaks {protocol!r}: known are {', '.join(known)}")
    return (*known[protocol], *MECHANISMS)


@dataclass(frozen=True, slots=True)
class Offers:
    """Names taken back: see the module."""

    hidden: AbstractSet[str] = frozenset()
    false: AbstractSet[str] = frozenset()


class Service(Protocol):
    """The part of a service's settings that is asked here."""

    hidden: AbstractSet[str]
    false: AbstractSet[str]


_NOTHING = Offers()


def checked(protocol: str, given: Iterable[str]) -> frozenset[str]:
    """The names in upper case. Raises WorldError for a name that this server never announces."""
    known = names(protocol)
    if isinstance(given, str):
        raise WorldError(f"give a set of names, such as {{{given!r}}}")
    found = frozenset(name.upper() for name in given)
    for name in sorted(found.difference(known)):
        raise WorldError(f'{protocol} never offers "{name}".{nearest(name, known)}')
    return found


def hides(service: Service, account: Account | None, protocol: str, name: str) -> bool:
    """Whether `name` is neither announced nor there. `account`: whom this is about, where that is known."""
    if name in service.hidden:
        return True
    return account is not None and bool(account.offers) and name in account.offers.get(protocol, _NOTHING).hidden


def fakes(service: Service, account: Account | None, protocol: str, name: str) -> bool:
    """Whether `name` is announced and not there."""
    if name in service.false:
        return True
    return account is not None and bool(account.offers) and name in account.offers.get(protocol, _NOTHING).false


def lacks(service: Service, account: Account | None, protocol: str, name: str) -> bool:
    """Whether `name` is not there, announced or not."""
    return hides(service, account, protocol, name) or fakes(service, account, protocol, name)
