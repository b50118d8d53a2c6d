"""A router's file against a deployment: its instances, the organizations that they are for, and what keeps a mailbox from being served."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from postroom.cli.desk import Desk
from postroom.errors import ConfigError, RecordNotFound

if TYPE_CHECKING:
    from postroom.channels.email_router.placing import Place
    from postroom.organization import Organization
    from postroom.providers.configuration import RouterFile
    from postroom.providers.configuration.problems import Problem

__all__ = ["BadFile", "obstacles", "open_organizations", "read_file"]


class BadFile(ConfigError):
    """The router's file cannot be used. `problems`: all of them, by line."""

    def __init__(self, path: Path, problems: list[Problem]) -> None:
        errors = [one for one in problems if one.error]
        self.problems = [str(one) if one.path == str(path) else f"{path}: {one}" for one in errors]
        super().__init__("; ".join(self.problems))


def read_file(path: Path) -> RouterFile:
    """As a router reads it: an entry whose provider cannot be used is in `broken`. Raises BadFile."""
    from postroom.channels.email_router.placing import Providers
    from postroom.cli.provider import registry_here
    from postroom.providers.configuration import validate

    file, problems = validate(path, resolve=Providers(registry_here()).resolve, lenient=True)
    if file is None:
        raise BadFile(path, problems)
    return file


def open_organizations(desk: Desk) -> dict[str, Organization]:
    """All of the deployment: which of them an entry means is told by its CrmServerUrl. Raises StoreError, DeploymentFileError."""
    from postroom.cli.desk import UsageProblem, check_address

    if not desk.file.organizations:
        raise UsageProblem(f"{desk.file.path} has no organizations; make one with `postroom org create NAME`")
    found = {}
    for name, url in desk.file.organizations.items():
        check_address(url, name)
        found[name] = desk.deployment.open_organization(name, url)
    return found


def obstacles(place: Place, organizations: Mapping[str, Organization]) -> str:
    """Why the router serves nobody there at present; "" when nothing speaks against it. Reads only."""
    from postroom.organization import router_service
    from postroom.providers.contract import Direction

    if place.trouble or place.entry is None:
        return place.trouble
    organization = organizations[place.organization]
    if reasons := router_service.channel(organization):
        return (
            "; ".join(one.text for one in reasons)
            + f": postroom settings set emailconnectionchannel=1 --org {place.organization} changes that"
        )
    if place.owners:
        boxes = list(router_service.mailboxes_of(organization, place.owners).values())
        nobody = "none of its users and queues has a mailbox"
    elif place.entry.direction is Direction.OUTBOUND:
        boxes, nobody = router_service.senders(organization), "no mailbox has its outgoing email sent by the router"
    else:
        known = router_service.find_mailbox(organization, place.address)
        boxes, nobody = [known] if known is not None else [], f"no mailbox has the address {place.address}"
    if not boxes:
        return nobody
    told = [_obstacles_of(place, organization, box) for box in boxes]
    if all(told):
        return told[0] if len(told) == 1 else f"none of {len(told)} mailboxes is served: {told[0]}"
    return ""


def _obstacles_of(place: Place, organization: Organization, mailbox_id: str) -> str:
    from postroom.model import Mailbox
    from postroom.organization.policies import settings_in
    from postroom.rules.router_serving import explain_routed

    assert place.entry is not None
    forward = place.entry.settings.is_forward_mailbox
    with organization.store.reading() as tx:
        try:
            mailbox = tx.get(Mailbox, mailbox_id)
        except RecordNotFound:
            return "its mailbox is not there any more"
        reasons = explain_routed(place.operation, mailbox, settings_in(tx), forward=forward)
    return "; ".join(one.text for one in reasons)
