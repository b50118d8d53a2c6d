"""What becomes of everything in the files: a value, decided without touching anything."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from postroom.channels.email_router.migrating.values import (
    MailboxPlan,
    MigrationPlan,
    OrganizationView,
    OwnerView,
    ProfilePlan,
    RouterProfile,
    RouterSource,
)
from postroom.model.options import (
    CredentialRetrieval,
    IncomingDeliveryMethod,
    OutgoingDeliveryMethod,
    ServerType,
)
from postroom.model.secret import Secret
from postroom.providers.contract import Direction
from postroom.rules.router_migration import Merged, Protocol, merge, reason_left

__all__ = ["plan_migration"]


def plan_migration(source: RouterSource, view: OrganizationView, *, now: datetime, crm_url: str = "") -> MigrationPlan:
    """What becomes of everything. `crm_url`: only the providers of this deployment (those that name none belong to all)."""
    return _Planner(source, view, now, crm_url).plan()


class _Planner:
    def __init__(self, source: RouterSource, view: OrganizationView, now: datetime, crm_url: str) -> None:
        self.source, self.view, self.now = source, view, now
        wanted = crm_url.rstrip("/").casefold()
        self.mine = [
            one for one in source.profiles if not wanted or not one.crm_url or one.crm_url.rstrip("/").casefold() == wanted
        ]
        self.profiles: dict[tuple[int, int], ProfilePlan] = {}
        self.fates: dict[int, list[tuple[str, str]]] = {}
        self.states = {one.address.casefold(): one for one in source.states if one.address}

    def plan(self) -> MigrationPlan:
        owners = dict.fromkeys(owner for one in self.mine for owner in one.owners)
        mailboxes = [self.owned(owner) for owner in owners]
        mailboxes += [self.forward(one) for one in self.mine if not one.owners and one.forward]
        outcomes = tuple((one, *self.fate(one)) for one in self.source.profiles)
        notes = [*(f"cannot be used: {problem}" for problem in self.source.problems), *self.source.notes]
        known = {box.address.casefold() for box in mailboxes} | {one.user.casefold() for one in self.mine}
        notes += [
            f"the state of {one.address or one.key} belongs to no mailbox of this plan"
            for one in self.source.states
            if one.address.casefold() not in known
        ]
        if all(profile.protocol is not Protocol.CUSTOM for profile, _, _ in outcomes):
            notes.append("no provider is custom")
        return MigrationPlan(self.view.name, tuple(self.profiles.values()), tuple(mailboxes), outcomes, tuple(notes))

    def fate(self, one: RouterProfile) -> tuple[str, str]:
        """Outcome and what to do, of one provider."""
        if one not in self.mine:
            return "not of this organization", f"it serves {one.crm_url}: plan that organization too"
        told = list(dict.fromkeys(self.fates.get(one.number, [])))
        if told:
            left = [found for found in told if found[0].startswith("not migrated")]
            return ("; ".join(dict.fromkeys(outcome for outcome, _ in told)), left[0][1] if left else told[0][1])
        pair = (one.protocol, Protocol.NONE) if one.direction is Direction.INBOUND else (Protocol.NONE, one.protocol)
        if merge(*pair) is Merged.LEFT:
            left_reason = reason_left(*pair)
            return f"not migrated: {left_reason.why}", left_reason.todo
        return "not migrated: it serves no user and no queue", "name its users and queues (UserId, QueueId), or remove it"

    def tell(self, one: RouterProfile | None, outcome: str, todo: str = "") -> None:
        if one is not None:
            self.fates.setdefault(one.number, []).append((outcome, todo))

    def owned(self, owner: tuple[str, str]) -> MailboxPlan:
        incoming = [one for one in self.mine if owner in one.owners and one.direction is Direction.INBOUND]
        outgoing = [one for one in self.mine if owner in one.owners and one.direction is Direction.OUTBOUND]
        found = self.view.owners.get(owner)
        title = found.name if found is not None else f"{owner[0]} {owner[1]}"
        address = found.address if found is not None else ""
        if found is None:
            return self.left(
                title, None, [*incoming, *outgoing], "the organization has no such record", "create it, or remove its id"
            )
        if len(incoming) > 1 or len(outgoing) > 1:
            several = incoming if len(incoming) > 1 else outgoing
            why = f"{len(several)} {several[0].direction} providers serve it; a mailbox has one profile"
            return self.left(title, found, [*incoming, *outgoing], why, "choose one: remove its id from the others")
        into, out = next(iter(incoming), None), next(iter(outgoing), None)
        return self.merged(title, found, address, into, out)

    def forward(self, one: RouterProfile) -> MailboxPlan:
        return self.merged(f"forward mailbox {one.user or one.server}", None, one.user, one, None)

    def merged(
        self, title: str, owner: OwnerView | None, address: str, into: RouterProfile | None, out: RouterProfile | None
    ) -> MailboxPlan:
        pair = into.protocol if into else Protocol.NONE, out.protocol if out else Protocol.NONE
        kind = merge(*pair)
        both = [one for one in (into, out) if one is not None]
        if kind is Merged.LEFT:
            reason = reason_left(*pair)
            return self.left(title, owner, both, reason.why, reason.todo)
        if owner is not None and not owner.mailbox:
            return self.left(title, owner, both, "it has no mailbox in the organization", "give it an email address first")
        profile = self.profile(kind, into, out)
        for one in both:
            self.tell(one, f"{kind}: {profile.name}")
        return self.mailbox(title, owner, address, profile, into, out)

    def left(self, title: str, owner: OwnerView | None, those: Sequence[RouterProfile], why: str, todo: str) -> MailboxPlan:
        for one in those:
            cause = "" if one.protocol not in (Protocol.POP3, Protocol.SMTP) else f" for {title}"
            self.tell(one, f"not migrated{cause}: {why}", todo)
        return MailboxPlan(title, owner, owner.address if owner is not None else "", why=why, todo=todo)

    def profile(self, kind: Merged, into: RouterProfile | None, out: RouterProfile | None) -> ProfilePlan:
        """One for each pair of providers that differ in more than the account of a single mailbox."""
        key = (_same(self.mine, into), _same(self.mine, out))
        if key not in self.profiles:
            self.profiles[key] = _profile_plan(kind, into, out, len(self.profiles) + 1)
        return self.profiles[key]

    def mailbox(
        self,
        title: str,
        owner: OwnerView | None,
        address: str,
        profile: ProfilePlan,
        into: RouterProfile | None,
        out: RouterProfile | None,
    ) -> MailboxPlan:
        on = IncomingDeliveryMethod.SERVER_SIDE_SYNC_OR_ROUTER
        values: dict[str, Any] = {"incomingemaildeliverymethod": on if into else IncomingDeliveryMethod.NONE}
        values["outgoingemaildeliverymethod"] = (
            OutgoingDeliveryMethod.SERVER_SIDE_SYNC_OR_ROUTER if out else OutgoingDeliveryMethod.NONE
        )
        notes: list[str] = []
        account = next((one for one in (into, out) if one is not None and one.user and _own_account(one)), None)
        password = None
        if account is not None:
            values |= {"username": account.user[:200], "allowemailconnectortousecredentials": True}
            password = account.password
            if password is None:
                notes.append("its password is not in the file: give it with the mailbox")
            if into and out and _own_account(into) and _own_account(out) and into.user != out.user:
                notes.append(f"it logged in to send as {out.user}; a mailbox has one account")
        if into is not None and into.delete:
            values["processanddeleteemails"] = True
        threshold, note = self.threshold(address, into) if into is not None else (None, "")
        if threshold is not None:
            values["processemailreceivedafter"] = threshold
        return MailboxPlan(
            title, owner, address, profile.name, values, password, threshold, notes=(*notes, *([note] if note else []))
        )

    def threshold(self, address: str, into: RouterProfile) -> tuple[datetime, str]:
        """The instance's threshold becomes the mailbox's watermark; without one that can be used, the moment of the plan does (ours): the beginning of
        time would bring back what people deleted."""
        kept = next((self.states[one.casefold()] for one in (address, into.user) if one.casefold() in self.states), None)
        if kept is not None and kept.threshold is not None:
            return kept.threshold, ""
        why = "the state file has none" if kept is None or not kept.trouble else kept.trouble
        return self.now, f"its mail is taken in from now on: {why}; set an earlier date by hand where it is known"


def _same(all_of: Sequence[RouterProfile], one: RouterProfile | None) -> int:
    """The number of the first provider that makes the same profile."""
    if one is None:
        return 0
    return next(other.number for other in all_of if other.direction is one.direction and _settings(other) == _settings(one))


def _settings(one: RouterProfile) -> tuple[Any, ...]:
    account = () if _own_account(one) else (one.user, one.password)
    return one.protocol, one.server.casefold(), one.port, one.tls, one.anonymous, account


def _own_account(one: RouterProfile) -> bool:
    """The account belongs to the one mailbox that is served, rather than to a profile that serves many."""
    return not one.anonymous and len(one.owners) <= 1


def _profile_plan(kind: Merged, into: RouterProfile | None, out: RouterProfile | None, number: int) -> ProfilePlan:
    exchange = kind is Merged.EXCHANGE
    values: dict[str, Any] = {"servertype": ServerType.EXCHANGE_SERVER if exchange else ServerType.OTHER}
    passwords: dict[str, Secret] = {}
    for direction, one in (("incoming", into), ("outgoing", out)):
        if one is None:
            continue
        values[f"{direction}serverlocation"] = one.server
        values[f"{direction}usessl"] = one.tls
        if one.port is not None:
            values[f"{direction}portnumber"] = one.port
        retrieval = CredentialRetrieval.USER_OR_QUEUE
        if one.anonymous or (direction == "outgoing" and not one.user):
            retrieval = CredentialRetrieval.ANONYMOUS
        elif not _own_account(one):
            retrieval = CredentialRetrieval.EMAIL_SERVER_PROFILE
            values[f"{direction}username"] = one.user[:250]
            if one.password is not None:
                passwords[f"{direction}password"] = one.password
        values[f"{direction}credentialretrieval"] = retrieval
    values["usesamesettingsforoutgoingconnections"] = False
    server = (into or out).server if (into or out) is not None else ""  # type: ignore[union-attr]
    name = f"Router {number}: {server}"[:100]
    return ProfilePlan(name, kind, into.title if into else "", out.title if out else "", values, passwords)
