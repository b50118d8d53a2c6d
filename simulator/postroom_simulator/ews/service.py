"""The endpoint: an HTTP request in, an HTTP response out, no transport (ews reference 1 to 3, 16)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from lxml import etree

from postroom_simulator.directory import canonical
from postroom_simulator.ews import identity
from postroom_simulator.ews.cache import Cache
from postroom_simulator.ews.call import Call
from postroom_simulator.ews.codec import NAMESPACES, NewerThanVersion, SchemaViolation, read, write
from postroom_simulator.ews.envelope import Envelope, fault, open_envelope, violation, wrap
from postroom_simulator.ews.errors import EwsError, Fault
from postroom_simulator.ews.http import XML, Request, Response
from postroom_simulator.ews.operations import find_operation
from postroom_simulator.ews.schema import element_type
from postroom_simulator.ews.versions import SERVERS, Server

if TYPE_CHECKING:
    from postroom_simulator.directory import Account
    from postroom_simulator.store.interface import Folder
    from postroom_simulator.world import World

__all__ = ["EwsService"]

ENDPOINT = "/ews/exchange.asmx"


@dataclass(slots=True)
class EwsService:
    """The settings of a world's Exchange, and its answers.

    server          name of a row of `versions.SERVERS`
    challenges      what a 401 offers, in this order; a mechanism that is not here is refused
    impersonators   addresses that may impersonate anybody ("*"), or the addresses that they may
    """

    world: World
    server_name: str = "2016"
    challenges: list[str] = field(default_factory=lambda: ["Basic"])
    impersonators: dict[str, set[str]] = field(default_factory=dict)
    seen: Cache = field(default_factory=lambda: Cache(20_000), repr=False)
    """What is known of items, by uid."""
    contents: Cache = field(default_factory=lambda: Cache(5_000), repr=False)
    """What was read of messages, by digest."""

    @property
    def server(self) -> Server:
        return SERVERS[self.server_name]

    def may_impersonate(self, principal: Account, other: Account) -> bool:
        allowed = self.impersonators.get(principal.address.lower(), set())
        return "*" in allowed or other.address.lower() in {one.lower() for one in allowed}

    def check_access(self, call: Call, folder: Folder) -> None:
        """Raises EwsError where the caller may not see the folder: another's, without rights."""
        if folder.account != canonical(call.account.address):
            raise EwsError("ErrorAccessDenied")

    def check_sender(self, call: Call, message: Mapping[str, Any]) -> None:
        """Raises EwsError ErrorSendAsDenied where the caller may not send as who the message says."""
        for element in ("From", "Sender"):
            address = message[element]["Mailbox"].get("EmailAddress", "")
            if self.world.directory.get(address) is not call.account:
                raise EwsError("ErrorSendAsDenied")

    # -- answering

    def respond(self, request: Request) -> Response:
        """Never raises for what a client sends."""
        if request.path != ENDPOINT:
            return Response(404, [("Content-Type", "text/plain")], b"not found\n")
        principal = identity.authenticate_basic(self.world, request)
        if principal is None:
            return self._challenge()
        if request.method == "GET":
            return Response(200, [("Content-Type", "text/html; charset=utf-8")])
        if request.method != "POST":
            return Response(405, [("Allow", "GET, POST")])
        try:
            body = self._operate(request, principal)
        except Fault as problem:
            return Response(500, self._headers(request), fault(problem))
        return Response(200, self._headers(request), wrap(body, self.server))

    def _challenge(self) -> Response:
        realm = f'Basic realm="{self.world.hostname}"'
        headers = [("WWW-Authenticate", realm if one == "Basic" else one) for one in self.challenges]
        return Response(401, [*headers, ("Content-Type", "text/html")])

    def _headers(self, request: Request) -> list[tuple[str, str]]:
        headers = [("Content-Type", XML)]
        asked = request.headers.get("client-request-id")
        if asked and request.headers.get("return-client-request-id", "").lower() == "true":
            safe = "".join(c for c in asked[:200] if c.isprintable())
            headers += [("request-id", safe), ("client-request-id", safe)]
        return headers

    def _operate(self, request: Request, principal: Account) -> str:
        envelope = open_envelope(request.body)
        call = self._call(request, principal, envelope)
        operation = find_operation(call)
        try:
            asked = read(envelope.operation, call.version)
            value: dict[str, Any] = operation.handle(call, asked)
        except NewerThanVersion as problem:
            raise Fault("ErrorIncorrectSchemaVersion", f"{problem}.") from None
        except SchemaViolation as problem:
            raise violation(problem, request.body) from None
        except Fault:
            raise
        except EwsError as error:
            raise Fault(error.code, error.text, values=error.values) from None
        name = operation.response
        return write(name, element_type(name) or "", value, call.version)

    def _call(self, request: Request, principal: Account, envelope: Envelope) -> Call:
        version = self.server.schema(envelope.version)
        if version is None:
            raise Fault("ErrorInvalidServerVersion")
        account = principal
        if envelope.impersonate is not None:
            account = identity.impersonated(self.world, principal, envelope.impersonate)
        scheme = "https" if request.secure else "http"
        call = Call(self.world, self, principal, account, version, self.server)
        call.operation = str(etree.QName(envelope.operation).localname).removesuffix("Request")
        call.time_zone = envelope.time_zone
        call.connection = request.connection
        call.base_url = f"{scheme}://{request.headers.get('host', self.world.hostname)}"
        call.headers = request.headers
        if etree.QName(envelope.operation).namespace != NAMESPACES["m"]:
            raise Fault("ErrorInvalidOperation", f"{call.operation[:60]} is no operation of this service.")
        return call
