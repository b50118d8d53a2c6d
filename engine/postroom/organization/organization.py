"""One organization: the CRM's side, by the documented message names. Names that are not published are marked ours.

Each method is one message; what it does is in the module of its subject (`records`, `mailboxes`, `incoming`, `outgoing`,
`cycles`, `books`). Every message opens one transaction of the organization's store and leaves nothing behind when it raises.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from postroom.clock import Clock
from postroom.mime.values import Address, Attachment
from postroom.model import Lookup, Mailbox
from postroom.model import Organization as OrganizationRecord
from postroom.model.deployment import DeploymentSettings
from postroom.model.verdict import Verdict
from postroom.organization import (
    alerts,
    books,
    custom_columns,
    cycles,
    explain,
    incoming,
    mail_log,
    mailboxes,
    manual_tracking,
    messages,
    outbox,
    outgoing,
    party_resolution,
    profiles,
    records,
    run_results,
    template_mail,
    testing_mail,
    upkeep,
)
from postroom.organization.callers import Caller
from postroom.organization.gateway import OrganizationGateway
from postroom.organization.policies import settings_in
from postroom.organization.values import Connection, DueMailbox, GatewayBinding, Operation, RunFailure
from postroom.providers.contract import ClaimedEmail
from postroom.store import OrganizationStore
from postroom.store.leases import Fence

if TYPE_CHECKING:
    from postroom.organization.deployment import Deployment

__all__ = ["Organization"]

AddressLike = Address | str
Recipients = Iterable[AddressLike | Lookup] | str


class Organization:
    """Made by `Deployment.create_organization` and `open_organization`."""

    def __init__(self, name: str, store: OrganizationStore, deployment: Deployment) -> None:
        self.name = name
        self.store = store
        self.deployment = deployment
        self._organization_id: str | None = None

    @property
    def clock(self) -> Clock:
        return self.deployment.clock

    @property
    def settings(self) -> OrganizationRecord:
        """The organization row: section 1.5 of the server-side-sync reference."""
        return records.settings(self)

    @property
    def organization_id(self) -> str:
        """The key of the organization row; read once."""
        if self._organization_id is None:
            self._organization_id = self.settings.organizationid
        return self._organization_id

    # -- records ------------------------------------------------------------------------------------------------------

    def update_settings(self, caller: Caller, **values: Any) -> None:
        """Update the organization row. Raises UnknownAttribute, InvalidValue, NotWritable."""
        records.update_settings(self, caller, values)

    def settings_problems(self, values: Mapping[str, Any]) -> list[str]:
        """What `update_settings` would refuse: attributes by themselves, then all of them together; empty when nothing is wrong (ours)."""
        return records.settings_problems(self, values)

    def create(self, caller: Caller, entity: str, **values: Any) -> str:
        """Create. A systemuser or queue gets its mailbox (reference 2.1). Returns the new id.

        Raises RecordError for values that do not fit, RuleViolated for combinations that the product refuses,
        RecordNotFound for lookups to nothing.
        """
        return records.create(self, caller, entity, values)

    def retrieve(self, caller: Caller, entity: str, record_id: str) -> Any:
        """Retrieve. The typed record, or a GenericRecord. Raises RecordNotFound."""
        return records.retrieve(self, caller, entity, record_id)

    def retrieve_multiple(
        self, caller: Caller, entity: str, *, order_by: Sequence[str] = (), limit: int | None = None, **conditions: Any
    ) -> list[Any]:
        """RetrieveMultiple with equality conditions: a tuple or list means IN, None means IS NULL."""
        return records.retrieve_multiple(self, caller, entity, conditions, order_by=tuple(order_by), limit=limit)

    def update(self, caller: Caller, entity: str, record_id: str, **values: Any) -> None:
        """Update, with the mirror of addresses and what a change resets (reference 2.2, 2.4, 2.5)."""
        records.update(self, caller, entity, record_id, values)

    def delete(self, caller: Caller, entity: str, record_id: str) -> None:
        """Delete. A user's or queue's mailbox goes with it; the default profile is refused (reference 2.5)."""
        records.delete(self, caller, entity, record_id)

    def set_state(self, caller: Caller, entity: str, record_id: str, active: bool) -> None:
        """SetState between Active and Inactive (a systemuser: `isdisabled`)."""
        records.set_state(self, caller, entity, record_id, active)

    def assign(self, caller: Caller, entity: str, record_id: str, owner: Lookup) -> None:
        """Assign to another owner: a systemuser or a team."""
        records.assign(self, caller, entity, record_id, owner)

    def register_email_columns(self, caller: Caller, entity: str, *names: str) -> None:
        """Make a custom entity email-enabled, or give a known one more address columns (ours): kept with the organization, its records are
        found by these addresses at once."""
        custom_columns.register(self.store, caller, entity, names)

    # -- mailboxes ----------------------------------------------------------------------------------------------------

    def approve_email(self, caller: Caller, mailbox_id: str) -> None:
        """Approve the mailbox's address; needs prvApproveRejectEmailAddress (reference 2.3)."""
        mailboxes.decide_address(self, caller, mailbox_id, approve=True)

    def reject_email(self, caller: Caller, mailbox_id: str) -> None:
        """Reject the mailbox's address; needs prvApproveRejectEmailAddress (reference 2.3)."""
        mailboxes.decide_address(self, caller, mailbox_id, approve=False)

    def apply_default_email_settings(self, caller: Caller, mailbox_ids: Iterable[str], *, test: bool = True) -> None:
        """Apply Default Email Settings: profile and methods, and by default Test & Enable (reference 2.1)."""
        mailboxes.apply_defaults(self, caller, tuple(mailbox_ids), test=test)

    def schedule_test(
        self,
        caller: Caller,
        mailbox_id: str,
        *,
        enable: bool = True,
        process_from: datetime | None = None,
        primary: bool = False,
        take_over: bool = False,
    ) -> None:
        """Test & Enable Mailbox: marks the test as scheduled; what is asked for is in `testing_mail.TestWish`. `enable` False tests only (ours);
        `process_from` is the start date of incoming email. Raises RuleViolated."""
        testing_mail.schedule_test(self, caller, mailbox_id, testing_mail.TestWish(enable, process_from, primary, take_over))

    def schedule_profile_tests(
        self,
        caller: Caller,
        profile_id: str,
        *,
        enable: bool = True,
        process_from: datetime | None = None,
        primary: bool = False,
    ) -> list[str]:
        """Test & Enable Mailboxes: all of a profile that have anything to test, queues first. Returns the mailboxes' ids."""
        return testing_mail.schedule_profile_tests(
            self, caller, profile_id, testing_mail.TestWish(enable, process_from, primary)
        )

    def record_test_result(
        self,
        mailbox_id: str,
        direction: Operation | str,
        error: RunFailure | BaseException | None = None,
        *,
        fence: Fence | None = None,
    ) -> None:
        """The outcome of one direction's test (ours, for the engine): the state machine of reference 2.4. `None` is success. A
        transient failure asks for another try in five minutes, up to ten. With a `fence` it raises StaleRun when the run was lost."""
        testing_mail.record_test_result(self, mailbox_id, Operation(direction), error, fence)

    def request_test_message(self, mailbox_id: str, *, fence: Fence | None = None, instance: str = "") -> ClaimedEmail:
        """The real message that a test of outgoing mail sends to the mailbox itself (ours). It is claimed, and in the outgoing
        ledger as kind "test"; a gateway bound to Operation.TEST hands out the same through `claim_outgoing`."""
        return testing_mail.request_test_message(self, mailbox_id, fence=fence, instance=instance)

    # -- incoming -----------------------------------------------------------------------------------------------------

    def check_incoming_email(
        self,
        caller: Caller,
        *,
        message_id: str,
        subject: str = "",
        from_: Recipients = "",
        to: Recipients = (),
        cc: Recipients = (),
        bcc: Recipients = (),
        mailbox_id: str | None = None,
        in_reply_to: str = "",
        references: Sequence[str] = (),
        conversation_index: str = "",
    ) -> Verdict:
        """CheckIncomingEmail: should this message be tracked? Changes nothing. Addresses are `Address` values, or one string
        separated by ";". `mailbox_id` names the mailbox being synchronized."""
        message = incoming.IncomingMessage.of(
            message_id=message_id,
            subject=subject,
            from_=from_,
            to=to,
            cc=cc,
            bcc=bcc,
            in_reply_to=in_reply_to,
            references=references,
            conversation_index=conversation_index,
        )
        return incoming.check_incoming_email(self, caller, message, mailbox_id)

    def deliver_incoming_email(
        self,
        caller: Caller,
        *,
        message_id: str,
        subject: str | None,
        from_: Recipients,
        to: Recipients = (),
        cc: Recipients = (),
        bcc: Recipients = (),
        received_on: datetime,
        submitted_by: str = "",
        importance: int | str = 1,
        body: str = "",
        attachments: Iterable[Attachment] = (),
        mailbox_id: str | None = None,
        in_reply_to: str = "",
        references: Sequence[str] = (),
        conversation_index: str = "",
        validate_before_create: bool = False,
    ) -> str:
        """DeliverIncomingEmail: the activity with parties, attachments and queue items, in one transaction. Returns its id (the
        existing one for a duplicate). `validate_before_create` runs CheckIncomingEmail first and raises RuleViolated when it refuses."""
        message = incoming.IncomingMessage.of(
            message_id=message_id,
            subject=subject or "",
            from_=from_,
            to=to,
            cc=cc,
            bcc=bcc,
            received_on=received_on,
            submitted_by=submitted_by,
            importance=incoming.importance_of(importance),
            body=body,
            attachments=tuple(attachments),
            in_reply_to=in_reply_to,
            references=references,
            conversation_index=conversation_index,
        )
        return incoming.deliver_incoming_email(self, caller, message, mailbox_id, validate=validate_before_create)

    def check_promote_email(
        self, caller: Caller, *, message_id: str, subject: str = "", direction_code: bool | None = None
    ) -> Verdict:
        """CheckPromoteEmail: may this message be tracked by hand? Filters are not asked; only a copy that is stored speaks against it.
        `direction_code` True: outgoing; None: either."""
        return manual_tracking.check_promote_email(self, caller, message_id, subject, outgoing=direction_code)

    def deliver_promote_email(
        self,
        caller: Caller,
        *,
        email_id: str | None = None,
        message_id: str,
        subject: str | None,
        from_: Recipients,
        to: Recipients = (),
        cc: Recipients = (),
        bcc: Recipients = (),
        received_on: datetime,
        submitted_by: str = "",
        importance: int | str = 1,
        body: str = "",
        attachments: Iterable[Attachment] = (),
        in_reply_to: str = "",
        references: Sequence[str] = (),
        conversation_index: str = "",
        regarding: Lookup | None = None,
    ) -> str:
        """DeliverPromoteEmail: Track in CRM, whatever the filters say. `email_id`: the activity (a draft of that id is replaced by it). `regarding` (ours)
        wins over what correlation finds. Returns the activity's id, the existing one for a duplicate."""
        message = incoming.IncomingMessage.of(
            message_id=message_id,
            subject=subject or "",
            from_=from_,
            to=to,
            cc=cc,
            bcc=bcc,
            received_on=received_on,
            submitted_by=submitted_by,
            importance=incoming.importance_of(importance),
            body=body,
            attachments=tuple(attachments),
            in_reply_to=in_reply_to,
            references=references,
            conversation_index=conversation_index,
        )
        return manual_tracking.deliver_promote_email(self, caller, email_id, message, regarding)

    def resolve_party(self, caller: Caller, party_id: str, to: Lookup) -> int:
        """A person says who an unresolved address is (ours); with ResolveSimilarUnresolvedEmailAddress wherever it stands. Returns how many."""
        return party_resolution.resolve_party(self, caller, party_id, to)

    # -- outgoing -----------------------------------------------------------------------------------------------------

    def create_email(
        self,
        caller: Caller,
        *,
        from_: Lookup | None = None,
        to: Recipients = (),
        cc: Recipients = (),
        bcc: Recipients = (),
        subject: str = "",
        description: str = "",
        attachments: Iterable[Attachment] = (),
        **values: Any,
    ) -> str:
        """Create an outgoing email as a draft. Parties are lookups (contact, systemuser, queue ...) or addresses that stay
        unresolved. `from_` defaults to the caller. `values`: further attributes of email (prioritycode, regardingobjectid ...)."""
        return outgoing.create_email(
            self,
            caller,
            outgoing.Draft.of(
                from_=from_,
                to=to,
                cc=cc,
                bcc=bcc,
                subject=subject,
                description=description,
                attachments=tuple(attachments),
                values=values,
            ),
        )

    def get_tracking_token_email(self, caller: Caller, subject: str = "") -> str:
        """GetTrackingTokenEmail: the next token for this caller, to be passed to `send_email` (reference 4.5)."""
        return outgoing.get_tracking_token(self, caller, subject)

    def send_email(self, caller: Caller, email_id: str, issue_send: bool = True, tracking_token: str | None = None) -> str:
        """SendEmail: a draft (or a failed email) becomes Pending Send. `issue_send` False only records it as sent. Returns the subject as it
        will be sent. A token is generated when None; "" sends without one. Raises SendRefused, PrivilegeMissing."""
        return outgoing.send_email(self, caller, email_id, issue_send=issue_send, tracking_token=tracking_token)

    def send_template(
        self,
        caller: Caller,
        template_id: str,
        sender: Lookup,
        recipients: Sequence[Lookup],
        regarding: Lookup | None = None,
        delivery_priority: int | None = None,
    ) -> list[str]:
        """SendTemplate: an email from a template to each recipient, each Pending Send. Returns their ids. Records without an address, or that are
        not to be written to, are left out."""
        return template_mail.send_template(self, caller, template_id, sender, recipients, regarding, delivery_priority)

    def send_bulk_mail(
        self, caller: Caller, sender: Lookup, template_id: str, entity: str, regarding: Lookup | None = None, **conditions: Any
    ) -> list[str]:
        """SendBulkMail: the same to every record of `entity` that fits `conditions` (the published Query)."""
        return template_mail.send_bulk_mail(self, caller, sender, template_id, regarding, entity, conditions)

    def send_email_from_template(
        self, caller: Caller, template_id: str, target: Mapping[str, Any], regarding: Lookup | None = None
    ) -> str:
        """SendEmailFromTemplate: `target` holds the email's attributes and parties, the template its subject and body. Returns its id."""
        return template_mail.send_email_from_template(self, caller, template_id, regarding, target)

    def background_send_email(self, caller: Caller, mailbox_id: str, limit: int = 100) -> list[Any]:
        """BackgroundSendEmail: the emails that wait to be sent through this mailbox, best first. Changes nothing; needs read and
        write activity privileges."""
        return outbox.background_send_email(self, caller, mailbox_id, limit)

    def cancel_email(self, caller: Caller, email_id: str) -> None:
        """Cancel a draft, a failed email, or one that waits and that no run has claimed. Raises RuleViolated otherwise."""
        outgoing.cancel_email(self, caller, email_id)

    def resolve_uncertain(self, caller: Caller, email_id: str, sent: bool) -> None:
        """A person says what became of an uncertain email (ours): `sent` ends it as Sent, otherwise it is Pending Send again."""
        outgoing.resolve_uncertain(self, caller, email_id, sent=sent)

    def execute(self, caller: Caller, message: str, /, **parameters: Any) -> Any:
        """Any of the published messages by its name, with the parameters of its method here. Raises UnsupportedMessage for those that are not
        done, with the reason (docs/messages.md lists them all)."""
        return messages.execute(self, caller, message, parameters)

    # -- runs (ours) --------------------------------------------------------------------------------------------------

    def gateway(self, binding: GatewayBinding, settings: DeploymentSettings | None = None) -> OrganizationGateway:
        """The `EmailGateway` of one run. `settings`: of this run alone, instead of the deployment's."""
        return OrganizationGateway(self, binding, settings)

    def due_mailboxes(
        self, now: datetime | None = None, *, limit: int | None = None, holder: str | None = None
    ) -> list[DueMailbox]:
        """Mailboxes with work due, in one query: the conjunction of reference 3.1, and scheduled tests. Longest waiting first. With a `holder`
        those are left out whose stale lock it may not break."""
        return cycles.due_mailboxes(self, now or self.clock.now(), limit=limit, holder=holder)

    def next_due(self) -> datetime | None:
        """The earliest moment at which a mailbox that is not due now may become due by the passing of time; None: never."""
        return cycles.next_due(self)

    def explain_mailbox(self, mailbox_id: str, direction: Operation | str, *, holder: str | None = None) -> list[Any]:
        """Why this mailbox is not processed in this direction now: `rules.eligibility.Reason` values; empty when it is eligible. `holder` as in
        `due_mailboxes`."""
        return cycles.explain_mailbox(self, mailbox_id, Operation(direction), holder=holder)

    def connection(self, mailbox_id: str | DueMailbox, operation: Operation | str) -> Connection:
        """How to reach the mailbox's server, password included: for the engine only. Raises ConfigError. A DueMailbox instead of an id
        spares reading the records again."""
        return profiles.connection(self, mailbox_id, Operation(operation))

    def begin_run(
        self, mailbox_id: str, operation: Operation | str, holder: str, *, expected: int | None = None
    ) -> Fence | None:
        """Take the mailbox's lease and lock it (hostid, processingstatecode 1). None: another run holds it, or has had it since its token
        was `expected` (`DueMailbox.token`): what was due then may be done."""
        return cycles.begin_run(self, mailbox_id, Operation(operation), holder, expected=expected)

    def take_over(self, instance: str, fence: Fence) -> int:
        """A new fence for an instance: what an earlier run left `submitting` becomes uncertain, what it left `claimed` waits
        again. Returns the number of uncertain emails. `begin_run` does it for the outgoing and test operations."""
        return outbox.take_over(self, instance, fence)

    def finish_run(
        self,
        mailbox_id: str,
        operation: Operation | str,
        *,
        fence: Fence | None,
        started_on: datetime,
        next_due: datetime | None = None,
        processed: int = 0,
        failed: int = 0,
        failure: RunFailure | None = None,
        scheduled_on: datetime | None = None,
        steps: Mapping[str, float] | None = None,
        machine: str = "",
        run_id: str = "",
        interval: int | None = None,
    ) -> None:
        """What one run leaves behind, in one transaction: next due time, counters, the statistics row; for a failure also disabling or
        postponing and the alert (reference 3.4, 3.7); then the mailbox is unlocked and its lease released, as `end_run` does."""
        run_results.finish_run(
            self,
            mailbox_id,
            Operation(operation),
            run_results.RunResult(
                fence,
                started_on,
                next_due,
                processed,
                failed,
                failure,
                scheduled_on,
                dict(steps or {}),
                machine,
                run_id,
                interval,
            ),
        )

    def due_since(self, mailbox: Mailbox, operation: Operation | str) -> datetime | None:
        """When a mailbox that is due had become so (ours); None: it always was."""
        return cycles.due_since(self, mailbox, Operation(operation))

    def renew_run(self, mailbox_id: str, fence: Fence) -> bool:  # noqa: ARG002 - for symmetry with begin_run
        """Keep the lease of a long run. False: it was lost."""
        return cycles.renew_run(self, fence)

    def end_run(self, mailbox_id: str, fence: Fence | None) -> None:  # noqa: ARG002
        """Unlock the mailbox and release its lease without any result (a run that was called off). Harmless when done already."""
        cycles.end_run(self, fence)

    def alert(self, alert: alerts.Alert) -> None:
        """Write a TraceLog, gated by the organization's settings; an equal alert is renewed, not repeated (reference 3.7)."""
        with self.store.transaction() as tx:
            alerts.write(tx, settings_in(tx), alert)

    # -- for people (ours) --------------------------------------------------------------------------------------------

    def mail(
        self, _caller: Caller, *, mailbox_id: str | None = None, disposition: str | None = None, limit: int | None = 50
    ) -> list[mail_log.MailRow]:
        """What came in and what became of it, the newest first; `disposition` as in `books`."""
        return mail_log.mail(self, mailbox_id=mailbox_id, disposition=disposition, limit=limit)

    def find_mail(self, _caller: Caller, text: str) -> list[mail_log.MailRow]:
        """By number, Message-ID or subject. Raises RecordNotFound for a number that there is not."""
        return mail_log.find_mail(self, text)

    def explain_mail(self, _caller: Caller, number: int) -> explain.MailExplanation:
        """Why a message became what it became: the rule, what it saw, the settings that bear on it. Raises RecordNotFound."""
        return explain.explain_mail(self, number)

    def explain_skipped(
        self, caller: Caller, mailbox_id: str, operation: Operation | str, *, holder: str | None = None
    ) -> list[explain.Skipped]:
        """`explain_mailbox`, with the attributes that each obstacle comes from and what takes it away."""
        operation = Operation(operation)
        box = self.retrieve(caller, "mailbox", mailbox_id)
        reasons = self.explain_mailbox(mailbox_id, operation, holder=holder)
        with self.store.reading() as tx:
            trouble = explain.open_trouble(tx, box, operation)
        return explain.skipped(operation, reasons, box, self.settings, trouble)

    def outgoing_log(
        self,
        _caller: Caller,
        *,
        marks: Sequence[str] = (),
        email_ids: Sequence[str] | None = None,
        tests: bool = False,
        limit: int | None = 50,
    ) -> list[books.OutgoingEntry]:
        """What was to be sent and what became of it, the newest first; `marks` as in `books`."""
        return mail_log.outgoing(self, marks=marks, email_ids=email_ids, tests=tests, limit=limit)

    def summary(self, _caller: Caller) -> dict[str, Any]:
        """Counts at a glance."""
        return mail_log.summary(self)

    # -- upkeep (ours) ------------------------------------------------------------------------------------------------

    def retain(self, caller: Caller, *, holder: str = "", cancelled: Callable[[], bool] = lambda: False) -> upkeep.Removed:
        """Remove what has been kept long enough, in small transactions: traces, statistics, failures of items, memory and ledger rows of
        messages that left their source, settled requests to send, contents. Never what keeps a message from being taken in or sent
        twice. Raises RuleViolated while another retention goes on, Cancelled between two transactions when `cancelled` says so."""
        return upkeep.retain(self, caller, holder=holder, cancelled=cancelled)

    def retention_due(self) -> datetime:
        """When `retain` is due next."""
        return upkeep.retention_due(self)

    def vacuum(self, caller: Caller) -> upkeep.Vacuumed:
        """Give the room of removed rows back; the octets that the database took before and takes now."""
        return upkeep.vacuum(self, caller)

    def rotate_key(self, caller: Caller) -> int:
        """Encrypt this organization's secrets with the newest key of the ring; how many were not yet. `Deployment.rotate_keys` makes the
        new key and lets the old ones go."""
        return upkeep.rotate_key(self, caller)

    def books(self) -> books.Books:
        """What became of every message, incoming and outgoing, as values (ours)."""
        return books.read(self)
