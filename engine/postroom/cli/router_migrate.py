"""`postroom router migrate`: the plan from a router's files to server-side synchronization, shown and applied."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from postroom.cli.desk import Desk, UsageProblem
from postroom.cli.router_database import readable
from postroom.cli.texts import listed

if TYPE_CHECKING:
    from postroom.channels.email_router.migration import Done, MigrationPlan, RouterSource

__all__ = ["migrate_files"]


def migrate_files(desk: Desk, files: tuple[Path, Path | None, Path | None], crm_url: str, *, apply: bool, switch: bool) -> bool:
    """`files`: configuration, state, key. Whether the organization refused something. Raises UsageProblem."""
    from postroom.channels.email_router.migration import apply_migration, plan_migration, read_router, render, view_of

    for one in files:
        if one is not None:
            readable(one)
    source = read_router(*files)
    if not source.profiles:
        problems = [str(one) for one in source.problems] or ["it has no ProviderConfiguration"]
        raise UsageProblem(f"{files[0]}: {'; '.join(problems)}")
    organization = desk.organization
    source, wanted = _of_organization(source, desk.name, list(desk.file.organizations), crm_url)
    plan = plan_migration(source, view_of(organization), now=organization.clock.now(), crm_url=wanted)
    done = apply_migration(plan, organization, switch=switch) if apply else []
    refused = any(one.result == "refused" for one in done)
    if desk.common.json:
        desk.document(_document(plan, done, applied=apply))
        return refused
    desk.say(render(plan))
    if apply:
        from postroom.cli.show import table

        desk.say("")
        table(("what", "result", "detail"), [(one.what, one.result, one.detail) for one in done])
    else:
        desk.say("\nnothing was written; --apply writes it")
    return refused


def _of_organization(source: RouterSource, name: str, organizations: list[str], crm_url: str) -> tuple[RouterSource, str]:
    """The providers of this organization carry no URL then, those of others theirs; and the URL to plan with. The service's rule says whose an entry
    is (`rules.router_serving`); `crm_url` is another word for the organization. Raises UsageProblem."""
    from postroom.rules.router_serving import organization_of

    said = crm_url.rstrip("/").casefold()
    urls = list(dict.fromkeys(one.crm_url for one in source.profiles if one.crm_url))
    mine = {url for url in urls if organization_of(url, organizations) == name or url.rstrip("/").casefold() == said}
    others = [url for url in urls if url not in mine]
    if crm_url and not any(url.rstrip("/").casefold() == said for url in urls):
        raise UsageProblem(f"--crm-url: no provider of the file has it; they have {listed(urls, 'and') or 'none'}")
    if urls and not mine:
        if len(urls) == 1 and len(organizations) == 1:  # a router for the one organization that there is
            mine, others = set(urls), []
        else:
            raise UsageProblem(
                f"no CrmServerUrl of the file names the organization {name!r}: say with --crm-url which one it is: {listed(urls)}"
            )
    profiles = tuple(replace(one, crm_url="") if one.crm_url in mine else one for one in source.profiles)
    return replace(source, profiles=profiles), name if others else ""


def _document(plan: MigrationPlan, done: list[Done], *, applied: bool) -> dict[str, Any]:
    """Without the passwords, which the plan keeps apart."""
    return {
        "organization": plan.organization,
        "applied": applied,
        "custom": [{"name": one.title, "class": one.class_name, "assembly": one.assembly} for one in plan.custom],
        "providers": [
            {
                "name": one.title,
                "class": one.class_name,
                "line": one.line,
                "direction": str(one.direction),
                "protocol": str(one.protocol),
                "becomes": outcome,
                "to_do": todo,
            }
            for one, outcome, todo in plan.outcomes
        ],
        "profiles": [
            {
                "name": one.name,
                "kind": str(one.merged),
                "incoming": one.incoming,
                "outgoing": one.outgoing,
                "values": one.values,
            }
            for one in plan.profiles
        ],
        "mailboxes": [
            {
                "title": one.title,
                "address": one.address,
                "profile": one.profile or None,
                "values": one.values,
                "mail_since": one.threshold,
                "why_not": one.why or None,
                "to_do": [*([one.todo] if one.todo else []), *one.notes],
            }
            for one in plan.mailboxes
        ],
        "notes": plan.notes,
        "done": [{"what": one.what, "result": one.result, "detail": one.detail} for one in done],
    }
