"""One request on its way: its steps, the faults that act on them, and its lines in the journal.

The steps of protocol "ews": "request" (the head was read), "auth" (credentials are shown), "envelope" (the body is there and the login is good),
the operation by its name, "item" (one of a batch). A transport carries out what the line has to suffer; `settle` does so without one.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from postroom_simulator import faults
from postroom_simulator.ews.envelope import fault as fault_body
from postroom_simulator.ews.errors import TEXTS, EwsError, Fault
from postroom_simulator.ews.http import HTML, REASONS, XML, Request, Response
from postroom_simulator.journal import Kind
from postroom_simulator.net.effects import garbled, pause
from postroom_simulator.session import spoiling

if TYPE_CHECKING:
    from postroom_simulator.directory import Account
    from postroom_simulator.ews.link import Link
    from postroom_simulator.ews.service import EwsService

__all__ = ["Exchange", "Halted", "Instead", "as_error", "as_response", "settle"]

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


class Exchange:
    """effects: of faults that act on the answer, in the order of their steps. account: whom the request is about, once that is known.
    principal: who logged in. identified, admitted: what was done already."""

    def __init__(self, service: EwsService, request: Request, link: Link) -> None:
        self.service: EwsService = service
        self.request = request
        self.link = link
        self.effects: list[faults.Effect] = []
        self.account: Account | None = None
        self.principal: Account | None = None
        self.identified = False
        self.admitted = False
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
        self._suffer(self.link.context.fault(at, account, argument))

    def begin_item(self, number: int) -> EwsError | None:
        """One of a batch is next. Raises Halted, and EwsError for a fault in its place; returns the error that a lie says behind it."""
        effect = self.link.context.fault("item", self.address, f"{self.verb} {number}")
        if isinstance(effect, faults.Reply):
            raise as_error(effect)
        if isinstance(effect, faults.Lie):
            return as_error(effect)
        self._suffer(effect)
        return None

    def _suffer(self, effect: faults.Effect | None) -> None:
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
            self.link.context.note(Kind.COMMAND, account=self.address, verb=verb, detail=detail)

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


def _parts(reply: faults.Reply | faults.Lie) -> tuple[str, Mapping[str, str]]:
    """The text of a reply, and the values that stand in brackets before it: "[BackOffMilliseconds=5000] text"."""
    text, values = reply.text, {}
    while (found := _VALUE.match(text)) is not None:
        values[found[1]] = found[2]
        text = text[found.end() :]
    return ("" if text == _UNSAID else text), values


def as_error(reply: faults.Reply | faults.Lie) -> EwsError:
    """The error of one message. Without a text of its own it has the usual one of its code."""
    text, values = _parts(reply)
    return EwsError(reply.code, text or TEXTS.get(reply.code, ""), values=values)


def as_response(reply: faults.Reply | faults.Lie, hostname: str) -> Response:
    """A status of HTTP, with the brackets as header fields, or a SOAP fault, with them in its MessageXml."""
    if not reply.code.isdigit():
        error = as_error(reply)
        found = Fault(error.code, error.text, values=error.values)
        return Response(500, [("Content-Type", XML)], fault_body(found), codes=[error.code])
    text, values = _parts(reply)
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


# -- without a line


def settle(exchange: Exchange, response: Response) -> Response:
    """Carry out the effects where there is no line to suffer them: waits pass on the world's clock, an end raises ConnectionResetError."""
    world = exchange.service.world
    chance = world.ids.random
    last = next((one for one in exchange.effects if not isinstance(one, faults.Delay)), None)
    exchange.note_reply(response, last, len(response.body))
    for effect in exchange.effects:
        if isinstance(effect, faults.Delay):
            world.clock.sleep(pause(effect, chance) or 0.0)
    match last:
        case faults.LoseReply() | faults.Cut():
            raise ConnectionResetError(104, "Connection reset by peer")
        case faults.Lie():
            return as_response(last, world.hostname)
        case faults.Garble():
            response.body = garbled(response.body, last.octets, chance)
        case faults.Drip():
            pieces = -(-len(response.body) // last.octets)
            world.clock.sleep(max(0, pieces - 1) * last.seconds)
    return response


def wait_out(exchange: Exchange, halted: Halted) -> None:
    """A step that is put off, or never taken, where there is no line. Raises ConnectionResetError, TimeoutError."""
    effect = halted.effect
    clock: Any = exchange.service.world.clock
    if isinstance(effect, faults.Drop):
        clock.sleep(effect.seconds)
        raise ConnectionResetError(104, "Connection reset by peer")
    if effect.seconds is None:
        raise TimeoutError("the server stalls for ever")
    clock.sleep(effect.seconds)
