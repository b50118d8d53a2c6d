"""OrgDbOrgSettings: the switch bag of the organization row (server-side-sync reference 1.5).

The column holds XML: `<OrgSettings><TrackCategorizedItems>true</TrackCategorizedItems></OrgSettings>`. What is not in it has its published
default; where none is published, ours is off. Switches that nothing reads yet are kept in the column and ignored.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import lru_cache
from typing import Any
from xml.etree import ElementTree

from postroom.errors import InvalidValue, RecordNotFound
from postroom.model import Organization as OrganizationRecord
from postroom.rules.acceptance import AcceptancePolicy
from postroom.rules.correlation import CorrelationPolicy
from postroom.rules.resolution import ResolutionPolicy
from postroom.rules.tracking_token import TokenLayout, prefixes_of
from postroom.store import Transaction

__all__ = ["Policies", "Switches", "parse_switches", "policies_of", "settings_in"]

XML_LIMIT = 65_536


@dataclass(frozen=True, slots=True)
class Switches:
    """Published names in lower case."""

    autocreatecontactonpromote: bool = True
    usefilteringmethodofsyncingmailboxonlyforcorrelation: bool = False
    sssforcefilteringmethodforusermailboxes: bool = False
    ignoreconversationindexandinreplytoforcorrelation: bool = False
    ignoreinternalemaildetectionenhancement: bool = True
    donotignoreinternalemailtoqueues: bool = True
    ignoreinternalemailfromqueues: bool = False
    maximumsubjectlengthonmailserver: int = 255
    resolveforinactiveentities: bool = False
    unresolvesenderincaseofmultiplematch: bool = False
    createqueueitemforsynchronizingmailbox: bool = False
    createqueueitemsforacceptingqueuerecipients: bool = True
    ssscreateadditionalqueueitemsforalreadytrackedemail: bool = False


_TRUE = frozenset({"true", "1", "yes"})
_FALSE = frozenset({"false", "0", "no", ""})


@lru_cache(maxsize=64)
def parse_switches(text: str | None) -> Switches:
    """Raises InvalidValue. No DTD and no entities: a `<!` is refused."""
    if not text or not text.strip():
        return Switches()
    if len(text) > XML_LIMIT or "<!" in text:
        raise InvalidValue(f"orgdborgsettings: at most {XML_LIMIT} characters of XML without a DTD")
    try:
        root = ElementTree.fromstring(text)  # noqa: S314 - no DTD can get here, so no entity can either
    except ElementTree.ParseError as problem:
        raise InvalidValue(f"orgdborgsettings: {problem}") from None
    given = {child.tag.lower(): (child.text or "").strip().lower() for child in root}
    known = {field.name: field for field in fields(Switches)}
    values: dict[str, Any] = {name: _value(name, value) for name, value in given.items() if name in known}
    return Switches(**values)


def _value(name: str, value: str) -> bool | int:
    if name == "maximumsubjectlengthonmailserver":
        if value.isascii() and value.isdecimal() and 0 < int(value[:9]) <= 998:
            return int(value)
        raise InvalidValue(f"orgdborgsettings: {name} must be 1..998, not {value[:40]!r}")
    if value in _TRUE or value in _FALSE:
        return value in _TRUE
    raise InvalidValue(f"orgdborgsettings: {name} must be true or false, not {value[:40]!r}")


def settings_in(tx: Transaction) -> OrganizationRecord:
    """The organization row. Raises RecordNotFound when the database holds no organization."""
    found = tx.first(OrganizationRecord)
    if found is None:
        raise RecordNotFound("the database holds no organization")
    return found


@dataclass(frozen=True, slots=True)
class Policies:
    """What the organization's settings mean to each rule."""

    switches: Switches
    acceptance: AcceptancePolicy
    resolution: ResolutionPolicy
    correlation: CorrelationPolicy
    token: TokenLayout


def policies_of(settings: OrganizationRecord) -> Policies:
    switches = parse_switches(settings.orgdborgsettings)
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
        ),
        token,
    )
