"""Providers that are packaged wrongly."""

# ruff: noqa: ARG002 - hooks have the contract's arguments

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib.metadata import EntryPoint
from typing import Any

from postroom.providers.builtin.pop3 import Pop3Provider
from postroom.providers.contract import Capability, RunContext, RunOutcome
from postroom.providers.registry import GROUP
from postroom.testing.conformance.mutants import mutant
from postroom.testing.conformance.mutants.plain import PlainPop3
from postroom.testing.conformance.subject import Subject


class Named(Pop3Provider):
    spec = replace(Pop3Provider.spec, name="kit-named")


class AlsoNamed(Named):
    """What the second distribution would have."""


@mutant("PKG-01", "points at a module", says="it is a module")
class PointsAtModule(Subject):
    provider = Named

    def entry_points(self) -> Sequence[EntryPoint]:
        return [EntryPoint("kit-named", "json", GROUP)]


@mutant("PKG-02", "shares its name with a second distribution", says="announced once")
class SharesItsName(Subject):
    provider = Named

    def entry_points(self) -> Sequence[EntryPoint]:
        value = f"{Named.__module__}:Named"
        return [EntryPoint("kit-named", value, GROUP), EntryPoint("kit-named", f"{Named.__module__}:AlsoNamed", GROUP)]


@mutant("PKG-04", "takes another argument", says="run(self, ctx, force)")
class TakesMore(PlainPop3):
    def run(self, ctx: RunContext[Any], force: bool = False) -> RunOutcome:
        return super().run(ctx)


@mutant("PKG-05", "asks for 99.0", says="99.0")
class FromTheFuture(Pop3Provider):
    spec = replace(Pop3Provider.spec, sdk_api=(99, 0))


class NeedsPlist(Pop3Provider):
    def open_mailbox(self, ctx: Any) -> None:
        importlib.import_module("plistlib")
        super().open_mailbox(ctx)


@mutant("PKG-06", "lets an ImportError out of a run", says="ModuleNotFoundError")
class BareImportError(Subject):
    provider = NeedsPlist
    optional = ("plistlib",)


@mutant("PKG-07", "has no metadata", says="lacking: name")
class NoMetadata(Subject):
    provider = Named

    def metadata(self) -> Mapping[str, Any] | None:
        return {}


@mutant("PKG-08", "declares unwrap_forwarded and ignores it", says="unwrap_forwarded is declared and absent", also=("INB-07",))
class Boasts(Pop3Provider):
    spec = replace(Pop3Provider.spec, capabilities=Pop3Provider.spec.capabilities | {Capability.UNWRAP_FORWARDED})


@mutant("PKG-08", "removes mail and does not declare it", says="delete is done and not declared", also=("INB", "STA"))
class Coy(Pop3Provider):
    spec = replace(Pop3Provider.spec, capabilities=Pop3Provider.spec.capabilities - {Capability.DELETE})
