"""The endpoint: an HTTP request in, an HTTP response out, no transport (ews reference 1 to 3, 16)."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from postroom_simulator.directory import canonical
from postroom_simulator.ews.answering import answer
from postroom_simulator.ews.autodiscover import Autodiscover
from postroom_simulator.ews.cache import Cache
from postroom_simulator.ews.calendar.uids import UidIndex
from postroom_simulator.ews.decoding import SchemaViolation
from postroom_simulator.ews.errors import EwsError
from postroom_simulator.ews.exchange import Exchange, Halted, Instead, settle, wait_out
from postroom_simulator.ews.http import Request, Response
from postroom_simulator.ews.identity import Lockouts
from postroom_simulator.ews.items.keeping import rendered
from postroom_simulator.ews.link import Link, open_link
from postroom_simulator.ews.notifications.push import post
from postroom_simulator.ews.notifications.subscriptions import Subscriptions
from postroom_simulator.ews.people.retention import RetentionTag
from postroom_simulator.ews.people.sending import check_sender
from postroom_simulator.ews.permissions import allowed
from postroom_simulator.ews.throttling import Throttling
from postroom_simulator.ews.versions import SERVERS, Server
from postroom_simulator.journal import Kind

if TYPE_CHECKING:
    from postroom_simulator.directory import Account
    from postroom_simulator.ews.call import Call
    from postroom_simulator.store.interface import Folder
    from postroom_simulator.world import World

__all__ = ["EwsService"]

log = logging.getLogger("postroom_simulator.ews")


@dataclass(slots=True)
class EwsService:
    """The settings of a world's Exchange, and its answers.

    server          name of a row of `versions.SERVERS`
    challenges      what a 401 offers, in this order, of `identity.MECHANISMS`; a mechanism that is not here is refused
    anonymous       address of the account behind requests that show no credentials; None: they are refused
    idle_limit      seconds that a connection may be kept open unused, None: any number (120 is our choice)
    impersonators   addresses that may impersonate anybody ("*"), or the addresses that they may
    extended_protection  whether logins by NTLM have to be bound to their TLS connection: "off", "allow" (where the client says a binding, it has to be
                    right), "require" (RFC 5929 tls-server-end-point)
    serializers     addresses that may hand in a SerializedSecurityContext
    roles           by address: the roles that a ManagementRole header of theirs may name
    managed_folders  names of folders that the organization has set up (CreateManagedFolder), with what is said of each
    app_manifests   of the apps that everybody has installed (XML documents, handed out as they are)
    push_hosts      hosts beside loopback to which push notifications may go
    post_notification  posts a notification to a URL and gives the answer's body; raises OSError
    """

    world: World
    server_name: str = "2016"
    challenges: list[str] = field(default_factory=lambda: ["Basic"])
    impersonators: dict[str, set[str]] = field(default_factory=dict)
    extended_protection: Literal["off", "allow", "require"] = "off"
    serializers: set[str] = field(default_factory=set)
    roles: dict[str, set[str]] = field(default_factory=dict)
    managed_folders: dict[str, str] = field(default_factory=dict)
    app_manifests: list[bytes] = field(default_factory=list)
    push_hosts: set[str] = field(default_factory=set)
    post_notification: Callable[[str, bytes], bytes] = field(default=post, repr=False)
    subscriptions: Subscriptions = field(init=False, repr=False)
    anonymous: str | None = None
    idle_limit: float | None = 120.0
    retention_tags: list[RetentionTag] = field(default_factory=list)
    lockouts: Lockouts = field(init=False)
    throttling: Throttling = field(init=False)
    autodiscover: Autodiscover = field(default_factory=Autodiscover)
    meetings: UidIndex = field(init=False, repr=False)
    seen: Cache = field(default_factory=lambda: Cache(20_000), repr=False)
    """What is known of items, by uid."""
    contents: Cache = field(default_factory=lambda: Cache(5_000), repr=False)
    """What was read of messages, by digest."""

    def __post_init__(self) -> None:
        self.lockouts = Lockouts(self.world)
        self.throttling = Throttling(self.world)
        self.meetings = UidIndex(self.world)
        self.world.store.renderer = rendered
        self.subscriptions = Subscriptions(self)

    @property
    def server(self) -> Server:
        return SERVERS[self.server_name]

    def may_impersonate(self, principal: Account, other: Account) -> bool:
        allowed = self.impersonators.get(principal.address.lower(), set())
        return "*" in allowed or other.address.lower() in {one.lower() for one in allowed}

    def check_access(self, call: Call, folder: Folder, right: str = "read", *, owned: bool = False) -> None:
        """Raises EwsError ErrorAccessDenied where the caller may not; `right` and `owned` as in `permissions.allowed`."""
        if folder.account != canonical(call.account.address) and not allowed(folder, call.account.address, right, owned=owned):
            raise EwsError("ErrorAccessDenied")

    def check_sender(self, call: Call, message: Mapping[str, Any]) -> None:
        """Raises EwsError ErrorSendAsDenied where the caller may not send as who the message says."""
        check_sender(call, message)

    # -- answering

    def failed(self, exchange: Exchange, problem: Exception) -> EwsError:
        """An error of our own code: it is logged and journalled, kept for `World.settle` and the world's end to raise, and answered by the one that is
        returned. What is no error but takes its way as one is raised again."""
        if isinstance(problem, Halted | Instead | SchemaViolation):
            raise problem
        log.error("%s: internal error", exchange.verb, exc_info=problem)
        detail = f"internal error: {type(problem).__name__}: {problem}"
        self.world.journal.add(Kind.NOTE, protocol="ews", account=exchange.address, verb=exchange.verb, detail=detail)
        self.world.connections.failures.append(problem)
        return EwsError("ErrorInternalServerError")

    def respond(self, request: Request) -> Response:
        """The direct call: no transport. Whatever a client sends is answered; the answer of a stream is read to its end by `stream.pieces()`.

        A request without a `link` has a connection of its own. Faults that concern the line raise what a client would see of them:
        ConnectionError, TimeoutError; waits pass on the world's clock."""
        link = request.link or open_link(self.world)
        exchange = Exchange(self, request, link)
        if request.link is not None:
            return self._carry_out(exchange)
        try:
            response = self._carry_out(exchange)
        except BaseException:
            self.close(link, "fault")
            raise
        if response.stream is None or response.stream.closed:
            self.close(link)
        else:
            response.stream.on_end.append(lambda: self.close(link))
        return response

    def _carry_out(self, exchange: Exchange) -> Response:
        while True:
            try:
                with self.world.lock:
                    response = answer(exchange)
                self.world.desk.run_errands()
                return settle(exchange, response)
            except Halted as halted:
                wait_out(exchange, halted)

    def close(self, link: Link, who: str = "client") -> None:
        """The end of a connection of the direct call."""
        self.throttling.leave(link)
        link.close(who)
