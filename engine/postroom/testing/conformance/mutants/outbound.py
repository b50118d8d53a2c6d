"""Providers that send wrongly."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from postroom.mime.compose import compose
from postroom.providers.builtin.smtp import SmtpProvider, _Composed
from postroom.providers.builtin.smtp_dialogue import stuffed
from postroom.providers.contract import RunContext, RunOutcome, Submission, SubmissionResult
from postroom.testing.conformance.mutants import mutant
from postroom.testing.conformance.mutants.plain import PlainSmtp

EVERYWHERE = ("OUT", "LIF", "ERR", "CON", "PRF")


@mutant("OUT-01", "submits again inside", says="2 times", also=EVERYWHERE)
class RetriesInside(SmtpProvider):
    def submit_message(self, ctx: Any, email: Any, composed: Any) -> Submission:
        super().submit_message(ctx, email, composed)
        return super().submit_message(ctx, email, composed)


@mutant("OUT-02", "forgets what it had claimed when an error comes", says="without one", also=EVERYWHERE)
class ForgetsClaims(SmtpProvider):
    def _report(self, ctx: Any, email: Any, submission: Submission) -> None:
        if submission.attempted:
            super()._report(ctx, email, submission)


@mutant("OUT-03", "tells everybody the blind copies", says="its address is in the message")
class LeaksBlindCopies(SmtpProvider):
    def compose_message(self, ctx: Any, email: Any) -> Any:
        told = (*email.message.extra_headers, ("X-Original-To", ", ".join(email.recipients)))
        try:
            return super().compose_message(ctx, replace(email, message=replace(email.message, extra_headers=told)))
        except ValueError:
            return super().compose_message(ctx, email)


@mutant("OUT-04", "makes a new message id for each try", says="Message-ID")
class NewMessageId(SmtpProvider):
    def compose_message(self, ctx: Any, email: Any) -> Any:
        fresh = email.message.message_id.replace("@", f".{email.attempt}@")
        return super().compose_message(ctx, replace(email, message=replace(email.message, message_id=fresh)))


def _instead(result: SubmissionResult, found: SubmissionResult, told: Submission) -> Submission:
    return replace(told, result=result) if told.result is found else told


class _Reporting(SmtpProvider):
    """Reports something else than what was."""

    wrong: tuple[SubmissionResult, SubmissionResult]

    def _report(self, ctx: Any, email: Any, submission: Submission) -> None:
        found, told = self.wrong
        super()._report(ctx, email, _instead(told, found, submission))


@mutant("OUT-05", "marks as failed what was refused for now", says="SubmissionResult.FAILED", also=EVERYWHERE)
class FailsAtOnce(_Reporting):
    wrong = SubmissionResult.RETRY, SubmissionResult.FAILED


@mutant("OUT-06", "retries what was refused for good", says="SubmissionResult.RETRY", also=("OUT-10", "LIF-12"))
class RetriesRefused(_Reporting):
    wrong = SubmissionResult.FAILED, SubmissionResult.RETRY


@mutant("OUT-07", "says nothing of refused recipients", says="refused: []")
class SilentAboutRefusals(SmtpProvider):
    def _report(self, ctx: Any, email: Any, submission: Submission) -> None:
        if submission.result is SubmissionResult.SENT:
            submission = replace(submission, recipients=())
        super()._report(ctx, email, submission)


@mutant("OUT-08", "counts no attempt", says="tries", also=("OUT-05", "LIF", "ERR-05"))
class CountsNothing(SmtpProvider):
    def _report(self, ctx: Any, email: Any, submission: Submission) -> None:
        counted = submission.result is not SubmissionResult.RETRY
        super()._report(ctx, email, replace(submission, attempted=counted and submission.attempted))


@mutant("OUT-09", "sends again what may have arrived", says="SubmissionResult.RETRY", also=("OUT-05", "LIF-12", "ERR"))
class ResendsBlindly(_Reporting):
    wrong = SubmissionResult.UNCERTAIN, SubmissionResult.RETRY


@mutant("OUT-10", "passes line breaks on", says="were passed on")
class PassesLineBreaks(SmtpProvider):
    def compose_message(self, ctx: Any, email: Any) -> Any:
        message = email.message
        if "\r" not in message.subject and "\n" not in message.subject:
            return super().compose_message(ctx, email)
        composed = super().compose_message(ctx, replace(email, message=replace(message, subject="kit-subject")))
        if not isinstance(composed, _Composed):
            return composed
        octets = compose(replace(message, subject="kit-subject"))
        written = message.subject.replace("\r\n", "\n").replace("\n", "\r\n").encode()
        return replace(composed, text=stuffed(octets.replace(b"kit-subject", written)), options="")


@mutant("OUT-11", "claims all that waits", says="7 claims", also=("CON-03", "LIF", "PRF-01"))
class ClaimsAll(PlainSmtp):
    def run(self, ctx: RunContext[Any]) -> RunOutcome:
        return super().run(replace(ctx, items=1000))


@mutant(
    "OUT-12", "waits for each server as long as the run lasts", says="spent on one slow server", also=("ERR", "CON-04", "LIF")
)
class WaitsForEach(SmtpProvider):
    def open_transport(self, ctx: Any) -> None:
        ctx.timeout = max(ctx.timeout, ctx.remaining() - 1.0)
        super().open_transport(ctx)
