"""Every published setting that touches email has an effect: somebody outside the model reads it, or it is named here with the reason why not."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Any

import pytest

import postroom
from postroom.model import Organization
from postroom.model.deployment import DeploymentSettings
from postroom.model.settings import OrgDbOrgSettings

ROOT = Path(postroom.__file__).parent
EXCHANGE = "only an Exchange server can do it"
ACT = "appointments, contacts and tasks, which are Exchange's"
FOLDERS = "folder-level tracking, which is Exchange's"

NOT_READ = {
    "autotracksentfolderitems": EXCHANGE,
    "trackcategorizeditems": EXCHANGE,
    "ssssaveoutgoingemailtoexchangesentfolder": EXCHANGE,
    "restrictirmemailitems": EXCHANGE,
    "usexanchormailboxinexchangerequestheader": EXCHANGE,
    "ssspropagateappointmentcancellationstoexchange": ACT,
    "sssupdatepastmeetingsinnondraftmode": ACT,
    "distinctphysicalandlogicaldeletesforexchangesync": ACT,
    "ignorecopieditemsinsssformailbox": ACT,
    "trackappointmentsfromnonorganizer": ACT,
    "usecrmorganizerforemptyexchangeorganizer": ACT,
    "allowsaveasdraftappointment": ACT,
    "incoming_email_exchange_email_retrieval_batch_size": EXCHANGE,
    "incomingemailexchangeemailretrievalbatchsize": EXCHANGE,
    "maximum_synchronization_attempts_for_act": ACT,
    "email_router_migration_max_parallel_runs": "of the migration wizard",
    "isfolderbasedtrackingenabled": FOLDERS,
    "maxfolderbasedtrackingmappings": FOLDERS,
    "isappointmentattachmentsyncenabled": ACT,
    "iscontactmailingaddresssyncenabled": ACT,
    "isassignedtaskssyncenabled": ACT,
    "isdelegateaccessenabled": ACT,
    "isemailserverprofilecontentfilteringenabled": "its meaning is not published",
    "maxverboseloggingmailbox": "read-only, of the product's own logging",
    "maxverboseloggingsynccycles": "read-only, of the product's own logging",
    "emailsendpollingperiod": "of the Outlook client",
}
RECORD = {"organizationid", "name", "createdon", "modifiedon", "description"}


@pytest.fixture(scope="module")
def texts() -> str:
    """The engine's own code, without the model, the migrations and the commands that only show settings."""
    aside = ("model", "migrations", "cli", "testing")
    return "\n".join(
        path.read_text("utf-8") for path in sorted(ROOT.rglob("*.py")) if not set(path.relative_to(ROOT).parts) & set(aside)
    )


def settings_of(cls: type[Any]) -> list[str]:
    return [field.name for field in dataclasses.fields(cls) if field.name not in RECORD]


@pytest.mark.parametrize("cls", [OrgDbOrgSettings, DeploymentSettings, Organization], ids=lambda cls: cls.__name__)
def test_every_setting_is_read_or_has_a_reason(cls: type[Any], texts: str) -> None:
    unread = [name for name in settings_of(cls) if not re.search(rf"""[.\"']{name}\b""", texts)]
    assert [name for name in unread if name not in NOT_READ] == []


def test_no_reason_is_given_for_what_is_read(texts: str) -> None:
    known = {name for cls in (OrgDbOrgSettings, DeploymentSettings, Organization) for name in settings_of(cls)}
    assert set(NOT_READ) <= known
    assert [name for name in NOT_READ if re.search(rf"""[.\"']{name}\b""", texts)] == []
