"""One request of HTTP on its way: its steps, the faults that act on them, and its lines in the journal.

The step "request" (the head was read) is the same for whatever is served; the others are the service's own. A transport carries out what the
line has to suffer.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from postroom_simulator import faults
from postroom_simulator.journal import Kind
from postroom_simulator.session import SessionContext, spoiling
from postroom_simulator.web.values import HTML, REASONS, Request, Response

if TYPE_CHECKING:
    from postroom_simulator.directory import Account

__all__ = ["Exchange", "Halted", "Instead", "Link", "as_status", "parts"]

_VALUE = re.compile(r"\[([A-Za-z][A-Za-z0-9-]{0,60})=([^\]]{0,300})\]\s?")
_UNSAID = faults.Reply("").text


class Halted(Exception):
    """The step is not taken, now or ever: `effect` is a Stall or a Drop."""

    def __init__(self, effect: faults.Stall | faults.Drop) -> None:
        super().__init__(type(effect).__name__)
        self.effect = effect


class Instead(Exception):
    """A fault says something in the place of the step."""

    def __init__(self, reply: faults.Reply) -> None:
        super().__init__(reply.code)
        self.reply = reply


@dataclass(slots=True, eq=False)
class Link:
    """What the server remembers of one connection between its requests.

    context  names the connection in journal and fault table, and reaches its timers
    account  who logged in by a mechanism that is bound to the connection
    noted    logins that the journal has already, by mechanism and address: once a connection, not once a request
    """

    context: SessionContext
    account: Account | None = None
    noted: set[tuple[str, str]] = field(default_factory=set)
    latest: Account | None = None
    """Who was behind the latest request."""

    def close(self, who: str = "client") -> None:
        """The end of a connection without transport."""
        account = self.latest.address if self.latest is not None else None
        self.context.note(Kind.CLOSED, detail=who, account=account)


class Exchange:
    """effects: of faults that act on the answer, in the order of their steps. account: whom the request is about, once that is known."""

    def __init__(self, request: Request, link: Link) -> None:
        self.request = request
        self.link = link
        self.effects: list[faults.Effect] = []
        self.account: Account | None = None
        self.verb = request.method.upper()[:20]
        self._passed: set[str] = set()
        self._heard = False

    @property
    def address(self) -> str | None:
        account = self.account or self.link.account
        return account.address if account is not None else None

    # -- steps

    def pass_step(self, at: str, account: str | None = None, argument: str | None = None) -> None:
        """Ask the fault table, once for each step however often the request is taken up again. Raises Halted, Instead."""
        if at in self._passed:
            return
        self._passed.add(at)
        self.suffer(self.link.context.fault(at, account, argument))

    def suffer(self, effect: faults.Effect | None) -> None:
        if effect is None:
            return
        if isinstance(effect, faults.Reply):
            raise Instead(effect)
        if isinstance(effect, faults.Stall | faults.Drop):
            raise Halted(effect)
        self.effects.append(effect)

    # -- the journal

    def hear(self, verb: str, detail: str = "") -> None:
        """A COMMAND, once a request."""
        if not self._heard:
            self._heard = True
            self.verb = verb
            self.link.context.note(Kind.COMMAND, account=self.address, verb=verb, detail=detail, data=self.told())

    def told(self) -> dict[str, str] | None:
        """What else the journal is to know of a request."""
        return None

    def note_login(self, account: Account | None, way: str, why: str = "") -> None:
        """A login that failed, each time; one that is good, once a connection. `way`: "Basic", "NTLM", "Bearer"."""
        address = account.address if account is not None else None
        if why:
            self.link.context.note(
                Kind.LOGIN, account=address, detail="login failed", data={"ok": False, "way": way, "why": why}
            )
        elif address is not None and (way, address) not in self.link.noted:
            self.link.noted.add((way, address))
            self.link.context.note(Kind.LOGIN, account=address, data={"ok": True, "way": way})

    def note_reply(self, response: Response, effect: faults.Effect | None, octets: int) -> None:
        """REPLY with what becomes of it on its way, and the messages that arrive whole in it. octets: of the whole answer on the line."""
        self.hear(self.verb, self.request.target[:200])
        context, account = self.link.context, self.address
        spoiled = spoiling(effect, octets) if effect is not None else None
        context.note(
            Kind.REPLY, account=account, verb=self.verb, detail=f"{response.status}{_counted(response.codes)}", data=spoiled
        )
        if spoiled is None:
            for one in response.offered:
                context.note(Kind.OFFERED, account=account, verb=self.verb, data=one)
        self.link.latest = self.account or self.link.latest


def _counted(codes: list[str]) -> str:
    """ " NoError, ErrorItemNotFound (2)"."""
    counts = Counter(codes)
    return "".join(
        f"{', ' if at else ' '}{code}{f' ({count})' if count > 1 else ''}" for at, (code, count) in enumerate(counts.items())
    )


# -- what faults say


def parts(reply: faults.Reply | faults.Lie) -> tuple[str, Mapping[str, str]]:
    """The text of a reply, and the values that stand in brackets before it: "[Retry-After=30] text"."""
    text, values = reply.text, {}
    while (found := _VALUE.match(text)) is not None:
        values[found[1]] = found[2]
        text = text[found.end() :]
    return ("" if text == _UNSAID else text), values


def as_status(reply: faults.Reply | faults.Lie, hostname: str) -> Response:
    """A status of HTTP, with the brackets as header fields."""
    text, values = parts(reply)
    status = int(reply.code)
    headers = [("Content-Type", HTML), *values.items()]
    if status == 401 and not any(name.lower() == "www-authenticate" for name in values):
        headers.append(("WWW-Authenticate", f'Basic realm="{hostname}"'))
    if status in (204, 304) or status < 200:
        return Response(status, headers)
    body = text or REASONS.get(status, "")
    return Response(status, headers, f"<html><body>{_safe(body)}</body></html>".encode())


def _safe(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
