"""How explanations look: the reason, what was looked at, the settings, and the command that would change each."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from postroom.cli.finding import labels
from postroom.cli.show import as_json, fields, in_words
from postroom.model import Lookup
from postroom.model.settings import OrgDbOrgSettings

if TYPE_CHECKING:
    from postroom.cli.desk import Desk
    from postroom.model import Mailbox
    from postroom.organization.explain import MailExplanation, SettingNow, Skipped

__all__ = ["command_for", "shown_mail", "shown_skipped"]

_GROUPS = {"usersettings": "user", "queue": "queue", "mailbox": "mailbox", "emailserverprofile": "profile"}


def command_for(setting: SettingNow) -> str:
    """The command that gives the setting the value that would change the outcome; "" where there is no such value."""
    if setting.wanted is None:
        return ""
    value = as_json(setting.wanted)
    text = f"{setting.name}={str(value).lower() if isinstance(value, bool) else value}"
    if setting.entity in _GROUPS:
        return f"postroom {_GROUPS[setting.entity]} set {setting.record} {shlex.quote(text)}"
    return f"postroom settings set {shlex.quote(text)}"


def _full_name(setting: SettingNow) -> str:
    if setting.entity == "orgdborgsettings":
        return str(OrgDbOrgSettings.__dataclass_fields__[setting.name].metadata["published"])
    return f"{setting.entity}.{setting.name}" + (f" of {setting.label}" if setting.label else "")


def setting_document(setting: SettingNow) -> dict[str, Any]:
    return {
        "setting": _full_name(setting),
        "entity": setting.entity,
        "id": setting.record or None,
        "attribute": setting.name,
        "value": setting.value,
        "would_change_it": setting.wanted,
        "effect": setting.effect,
        "command": command_for(setting) or None,
    }


def _say_settings(desk: Desk, settings: Sequence[SettingNow], indent: str) -> None:
    references = {one.value for one in settings if isinstance(one.value, Lookup)}
    names = labels(desk.organization, references)
    for one in settings:
        effect = f"   ({one.effect})" if one.effect else ""
        desk.say(f"{indent}{_full_name(one)} = {in_words(one.value, names) or 'empty'}{effect}")
        if command := command_for(one):
            desk.say(f"{indent}    {command}")


def shown_mail(desk: Desk, explanations: Sequence[MailExplanation]) -> None:
    """{"items": [...]} or, for each message, a paragraph."""
    if desk.common.json:
        desk.document({"items": [_mail_document(one) for one in explanations]})
        return
    for number, one in enumerate(explanations):
        if number:
            desk.say("\n")
        row = one.row
        desk.say(f"#{row.number}  {row.subject or '(no subject)'}  {row.message_id}")
        desk.say(f"  in {row.address or row.mailbox_id}, {row.at:%Y-%m-%d %H:%M:%S} UTC")
        desk.say(f"  {one.text}")
        desk.say(f"  rule: {one.rule}")
        desk.say("  what it saw")
        fields(one.saw, indent="    ")
        if one.now:
            desk.say(f"  today: {one.now}")
        if one.settings:
            desk.say("  settings that bear on it, as they are now")
            _say_settings(desk, one.settings, "    ")


def _mail_document(one: MailExplanation) -> dict[str, Any]:
    row = one.row
    return {
        "number": row.number,
        "mailbox": row.mailbox_id,
        "address": row.address,
        "message_id": row.message_id,
        "subject": row.subject,
        "disposition": row.disposition,
        "reason": row.reason,
        "detail": row.detail,
        "text": one.text,
        "rule": one.rule,
        "saw": one.saw,
        "today": one.now or None,
        "settings": [setting_document(setting) for setting in one.settings],
    }


def shown_skipped(desk: Desk, box: Mailbox, found: Mapping[str, Sequence[Skipped]]) -> None:
    """One document, or a paragraph for each direction."""
    if desk.common.json:
        desk.document(
            {
                "mailbox": box.mailboxid,
                "name": box.emailaddress or box.name,
                "operations": {
                    operation: {
                        "processed": not reasons,
                        "reasons": [
                            {
                                "code": one.code,
                                "text": one.text,
                                "until": one.until,
                                "remedy": one.remedy,
                                "settings": [setting_document(setting) for setting in one.settings],
                            }
                            for one in reasons
                        ],
                    }
                    for operation, reasons in found.items()
                },
            }
        )
        return
    desk.say(f"mailbox {box.emailaddress or box.name}")
    for operation, reasons in found.items():
        if not reasons:
            desk.say(f"  {operation}: nothing speaks against it; it is processed when it is due")
            continue
        desk.say(f"  {operation}: skipped")
        for one in reasons:
            desk.say(f"    {one.text}" + (f": {one.remedy}" if one.remedy else ""))
            _say_settings(desk, one.settings, "      ")
    if box.lastsyncerror:
        desk.say(f"  last error, {in_words(box.lastsyncerroroccurredon)} UTC: {box.lastsyncerror}")
