"""What the organization's settings mean to each rule (server-side-sync reference 1.5)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from postroom.errors import RecordNotFound
from postroom.model import Organization as OrganizationRecord
from postroom.model.attachments import extensions_of
from postroom.model.settings import OrgDbOrgSettings
from postroom.rules.acceptance import AcceptancePolicy
from postroom.rules.attachments import AttachmentPolicy
from postroom.rules.correlation import CorrelationPolicy
from postroom.rules.resolution import ResolutionPolicy
from postroom.rules.smart_matching import HashPolicy
from postroom.rules.tracking_token import TokenLayout, prefixes_of
from postroom.store import Transaction

__all__ = ["Policies", "policies_of", "settings_in", "switches_of"]

switches_of = lru_cache(maxsize=64)(OrgDbOrgSettings.from_xml)
"""`organization.orgdborgsettings`, read; each text once."""


def settings_in(tx: Transaction) -> OrganizationRecord:
    """The organization row. Raises RecordNotFound when the database holds no organization."""
    found = tx.first(OrganizationRecord)
    if found is None:
        raise RecordNotFound("the database holds no organization")
    return found


@dataclass(frozen=True, slots=True)
class Policies:
    """What the organization's settings mean to each rule."""

    switches: OrgDbOrgSettings
    acceptance: AcceptancePolicy
    resolution: ResolutionPolicy
    correlation: CorrelationPolicy
    token: TokenLayout
    hashes: HashPolicy
    attachments: AttachmentPolicy


def policies_of(settings: OrganizationRecord) -> Policies:
    switches = switches_of(settings.orgdborgsettings)
    limit = settings.maximumtrackingnumber or 999
    token = TokenLayout(
        prefixes=prefixes_of(settings.trackingprefix),
        base=settings.trackingtokenidbase,
        user_digits=settings.trackingtokeniddigits,
        counter_digits=min(9, len(str(limit))),
        counter_limit=limit,
    )
    return Policies(
        switches,
        AcceptancePolicy(
            ignore_internal=settings.ignoreinternalemail,
            ignore_internal_to_queues=not switches.donotignoreinternalemailtoqueues,
            internal_enhancement=switches.ignoreinternalemaildetectionenhancement,
            ignore_internal_from_queues=switches.ignoreinternalemailfromqueues,
            only_synchronizing_filter=switches.usefilteringmethodofsyncingmailboxonlyforcorrelation
            or switches.sssforcefilteringmethodforusermailboxes,
        ),
        ResolutionPolicy(
            unresolve_sender_on_multiple=switches.unresolvesenderincaseofmultiplematch,
            unresolve_recipients_on_multiple=settings.unresolveemailaddressifmultiplematch,
            ignore_inactive=switches.resolveforinactiveentities,
        ),
        CorrelationPolicy(
            headers=settings.emailcorrelationenabled and not switches.ignoreconversationindexandinreplytoforcorrelation,
            token=bool(token.prefixes),
            smart=settings.enablesmartmatching,
            x_header=settings.emailcorrelationenabled and switches.postroomusexheaderforcorrelation,
            references=switches.postroomusereferencesforcorrelation,
        ),
        token,
        HashPolicy(
            settings.hashfilterkeywords or "",
            settings.hashmaxcount,
            settings.hashdeltasubjectcount,
            settings.hashminaddresscount,
        ),
        AttachmentPolicy(settings.maxuploadfilesize, extensions_of(settings.blockedattachments)),
    )
