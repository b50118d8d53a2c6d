"""The main job, end to end: messages from files, a world, an organization around the people in them, and the engine until nothing is left to do.

Every message is read twice: once for who is in it, once to be placed octet for octet where it landed, so that a pile of any size is never
held in memory by the demo itself.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from importlib.resources import as_file, files
from pathlib import Path
from typing import Literal

from postroom.clock import SystemClock
from postroom.demo.organization import Errand, Staff, hire, run_errands
from postroom.demo.people import SAMPLE_CAST, Cast, Letter, cast_of
from postroom.demo.report import BooksRow, MessageRow, OutgoingRow, PersonRow, Place, RecipientRow, Report
from postroom.errors import PostroomError
from postroom.mime.addresses import parse_list
from postroom.model import EmailStatus
from postroom.organization import SYSTEM, DeploymentSettings, Operation
from postroom.runtime.outcome import JobReport
from postroom.testing.books import OUTCOMES, Balance, Incoming, balance
from postroom.testing.scene import Scene
from postroom_simulator import ManualClock, World
from postroom_simulator.headers import read_headers
from postroom_simulator.imports import ImportedMessage, read_messages, received_time
from postroom_simulator.journal import Entry, Kind

__all__ = ["DemoProblem", "Progress", "run_demo"]

Transport = Literal["memory", "tcp"]
Progress = Callable[[str, int, int], None]
"""Called with what is being done, how much of it is done, and how much there is (0: unknown)."""

MAX_ROUNDS = 1_000
"""Moments at which the engine is asked to work before the demo gives up waiting for quiet. A usual run needs about ten."""

SAMPLE_WEEK_ENDS = datetime(2024, 3, 8, 8, 0, tzinfo=UTC)
"""Where the clock starts for our own samples: the morning after the last of them."""

KEPT = ("organization.sqlite", "messages", "transcript.txt")
"""What --keep leaves in its folder."""


class DemoProblem(PostroomError):
    """The demo cannot be given: what is wrong with its arguments, in one line."""


@dataclass(frozen=True, slots=True)
class _Loaded:
    """A message on the mail server: `uids` are its items, by account."""

    name: str
    sender: str
    uids: tuple[int, ...]


@dataclass(slots=True)
class _Pile:
    """The paths, and what the first reading found in them: who is in each message, and the digest to know it again."""

    paths: Sequence[Path]
    letters: list[Letter] = field(default_factory=list)
    digests: list[bytes] = field(default_factory=list)

    def messages(self) -> Iterator[ImportedMessage]:
        for path in self.paths:
            yield from read_messages(path)


def run_demo(
    paths: Sequence[Path] = (),
    *,
    seed: int = 0,
    transport: Transport = "memory",
    keep: Path | None = None,
    progress: Progress | None = None,
) -> Report:
    """Give the whole demo; without paths with our own samples. Nothing is left behind but what `keep` asks for.

    Raises ImportProblem for what cannot be read, DemoProblem for a `keep` folder that is in use, OSError.
    """
    tell = progress or (lambda *_: None)
    clock = SystemClock()
    began = clock.monotonic()
    with ExitStack() as stack:
        pile = _Pile(paths or [stack.enter_context(_samples())])
        cast = SAMPLE_CAST if not paths else None
        _look(pile, tell)
        cast = cast or cast_of(pile.letters, seed)
        if keep is not None:
            _prepare(keep)
        world = World(seed=seed, clock=ManualClock(SAMPLE_WEEK_ENDS) if not paths else ManualClock())
        settings = DeploymentSettings(maximum_message_size=cast.limit) if cast.limit is not None else DeploymentSettings()
        url = "sqlite://" if keep is None else f"sqlite:///{(keep / KEPT[0]).absolute()}"
        with Scene(seed=seed, transport=transport, url=url, settings=settings, world=world, check=False) as scene:
            staff = hire(scene, cast)
            loaded = _place(scene, pile, cast, keep, tell)
            errands = run_errands(scene, staff)
            complete = _run(scene, staff, tell)
            world.settle()
            if keep is not None:
                (keep / KEPT[2]).write_text(world.journal.transcript(), "utf-8")
            tell("comparing the books", 0, 0)
            report = _report(scene, staff, loaded, errands)
            return replace(
                report,
                source=", ".join(str(path) for path in paths) or report.source,
                transport=transport,
                strangers=cast.strangers(pile.letters),
                complete=complete,
                kept=str(keep) if keep is not None else "",
                seconds=round(clock.monotonic() - began, 3),
            )


def _samples() -> AbstractContextManager[Path]:
    folder = files("postroom.demo") / "samples"
    return nullcontext(folder) if isinstance(folder, Path) else as_file(folder)


def _prepare(keep: Path) -> None:
    """The folder of --keep, new or empty: nothing of anybody's is overwritten. Raises DemoProblem, OSError."""
    if keep.exists() and (not keep.is_dir() or any(keep.iterdir())):
        raise DemoProblem(f"{keep}: --keep needs a new or an empty folder")
    (keep / KEPT[1]).mkdir(parents=True)


# -- loading ----------------------------------------------------------------------------------------------------------


def _look(pile: _Pile, tell: Progress) -> None:
    """The first reading. Only heads are looked at: the engine reads the whole later, from the mail server."""
    for number, message in enumerate(pile.messages(), 1):
        pile.letters.append(_letter(message.octets))
        pile.digests.append(hashlib.sha256(message.octets).digest())
        if number % 100 == 0:
            tell("reading messages", number, 0)


def _letter(octets: bytes) -> Letter:
    """The first From, To and Cc fields, read from the octets, so that a head which the engine's parser gives up on still names its people."""
    fields: dict[str, str] = {}
    for name, value in read_headers(octets):
        fields.setdefault(name.lower(), value)
    senders, to, cc = (
        [(one.address, one.name) for one in parse_list(fields.get(name, "")).addresses] for name in ("from", "to", "cc")
    )
    return Letter(senders[0] if senders else ("", ""), (*to, *cc))


def _place(scene: Scene, pile: _Pile, cast: Cast, keep: Path | None, tell: Progress) -> list[_Loaded]:
    """The second reading: each message into the mailboxes where it landed, octets untouched. Raises DemoProblem when a file is not
    what it was a moment ago."""
    loaded = []
    total = len(pile.letters)
    for number, message in enumerate(pile.messages(), 1):
        if number > total or hashlib.sha256(message.octets).digest() != pile.digests[number - 1]:
            raise DemoProblem(f"{message.name}: the messages changed while they were read")
        letter = pile.letters[number - 1]
        loaded.append(_place_one(scene.world, message, letter, cast.accounts_of(letter)))
        if keep is not None:
            (keep / KEPT[1] / f"{number:05d}-{_file_name(message.name)}").write_bytes(message.octets)
        if number % 100 == 0:
            tell("placing messages", number, total)
    if len(loaded) < total:
        raise DemoProblem("the messages changed while they were read: some are gone")
    return loaded


def _place_one(world: World, message: ImportedMessage, letter: Letter, accounts: Sequence[str]) -> _Loaded:
    now = world.clock.now()
    received = min(received_time(message.octets) or now, now)
    uids = tuple(
        world.place(account, message.octets, received=received, read=message.read, sender=letter.sender[0]).uid
        for account in accounts
    )
    return _Loaded(message.name, letter.sender[0], uids)


def _file_name(name: str) -> str:
    """A message's name as part of a file's name: nothing of it leads elsewhere."""
    safe = re.sub(r"[^A-Za-z0-9._-]+", "-", name.replace("/", "-")).strip("-.")[-80:] or "message"
    return safe if safe.endswith(".eml") else f"{safe}.eml"


# -- running ----------------------------------------------------------------------------------------------------------


def _run(scene: Scene, staff: Staff, tell: Progress) -> bool:
    """Let the engine work and time pass until every mailbox was looked at and found quiet, and nothing waits to be sent. False when it
    was still busy after MAX_ROUNDS moments."""
    clock, organization = scene.world.clock, scene.organization
    assert isinstance(clock, ManualClock)
    scene.world.journal.listen(_Counter(scene, tell))
    mailboxes = [staff.party(person).mailbox for person in staff.cast.ours]
    quiet: set[str] = set()
    for _ in range(MAX_ROUNDS):
        for report in scene.engine.run_due():
            if _busy(report):
                quiet.clear()
            elif report.operation is Operation.INCOMING:
                quiet.add(report.instance)
        served = {box for box in mailboxes if box in quiet or _may_be_served(scene, box, Operation.INCOMING)}
        if served <= quiet and not _may_be_sent(scene):
            return True
        moment = organization.next_due()
        if moment is None:
            return True
        clock.move_to(moment)
    return False


def _busy(report: JobReport) -> bool:
    """Whether a run did something, or met something that time may heal."""
    outcome = report.outcome
    return report.error is not None or (outcome is not None and bool(outcome.processed or outcome.failed or outcome.more))


def _may_be_served(scene: Scene, mailbox: str, operation: Operation) -> bool:
    """Whether this mailbox is processed, now or when some time has passed."""
    return all(reason.until is not None for reason in scene.organization.explain_mailbox(mailbox, operation))


def _may_be_sent(scene: Scene) -> bool:
    """Whether an email waits that time will send."""
    waiting = scene.organization.retrieve_multiple(SYSTEM, "email", statuscode=EmailStatus.PENDING_SEND)
    mailboxes = {email.sendermailboxid.id for email in waiting if email.sendermailboxid is not None}
    return any(_may_be_served(scene, mailbox, Operation.OUTGOING) for mailbox in mailboxes)


class _Counter:
    """Listens to the journal and tells how many of the messages on the server have been retrieved."""

    def __init__(self, scene: Scene, tell: Progress) -> None:
        self._tell = tell
        self._total = scene.world.journal.count(kind=Kind.DELIVERY)
        self._done = 0

    def __call__(self, entry: Entry) -> None:
        if entry.kind is Kind.OFFERED:
            self._done += 1
            if self._done % 20 == 0:
                self._tell("taking mail in", min(self._done, self._total), self._total)


# -- reporting --------------------------------------------------------------------------------------------------------


def _report(scene: Scene, staff: Staff, loaded: Sequence[_Loaded], errands: Sequence[Errand]) -> Report:
    found = balance(scene.world, scene.organization)
    messages, written_here = _messages(found, loaded, scene)
    return Report(
        seed=scene.world.ids.seed,
        domain=staff.cast.domain,
        limit=scene.deployment.settings.maximum_message_size,
        people=_people(staff),
        messages=messages,
        written_here=written_here,
        outgoing=_outgoing(scene, errands),
        books=_books(found),
    )


def _people(staff: Staff) -> tuple[PersonRow, ...]:
    cast = staff.cast
    rows = [PersonRow(one.name, one.address, one.kind, one.filter) for one in (*cast.ours, *staff.known)]
    rows += [PersonRow(", ".join(members), address, "group") for address, members in cast.groups.items()]
    rows += [PersonRow(target, address, "alias") for address, target in cast.aliases.items()]
    return (*rows, PersonRow(staff.leaver.name, staff.leaver.address, "disabled"))


def _messages(found: Balance, loaded: Sequence[_Loaded], scene: Scene) -> tuple[tuple[MessageRow, ...], tuple[MessageRow, ...]]:
    """Loaded messages with their places, and what else came in."""
    pairs = {pair.uid: pair for pair in found.incoming}
    senders = {entry.data["uid"]: entry.data["sender"] for entry in scene.world.journal.entries(kind=Kind.DELIVERY)}
    rows = []
    for one in loaded:
        mine = [pairs.pop(uid) for uid in one.uids if uid in pairs]
        rows.append(MessageRow(one.name, mine[0].subject if mine else "", one.sender, tuple(map(_place_of, mine))))
    rest = tuple(MessageRow("", pair.subject, senders.get(uid, ""), (_place_of(pair),)) for uid, pair in pairs.items())
    return tuple(rows), rest


def _place_of(pair: Incoming) -> Place:
    return Place(pair.account, pair.outcome, pair.reason, pair.detail, pair.email_id)


def _outgoing(scene: Scene, errands: Sequence[Errand]) -> tuple[OutgoingRow, ...]:
    notes = {errand.email_id: errand.note for errand in errands}
    return tuple(
        OutgoingRow(
            kind=row.kind,
            sender=row.sender,
            subject=row.subject,
            outcome=OUTCOMES[row.mark],
            attempts=row.attempts,
            reason=row.reason,
            recipients=tuple(RecipientRow(one.address, one.accepted, one.reply) for one in row.recipients),
            note=notes.get(row.email_id, ""),
        )
        for row in scene.organization.books().outgoing
    )


def _books(found: Balance) -> BooksRow:
    counts = {"incoming": dict(sorted(found.counts().items())), "outgoing": dict(sorted(found.outgoing.items()))}
    return BooksRow(found.balanced, len(found.incoming), sum(found.outgoing.values()), counts, tuple(found.problems))
