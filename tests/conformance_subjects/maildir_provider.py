"""A Maildir: messages are files, known by their names, optionally deleted once they are stored. On `PollingProvider` and the seen set."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

from postroom.errors import ConfigError, MessageError, OrganizationError, TransientError
from postroom.mime.parse import parse_message
from postroom.model.verdict import ReasonCode, Verdict
from postroom.providers.configuration import element
from postroom.providers.contract import (
    Capability,
    CheckReport,
    Direction,
    Disposition,
    IncomingOffer,
    ProviderSpec,
    RunContext,
    RunOutcome,
)
from postroom.providers.lifecycle import PollingProvider

LARGEST = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class MaildirConfig:
    folder: str = element("Folder", identity=True, length=1000, help="path of the Maildir")
    delete: bool = element("DeleteEmails", default=False, help="delete files once their messages are stored")


@dataclass(frozen=True, slots=True)
class MaildirState:
    """Nothing: what was seen is in the seen set."""


class MaildirProvider(PollingProvider[MaildirConfig, MaildirState]):
    spec: ClassVar[ProviderSpec[MaildirConfig, MaildirState]] = ProviderSpec(
        "maildir",
        Direction.INBOUND,
        MaildirConfig,
        MaildirState,
        capabilities=frozenset({Capability.STATEFUL, Capability.DELETE}),
    )

    def on_check(self, ctx: RunContext[MaildirState]) -> CheckReport:
        return CheckReport(f"{len(dict(self._files()))} messages")

    def on_run(self, ctx: RunContext[MaildirState]) -> RunOutcome:
        ctx.raise_if_cancelled()
        files = dict(sorted(self._files()))
        new = ctx.seen.new_among(list(files))
        old = [key for key in files if key not in set(new)]
        if old:
            ctx.seen.touch(old)
            if self.config.delete:
                self._delete(ctx, {key: files[key] for key in old if ctx.seen.digest(key)})
        for key in new[: ctx.items]:
            ctx.raise_if_cancelled()
            self._take(ctx, key, files[key])
        self.tally.more = len(new) > ctx.items
        return self.tally.outcome()

    def _files(self) -> Iterator[tuple[str, Path]]:
        for part in ("new", "cur"):
            folder = Path(self.config.folder) / part
            try:
                with os.scandir(folder) as entries:
                    yield from (
                        (one.name.partition(":")[0], Path(one.path))
                        for one in entries
                        if one.is_file(follow_symlinks=False) and not one.name.startswith(".")
                    )
            except FileNotFoundError:
                raise ConfigError(f"there is no folder {part!r} of a Maildir") from None
            except OSError as error:
                raise TransientError(f"the folder cannot be read: {error.strerror}") from error

    def _take(self, ctx: RunContext[MaildirState], key: str, path: Path) -> None:
        try:
            octets = path.read_bytes() if path.stat().st_size <= LARGEST else path.open("rb").read(LARGEST)
        except FileNotFoundError:
            return  # somebody else took it
        except OSError as error:
            raise TransientError(f"a message cannot be read: {error.strerror}") from error
        message = parse_message(octets, monotonic=ctx.clock.monotonic)
        offer = IncomingOffer(key[:320], octets, message, message.date or ctx.clock.now(), self.env.mailbox)
        with ctx.gateway.batch():
            settled = self._settle(ctx, offer)
        if settled is None:
            return
        ctx.seen.add({key: message.digest if settled else ""})
        if settled and self.config.delete:
            self._delete(ctx, {key: path})

    def _settle(self, ctx: RunContext[MaildirState], offer: IncomingOffer) -> bool | None:
        """True: settled, and may be deleted; False: parked, it stays; None: to be tried again."""
        verdict = Verdict(deliver=False, reason=ReasonCode.UNKNOWN)
        try:
            verdict = ctx.gateway.check_incoming(offer)
            if verdict.deliver:
                self.tally.delivered += ctx.gateway.deliver_incoming(offer, verdict).created
            elif verdict.reason is ReasonCode.UNKNOWN:
                raise MessageError("undecided", source_key=offer.source_key)
            else:
                ctx.gateway.settle(offer, Disposition.FILTERED, verdict)
                self.tally.rejected += 1
                if verdict.reason is ReasonCode.BEFORE_WATERMARK:
                    self.tally.processed += 1
                    return False
        except (MessageError, OrganizationError) as error:
            self.tally.failed += 1
            if not ctx.gateway.failed(offer.source_key, str(error)) and not getattr(error, "permanent", False):
                return None
            ctx.gateway.settle(offer, Disposition.PARKED, replace(verdict, deliver=False, detail=str(error)))
            return False
        self.tally.processed += 1
        return True

    def _delete(self, ctx: RunContext[MaildirState], files: dict[str, Path]) -> None:
        for key, path in files.items():
            try:
                path.unlink(missing_ok=True)
            except OSError as error:
                ctx.log("maildir.not_deleted", str(error.strerror), key=key)
