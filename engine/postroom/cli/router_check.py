"""`postroom router check`: each provider of a file tests itself, and whom it serves is looked up."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from postroom.cli.desk import Desk, UsageProblem
from postroom.clock import SystemClock
from postroom.errors import PostroomError

if TYPE_CHECKING:
    from postroom.channels.email_router.placing import Providers
    from postroom.organization import Organization
    from postroom.providers.configuration import ProviderEntry, RouterFile
    from postroom.providers.contract import Connector

__all__ = ["check_file"]


def check_file(desk: Desk, path: Path, ca_file: Path | None) -> list[dict[str, Any]]:
    """One answer for each entry: `result` is ok, failed, or not served (the test went well). Raises BadFile."""
    from postroom.channels.email_router.placing import Providers
    from postroom.cli.provider import registry_here
    from postroom.cli.router_places import open_organizations, read_file
    from postroom.cli.running import trust
    from postroom.providers.connectors import SocketConnector

    file = read_file(path)
    here = desk.common.path.exists()
    if desk.common.deployment is not None and not here:
        raise UsageProblem(f"{desk.common.path}: no deployment file")
    connector = SocketConnector(trust(ca_file or (desk.file.ca_file if here else None)))
    providers = Providers(registry_here())
    organizations = open_organizations(desk) if here and desk.file.organizations else None
    tested = [_answer(file, entry, organizations, *_tested(entry, providers, connector)) for entry in file.providers]
    broken = [
        {
            "line": one.line,
            "name": one.class_name,
            "provider": one.class_name,
            "organization": "",
            "identity": None,
            "result": "failed",
            "detail": f"cannot be used: {one.reason}",
        }
        for one in file.broken
    ]
    return sorted([*tested, *broken], key=lambda one: one["line"])


def _tested(entry: ProviderEntry, providers: Providers, connector: Connector) -> tuple[bool, str]:
    """Whether it went well, and what was said. The configuration's secrets are taken out, whoever's words they are in."""
    from postroom.channels.email_router.events import Redactor
    from postroom.model.text import one_line
    from postroom.providers.configuration.settings import Isolation
    from postroom.providers.contract import ProviderEnv
    from postroom.providers.process import ProcessProvider, isolated
    from postroom.providers.state import initial
    from postroom.testing.fake_gateway import make_context

    redact = Redactor.of(entry.config)
    provider = None
    try:
        kind = providers.find(entry)
        if entry.settings.isolation is Isolation.PROCESS and not issubclass(kind, ProcessProvider):
            kind = isolated(kind)
        provider = kind(entry.config, ProviderEnv(entry.identity, "", ""))
        timeout = entry.settings.connection_timeout.seconds
        context = make_context(initial(entry.provider.state), net=connector, clock=SystemClock(), timeout=timeout)
        return True, one_line(redact(provider.check(context).detail), 500)
    except (Exception, SystemExit) as error:  # a test runs foreign code: whatever it does is that provider's answer
        from postroom.channels.email_router.outcomes import told

        return False, one_line(redact(told(error)), 500)
    finally:
        if provider is not None:
            try:
                provider.close()
            except (Exception, SystemExit):  # told by the conformance kit; the test's answer stands
                provider = None


def _answer(
    file: RouterFile, entry: ProviderEntry, organizations: dict[str, Organization] | None, passed: bool, detail: str
) -> dict[str, Any]:
    from postroom.channels.email_router.placing import places
    from postroom.cli.router_places import obstacles

    mine = [one for one in places(file, list(organizations or {})) if one.entry is entry]
    organization, result = mine[0].organization, "ok" if passed else "failed"
    if organizations is not None:
        against: dict[str, None] = {}
        for one in mine:
            try:
                against[obstacles(one, organizations)] = None
            except PostroomError as error:
                against[str(error)] = None
        told = [one for one in against if one]
        if told and passed:
            result = "failed" if any(one.trouble for one in mine) else "not served"
        if told:
            detail = "; ".join([*([detail] if detail else []), *told])
    return {
        "line": entry.line,
        "name": mine[0].name,
        "provider": entry.provider.name,
        "organization": organization,
        "identity": entry.identity,
        "result": result,
        "detail": detail or "it works",
    }
