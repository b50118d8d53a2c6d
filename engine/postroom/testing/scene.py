"""A scene: a simulated world, an organization in it and the organization's engine, with the verbs of the features.

    with Scene() as scene:
        scene.mail_server()
        ada = scene.user("Ada", "ada@alder.test", ready=True)
        scene.mail("carl@birch.test", "ada@alder.test", "Hello")
        scene.run()

Nothing is started before it is asked for; `close` checks the books and leaves nothing behind.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from types import TracebackType
from typing import Any, Literal, Self

from postroom.channels.server_side_sync import ServerSideSync
from postroom.mime.addresses import split_list
from postroom.mime.compose import compose
from postroom.mime.values import Address, Attachment, OutgoingMessage
from postroom.model import Email, Lookup, Mailbox
from postroom.organization import SYSTEM, Caller, Deployment, DeploymentSettings, Operation, Organization
from postroom.providers.connectors import SocketConnector
from postroom.providers.contract import Connector
from postroom.testing.books import check_books
from postroom.testing.memory import WorldConnector
from postroom_simulator import ManualClock, World
from postroom_simulator.store import Item, Role

__all__ = ["Party", "Scene"]

Transport = Literal["memory", "tcp"]
SERVER_SIDE_SYNC = 2
FORWARD_MAILBOX = 3


@dataclass(frozen=True, slots=True)
class Party:
    """A record that a scene made, by the name people call it."""

    name: str
    entity: str
    id: str
    address: str
    mailbox: str = ""

    @property
    def lookup(self) -> Lookup:
        return Lookup(self.entity, self.id)


class Scene:
    """One organization on one simulated mail server. `clock` is manual unless another is given; it starts on a Monday morning."""

    def __init__(
        self,
        *,
        name: str = "Alder",
        seed: int = 0,
        transport: Transport = "memory",
        url: str = "sqlite://",
        settings: DeploymentSettings | None = None,
        world: World | None = None,
        check: bool = True,
    ) -> None:
        self.world = world if world is not None else World(seed=seed)
        self.transport = transport
        self.deployment = Deployment(self.world.clock, settings=settings or DeploymentSettings(), ids=self.world.ids)
        self.name = name
        self.url = url
        self._organization: Organization | None = None
        self.people: dict[str, Party] = {}
        self.profiles: dict[str, str] = {}
        self.check = check
        self.refusal: Exception | None = None
        self._engine: ServerSideSync | None = None
        self._servers: Any = None
        self._frozen: Any = None

    # -- life ---------------------------------------------------------------------------------------------------------

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close(check=self.check and error is None)

    def close(self, *, check: bool | None = None) -> None:
        """Check the books (unless told otherwise) and release everything. Raises BooksDoNotBalance."""
        try:
            if self.check if check is None else check:
                self.world.settle()
                check_books(self.world, *([self._organization] if self._organization is not None else []))
        finally:
            if self._engine is not None:
                self._engine.close()
            self.deployment.close()
            self.world.close()

    @property
    def organization(self) -> Organization:
        """Made at first use, with the scene's `name` and `url` of that moment."""
        if self._organization is None:
            self._organization = self.deployment.create_organization(self.name, self.url)
        return self._organization

    @property
    def connector(self) -> Connector:
        if self.transport == "memory":
            return WorldConnector(self.world)
        return SocketConnector(ssl_context_factory=self.world.authority.client_context)

    @property
    def engine(self) -> ServerSideSync:
        """The organization's server-side synchronization, made at first use."""
        if self._engine is None:
            self._engine = ServerSideSync(self.organization, self.connector)
        return self._engine

    def endpoint(self, service: str) -> tuple[str, int]:
        """Where the engine reaches a service of the world."""
        if self.transport == "memory":
            from postroom_simulator.world import SERVICES

            return self.world.hostname, SERVICES[service]
        if self._servers is None:
            self._servers = self.world.listen()
        host, port = self._servers.addresses[service]
        return ("localhost" if host in {"127.0.0.1", "::1"} else host), port

    # -- the organization ---------------------------------------------------------------------------------------------

    def profile(self, name: str, *, default: bool = False, **values: Any) -> str:
        """An email server profile for the world's POP3 and SMTP servers, over implicit TLS, with each mailbox's own credentials."""
        pop3_host, pop3_port = self.endpoint("pop3s")
        smtp_host, smtp_port = self.endpoint("smtps")
        fields: dict[str, Any] = {
            "servertype": 1,
            "incomingserverlocation": pop3_host,
            "incomingportnumber": pop3_port,
            "outgoingserverlocation": smtp_host,
            "outgoingportnumber": smtp_port,
            "incomingcredentialretrieval": 0,
            "outgoingcredentialretrieval": 0,
        }
        profile_id = self.organization.create(SYSTEM, "emailserverprofile", name=name, **{**fields, **values})
        self.profiles[name] = profile_id
        if default:
            self.default_profile(name)
        return profile_id

    def default_profile(self, name: str | None) -> None:
        value = Lookup("emailserverprofile", self.profiles[name]) if name is not None else None
        self.organization.update_settings(SYSTEM, defaultemailserverprofileid=value)

    def mail_server(self) -> None:
        """The default profile, pointing to the world's servers."""
        self.profile("Alder mail", default=True)

    def user(self, name: str, address: str, *, approved: bool = False, ready: bool = False, **values: Any) -> Party:
        """A user, served by server-side synchronization both ways unless `values` say otherwise. `ready`: with an account on the
        server, credentials, approval, and tested and enabled."""
        fields: dict[str, Any] = {
            "incomingemaildeliverymethod": SERVER_SIDE_SYNC,
            "outgoingemaildeliverymethod": SERVER_SIDE_SYNC,
        }
        fields.update(fullname=name, internalemailaddress=address, **values)
        return self._owner(name, "systemuser", address, fields, approved=approved, ready=ready)

    def queue(self, name: str, address: str, *, approved: bool = False, ready: bool = False, **values: Any) -> Party:
        """A queue, likewise."""
        fields: dict[str, Any] = {
            "incomingemaildeliverymethod": SERVER_SIDE_SYNC,
            "outgoingemaildeliverymethod": SERVER_SIDE_SYNC,
        }
        fields.update(name=name, emailaddress=address, **values)
        return self._owner(name, "queue", address, fields, approved=approved, ready=ready)

    def _owner(self, name: str, entity: str, address: str, fields: dict[str, Any], *, approved: bool, ready: bool) -> Party:
        if address and self.world.directory.get(address) is None:
            self.world.add_account(address, password=_password(name), name=name)
        record_id = self.organization.create(SYSTEM, entity, **fields)
        mailbox = self.organization.retrieve(SYSTEM, entity, record_id).defaultmailbox
        party = self.people[name] = Party(name, entity, record_id, address, mailbox.id if mailbox else "")
        if approved or ready:
            self.credentials(party, _password(name))
            self.organization.approve_email(SYSTEM, party.mailbox)
        if ready:
            self.test_and_enable(party)
        return party

    def credentials(self, party: Party, password: str) -> None:
        """Let the mailbox log in with its address and this password."""
        self.organization.update(
            SYSTEM,
            "mailbox",
            party.mailbox,
            allowemailconnectortousecredentials=True,
            username=party.address,
            password=password,
        )

    def contact(self, name: str, address: str, entity: str = "contact") -> Party:
        """A contact, lead or account with an address."""
        label = {"contact": "fullname", "lead": "fullname", "account": "name"}.get(entity, "name")
        record_id = self.organization.create(SYSTEM, entity, **{label: name, "emailaddress1": address})
        party = self.people[name] = Party(name, entity, record_id, address)
        return party

    def test_and_enable(self, party: Party) -> None:
        """Test & Enable Mailbox, run to its end."""
        self.organization.schedule_test(SYSTEM, party.mailbox)
        self.engine.run_due(operations={Operation.TEST})

    def mailbox(self, party: Party) -> Mailbox:
        mailbox: Mailbox = self.organization.retrieve(SYSTEM, "mailbox", party.mailbox)
        return mailbox

    def filter(self, party: Party, method: int) -> None:
        """Which incoming mail the user or queue tracks: `incomingemailfilteringmethod`."""
        if party.entity == "queue":
            self.organization.update(SYSTEM, "queue", party.id, incomingemailfilteringmethod=method)
        else:
            self.organization.update(SYSTEM, "usersettings", party.id, incomingemailfilteringmethod=method)

    # -- mail ---------------------------------------------------------------------------------------------------------

    def mail(
        self,
        sender: str | None,
        to: str,
        subject: str,
        *,
        into: str | None = None,
        text: str = "Hello.",
        attachments: Iterable[Attachment] = (),
        **headers: Any,
    ) -> list[Item]:
        """A mail from the outside reaches the accounts it is addressed to (or `into` alone). `sender` None: no From field.

        Returns the items deposited, in order of account."""
        recipients = split_list(to.replace(",", ";"))
        values = OutgoingMessage(
            message_id=headers.pop("message_id", f"<{self.world.ids.token()}@outside.test>"),
            date=self.world.clock.now(),
            from_=Address(sender or "nobody@outside.test"),
            to=recipients,
            subject=subject,
            text=text,
            attachments=tuple(attachments),
            **headers,
        )
        octets = compose(values)
        if sender is None:
            octets = b"".join(line for line in octets.splitlines(keepends=True) if not line.startswith(b"From:"))
        targets = [into] if into else [address.address for address in recipients]
        before = {item.uid for item in self.inbox_items()}
        self.world.deliver(sender or "", targets, octets)
        return [item for item in self.inbox_items() if item.uid not in before]

    def inbox_items(self) -> list[Item]:
        """Every item in every account's Inbox."""
        found: list[Item] = []
        for account in self.world.directory.accounts():
            found.extend(self.inbox(account.address))
        return found

    def inbox(self, address: str) -> list[Item]:
        store = self.world.store
        return list(store.items(store.folder(address, Role.INBOX).uid))

    def received(self, address: str) -> list[bytes]:
        """The messages that an address received: in its Inbox, or in the outbound drawer when it has no account here."""
        account = self.world.directory.get(address)
        if account is not None:
            return [self.world.store.octets(item.uid) for item in self.inbox(account.address)]
        drawer = self.world.store.outbound()
        wanted = address.casefold()
        return [self.world.store.outbound_octets(m.uid) for m in drawer if wanted in {r.casefold() for r in m.recipients}]

    def send(
        self, sender: str, to: Iterable[str | Lookup], subject: str, *, bcc: Iterable[str] = (), text: str = "Hello."
    ) -> str:
        """The user or queue `sender` writes an email and sends it. Returns the activity's id."""
        party = self.people[sender]
        caller = Caller.user(party.id) if party.entity == "systemuser" else SYSTEM
        email_id = self.organization.create_email(
            caller, from_=party.lookup, to=tuple(to), bcc=tuple(bcc), subject=subject, description=text
        )
        self.organization.send_email(caller, email_id, tracking_token="")
        return email_id

    def emails(self, subject: str) -> list[Email]:
        return list(self.organization.retrieve_multiple(SYSTEM, "email", subject=subject))

    # -- time ---------------------------------------------------------------------------------------------------------

    def advance(self, delta: timedelta) -> None:
        """Let time pass; timers of the servers fire on the way."""
        clock = self.world.clock
        assert isinstance(clock, ManualClock), "only a manual clock can be moved"
        clock.advance(delta)
        if self._frozen is not None:
            self._frozen.move_to(clock.now())

    def run(self, *, after: timedelta | None = None) -> None:
        """Let time pass, then let the engine do everything that is due at that moment."""
        if after is not None:
            self.advance(after)
        self.engine.run_due()

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Inside the block code that asks the machine for the time sees the scene's (freezegun): steps, templates and libraries of
        others. The engine and the servers never ask the machine."""
        from freezegun import freeze_time

        self.world.authority.client_context()  # certificates cannot be made in frozen time
        with freeze_time(self.world.clock.now(), real_asyncio=True) as frozen:
            self._frozen = frozen
            try:
                yield
            finally:
                self._frozen = None


def _password(name: str) -> str:
    """What somebody logs in with: ASCII, because POP3 and SMTP take nothing else in the clear (RFC 1939 §3)."""
    return f"{name.encode('ascii', 'ignore').decode('ascii')}-secret"
