"""GetServiceConfiguration (ews reference 4): what the server does of mail tips, unified messaging, rules of protection and nudges."""

from __future__ import annotations

from collections.abc import Callable

from postroom_simulator.ews.call import Call, Value, success
from postroom_simulator.ews.people.book import account_of
from postroom_simulator.ews.people.tips import LIMIT


def handle(call: Call, request: Value) -> Value:
    if request.get("ActingAs") is not None:
        account_of(call, request["ActingAs"])
    names = " ".join(request["RequestedConfiguration"]["ConfigurationName"]).split()
    messages = [success(**_MAKERS[name](call)) for name in dict.fromkeys(names)]
    return success(ResponseMessages={"ServiceConfigurationResponseMessageType": messages} if messages else None)


def _domains(call: Call) -> Value:
    names = {account.address.rpartition("@")[2].lower() for account in call.world.directory.accounts()}
    return {"Domain": [{"@Name": name, "@IncludeSubdomains": False} for name in sorted(names)]}


def _mail_tips(call: Call) -> Value:
    """Sizes in octets; from 25 recipients on an audience counts as large, as real servers have it by default."""
    size = call.world.smtp.settings.max_octets
    return {
        "MailTipsConfiguration": {
            "MailTipsEnabled": True,
            "MaxRecipientsPerGetMailTipsRequest": LIMIT,
            "MaxMessageSize": min(size, 2**31 - 1),
            "LargeAudienceThreshold": 25,
            "ShowExternalRecipientCount": True,
            "InternalDomains": _domains(call),
            "PolicyTipsEnabled": False,
            "LargeAudienceCap": 1000,
        }
    }


def _unified_messaging(_: Call) -> Value:
    return {"UnifiedMessagingConfiguration": {"UmEnabled": False, "PlayOnPhoneDialString": "", "PlayOnPhoneEnabled": False}}


def _protection(call: Call) -> Value:
    return {"ProtectionRulesConfiguration": {"@RefreshInterval": 24, "Rules": {}, "InternalDomains": _domains(call)}}


_MAKERS: dict[str, Callable[[Call], Value]] = {
    "MailTips": _mail_tips,
    "UnifiedMessagingConfiguration": _unified_messaging,
    "ProtectionRules": _protection,
    "PolicyNudges": lambda _: {},
}
