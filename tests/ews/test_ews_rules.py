"""Inbox rules: read, changed, and what they do to mail that comes (ews reference 15)."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import pytest
from folders_scene import ANN, BOB, Asker, additional, ann, by_id, clock_of, mail, named, tag, world

from postroom_simulator import World
from postroom_simulator.directory import Rule
from postroom_simulator.ews.schema import type_named
from postroom_simulator.rule_conditions import Conditions, fulfils
from postroom_simulator.rules import Letter, judge
from postroom_simulator.store.interface import Item, Role

__all__ = ["ann", "world"]
Value = dict[str, Any]
GET = "<GetInboxRules/>"


def strings(name: str, *texts: str) -> str:
    return f"<t:{name}>{''.join(f'<t:String>{one}</t:String>' for one in texts)}</t:{name}>"


def people(name: str, *addresses: str) -> str:
    inner = "".join(f"<t:Address><t:EmailAddress>{one}</t:EmailAddress></t:Address>" for one in addresses)
    return f"<t:{name}>{inner}</t:{name}>"


def rule(
    conditions: str = "",
    actions: str = "<t:MarkAsRead>true</t:MarkAsRead>",
    *,
    exceptions: str = "",
    name: str = "rule",
    priority: int = 1,
    one: str = "",
    enabled: str = "true",
) -> str:
    ident = f"<t:RuleId>{one}</t:RuleId>" if one else ""
    return (
        f"<t:Rule>{ident}<t:DisplayName>{name}</t:DisplayName><t:Priority>{priority}</t:Priority>"
        f"<t:IsEnabled>{enabled}</t:IsEnabled><t:Conditions>{conditions}</t:Conditions>"
        f"<t:Exceptions>{exceptions}</t:Exceptions><t:Actions>{actions}</t:Actions></t:Rule>"
    )


def operations(*inner: str) -> str:
    return f"<UpdateInboxRules><RemoveOutlookRuleBlob>true</RemoveOutlookRuleBlob><Operations>{''.join(inner)}</Operations></UpdateInboxRules>"


def create(*inner: str) -> str:
    return operations(*(f"<t:CreateRuleOperation>{one}</t:CreateRuleOperation>" for one in inner))


def remove(one: str) -> str:
    return f"<t:DeleteRuleOperation><t:RuleId>{one}</t:RuleId></t:DeleteRuleOperation>"


def replaced(inner: str) -> str:
    return f"<t:SetRuleOperation>{inner}</t:SetRuleOperation>"


def rules(asker: Asker) -> list[Value]:
    answer = asker.ask(GET)
    assert answer["ResponseCode"] == "NoError"
    return list((answer.get("InboxRules") or {}).get("Rule", ()))


def items(world: World, role: Role = Role.INBOX, account: str = ANN) -> list[Item]:
    return list(world.store.items(world.store.folder(account, role).uid))


# -- reading and changing


def test_no_rules_and_then_some(ann: Asker) -> None:
    assert rules(ann) == []
    conditions = (
        strings("ContainsSubjectStrings", "a", "b")
        + people("FromAddresses", "x@out.test")
        + (
            "<t:Importance>High</t:Importance><t:SentToMe>true</t:SentToMe><t:WithinSizeRange><t:MinimumSize>1</t:MinimumSize>"
            "<t:MaximumSize>5</t:MaximumSize></t:WithinSizeRange>"
        )
    )
    actions = f"<t:MoveToFolder>{named('junkemail')}</t:MoveToFolder><t:StopProcessingRules>true</t:StopProcessingRules>"
    assert ann.code(create(rule(conditions, actions, exceptions="<t:IsNDR>true</t:IsNDR>"))) == "NoError"
    (found,) = rules(ann)
    assert (found["DisplayName"], found["Priority"], found["IsEnabled"], found["IsInError"]) == ("rule", 1, True, False)
    assert found["RuleId"]
    asked = found["Conditions"]
    assert asked["ContainsSubjectStrings"] == {"String": ["a", "b"]}
    assert asked["FromAddresses"]["Address"][0]["EmailAddress"] == "x@out.test"
    assert (asked["Importance"], asked["SentToMe"]) == ("High", True)
    assert asked["WithinSizeRange"] == {"MinimumSize": 1, "MaximumSize": 5}
    assert found["Exceptions"] == {"IsNDR": True}
    assert found["Actions"]["MoveToFolder"]["FolderId"]["@Id"] == ann.folder(named("junkemail"))[1]["FolderId"]["@Id"]
    assert found["Actions"]["StopProcessingRules"] is True


def test_elements_may_come_in_any_order(ann: Asker) -> None:
    late = "<t:IsEnabled>true</t:IsEnabled>"
    given = rule().replace(late, "").replace("</t:Actions>", f"</t:Actions>{late}")
    assert ann.code(create(given)) == "NoError"


def test_a_rule_is_changed_and_deleted_by_its_id(ann: Asker) -> None:
    ann.ask(create(rule(name="one"), rule(name="two", priority=2)))
    first, second = rules(ann)
    assert (
        ann.code(operations(replaced(rule(name="ONE", one=first["RuleId"], enabled="false")), remove(second["RuleId"])))
        == "NoError"
    )
    (left,) = rules(ann)
    assert (left["DisplayName"], left["IsEnabled"], left["RuleId"]) == ("ONE", False, first["RuleId"])


def test_a_new_rule_takes_its_place_among_the_others(ann: Asker) -> None:
    ann.ask(create(rule(name="one"), rule(name="two", priority=2)))
    ann.ask(create(rule(name="between", priority=2)))
    assert [(one["DisplayName"], one["Priority"]) for one in rules(ann)] == [("one", 1), ("between", 2), ("two", 3)]


def test_rules_of_the_world_are_shown(world: World, ann: Asker) -> None:
    account = world.directory.account(ANN)
    account.rules.append(Rule("forward", from_contains="xenia", forward_as_attachment_to=("queue@crm.test",)))
    account.rules.append(Rule("file", subject_contains="invoice", move_to="Invoices", stop=True))
    first, second = rules(ann)
    assert first["Conditions"] == {"ContainsSenderStrings": {"String": ["xenia"]}}
    assert first["Actions"]["ForwardAsAttachmentToRecipients"]["Address"][0]["EmailAddress"] == "queue@crm.test"
    assert (second["Priority"], second["Actions"]["StopProcessingRules"]) == (2, True)
    assert [one["RuleId"] for one in rules(ann)] == [first["RuleId"], second["RuleId"]]


def test_a_rule_whose_folder_is_gone_is_in_error(ann: Asker) -> None:
    made = ann.make("here")
    ann.ask(create(rule(actions=f"<t:MoveToFolder>{by_id(made)}</t:MoveToFolder>")))
    ann.one(f'<DeleteFolder DeleteType="HardDelete"><FolderIds>{by_id(made)}</FolderIds></DeleteFolder>')
    assert rules(ann)[0]["IsInError"] is True


def test_whose_rules(ann: Asker) -> None:
    asked = "<GetInboxRules><MailboxSmtpAddress>{}</MailboxSmtpAddress></GetInboxRules>"
    assert ann.code(asked.format(ANN)) == "NoError"
    assert ann.code(asked.format(BOB)) == "ErrorAccessDenied"
    assert ann.code(asked.format("nobody@sim.test")) == "ErrorNonExistentMailbox"
    assert ann.code(GET, version="Exchange2010") == "ErrorIncorrectSchemaVersion"


# -- what is wrong with a rule


@pytest.mark.parametrize(
    ("given", "field", "code"),
    [
        (rule(name=""), "DisplayName", "EmptyValueFound"),
        (rule(name="x" * 300), "DisplayName", "StringValueTooBig"),
        (rule(priority=0), "Priority", "InvalidValue"),
        (rule(one="AAAA"), "RuleId", "CreateWithRuleId"),
        (rule(actions=""), "Actions", "MissingAction"),
        (
            rule().replace("<t:Conditions>", "<t:IsNotSupported>true</t:IsNotSupported><t:Conditions>"),
            "IsNotSupported",
            "NotSettable",
        ),
        (rule(strings("ContainsBodyStrings")), "Condition:ContainsBodyStrings", "EmptyValueFound"),
        (rule(strings("Categories", "")), "Condition:Categories", "EmptyValueFound"),
        (rule(exceptions=people("FromAddresses", "nobody")), "Exception:FromAddresses", "InvalidAddress"),
        (rule(actions=people("ForwardToRecipients", "no body@x")), "Action:ForwardToRecipients", "InvalidAddress"),
        (rule("<t:WithinSizeRange/>"), "Condition:WithinSizeRange", "MissingRangeValue"),
        (
            rule("<t:WithinSizeRange><t:MinimumSize>-1</t:MinimumSize></t:WithinSizeRange>"),
            "Condition:WithinSizeRange",
            "SizeLessThanZero",
        ),
        (
            rule("<t:WithinSizeRange><t:MinimumSize>2</t:MinimumSize><t:MaximumSize>1</t:MaximumSize></t:WithinSizeRange>"),
            "Condition:WithinSizeRange",
            "InvalidSizeRange",
        ),
        (
            rule(
                "<t:WithinDateRange><t:StartDateTime>2026-02-01T00:00:00Z</t:StartDateTime>"
                "<t:EndDateTime>2026-01-01T00:00:00Z</t:EndDateTime></t:WithinDateRange>"
            ),
            "Condition:WithinDateRange",
            "InvalidDateRange",
        ),
        (rule(strings("FromConnectedAccounts", "x")), "Condition:FromConnectedAccounts", "ConnectedAccountNotFound"),
        (rule(strings("MessageClassifications", "x")), "Condition:MessageClassifications", "MessageClassificationNotFound"),
        (rule(actions=f"<t:MoveToFolder>{by_id('x')}</t:MoveToFolder>"), "Action:MoveToFolder", "InvalidFolderId"),
        (rule(actions=f"<t:CopyToFolder>{named('archiveroot')}</t:CopyToFolder>"), "Action:CopyToFolder", "FolderDoesNotExist"),
        (rule(actions=people("SendSMSAlertToRecipients", "x@y.test")), "Action:SendSMSAlertToRecipients", "InvalidAddress"),
        (rule(actions=people("SendSMSAlertToRecipients", "+4915112345")), "Action:SendSMSAlertToRecipients", "UnsupportedRule"),
        (
            rule(
                actions="<t:SendSMSAlertToRecipients><t:Address><t:EmailAddress>+4915112345</t:EmailAddress><t:RoutingType>SMTP</t:RoutingType>"
                "</t:Address></t:SendSMSAlertToRecipients>"
            ),
            "Action:SendSMSAlertToRecipients",
            "UnsupportedAddress",
        ),
        (
            rule(actions='<t:ServerReplyWithMessage Id="AAAA"/>'),
            "Action:ServerReplyWithMessage",
            "InvalidValue",
        ),
    ],
)
def test_validation(ann: Asker, given: str, field: str, code: str) -> None:
    answer = ann.ask(create(rule(name="good", priority=7), given))
    assert answer["ResponseCode"] == "ErrorInboxRulesValidationError"
    (problem,) = answer["RuleOperationErrors"]["RuleOperationError"]
    (error,) = problem["ValidationErrors"]["Error"]
    assert (problem["OperationIndex"], error["FieldURI"], error["ErrorCode"]) == (1, field, code)
    assert rules(ann) == []


def test_operations_that_are_none(ann: Asker) -> None:
    def problem(asked: str) -> str:
        (found,) = ann.ask(asked)["RuleOperationErrors"]["RuleOperationError"]
        return str(found["ValidationErrors"]["Error"][0]["ErrorCode"])

    assert problem(operations(remove("AAAA"))) == "RuleNotFound"
    assert problem(operations(replaced(rule(one="AAAA")))) == "RuleNotFound"
    assert problem(operations(replaced(rule()))) == "MissingParameter"
    assert problem(create(rule(), rule())) == "DuplicatedPriority"
    ann.ask(create(rule()))
    one = rules(ann)[0]["RuleId"]
    assert (
        problem(operations(replaced(rule(one=one)), replaced(rule(one=one, priority=5)))) == "DuplicatedOperationOnTheSameRule"
    )


# -- what rules do


@pytest.mark.parametrize(
    ("conditions", "octets", "holds"),
    [
        (Conditions(subject=("INVOICE", "bill")), mail("your invoice"), True),
        (Conditions(subject=("invoice",)), mail("hello"), False),
        (Conditions(body=("needle",)), mail("s", body="a Needle here"), True),
        (Conditions(subject_or_body=("needle",)), mail("needle"), True),
        (Conditions(header=("x-mailer: foo",)), mail("s", extra="X-Mailer: Foo\r\n"), True),
        (Conditions(sender=("xenia",)), mail("s"), True),
        (Conditions(recipient=("ann@",)), mail("s"), True),
        (Conditions(from_addresses=("X@out.test",)), mail("s"), True),
        (Conditions(from_addresses=("out.test",)), mail("s"), False),
        (Conditions(sent_to_addresses=(BOB,)), mail("s"), False),
        (Conditions(categories=("red",)), mail("s", extra="Keywords: blue, Red\r\n"), True),
        (Conditions(importance="High"), mail("s", extra="X-Priority: 1 (Highest)\r\n"), True),
        (Conditions(importance="Normal"), mail("s"), True),
        (Conditions(sensitivity="Private"), mail("s", extra="Sensitivity: Private\r\n"), True),
        (Conditions(flagged="FollowUp"), mail("s", extra="X-Message-Flag: Follow up\r\n"), True),
        (Conditions(flagged="Any"), mail("s"), False),
        (Conditions(has_attachments=True), mail("s"), False),
        (Conditions(is_signed=True), mail("s", extra='Content-Type: multipart/signed; boundary="x"\r\n'), True),
        (Conditions(is_encrypted=True), mail("s", extra="Content-Type: application/pkcs7-mime\r\n"), True),
        (Conditions(is_meeting_request=True), mail("s", extra="Content-Type: text/calendar; method=REQUEST\r\n"), True),
        (Conditions(is_meeting_response=True), mail("s", extra="Content-Type: text/calendar; method=REPLY\r\n"), True),
        (Conditions(is_ndr=True), mail("s", extra="Content-Type: multipart/report; report-type=delivery-status\r\n"), True),
        (
            Conditions(is_read_receipt=True),
            mail("s", extra="Content-Type: multipart/report; report-type=disposition-notification\r\n"),
            True,
        ),
        (Conditions(is_automatic_reply=True), mail("s", extra="Auto-Submitted: auto-replied\r\n"), True),
        (Conditions(is_automatic_forward=True), mail("s", extra="Auto-Submitted: auto-forwarded\r\n"), True),
        (Conditions(is_approval_request=True), mail("s"), False),
        (Conditions(is_voicemail=True), mail("s", extra="Content-Class: Voice-CA\r\n"), True),
        (Conditions(is_permission_controlled=True), mail("s", extra="Content-Class: rpmsg.message\r\n"), True),
        (Conditions(item_classes=("IPM.Note",)), mail("s"), True),
        (Conditions(item_classes=("REPORT",)), mail("s"), False),
        (Conditions(sent_to_me=True), mail("s"), True),
        (Conditions(sent_only_to_me=True), mail("s", to=f"{ANN}, {BOB}"), False),
        (Conditions(sent_cc_me=True), mail("s", to=BOB, extra=f"Cc: {ANN}\r\n"), True),
        (Conditions(sent_to_or_cc_me=True), mail("s", to=BOB, extra=f"Cc: {ANN}\r\n"), True),
        (Conditions(not_sent_to_me=True), mail("s", to=BOB), True),
        (Conditions(not_sent_to_me=True), mail("s"), False),
        (Conditions(size=(1, 10)), mail("s"), False),
        (Conditions(size=(None, 10_000)), mail("s"), True),
        (Conditions(subject=("s",), size=(None, 1)), mail("s"), False),
    ],
)
def test_conditions(world: World, conditions: Conditions, octets: bytes, holds: bool) -> None:
    account = world.directory.account(ANN)
    assert fulfils(Letter(octets), conditions, account, world.clock.now()) is holds
    if len(conditions.asked) == 1:  # of several exceptions one is enough
        rule = Rule("r", exceptions=conditions, mark_read=True)
        assert judge([rule], Letter(octets), account, world.clock.now()).read is not holds


def test_a_time_of_receipt(world: World) -> None:
    now = world.clock.now()
    account = world.directory.account(ANN)
    for received, holds in (((now, None), True), ((None, now), True), ((None, now.replace(year=2020)), False)):
        assert fulfils(Letter(mail("s")), Conditions(received=received), account, now) is holds


def test_every_condition_of_the_schema_has_its_part_or_says_that_it_has_none() -> None:
    from postroom_simulator.ews.inbox_rules import ADDRESSES, STRINGS, TRUTHS, UNSUPPORTED, WORDS

    known = {*STRINGS, *ADDRESSES, *WORDS, *TRUTHS, *UNSUPPORTED, "WithinDateRange", "WithinSizeRange"}
    assert known == set(type_named("RulePredicatesType").children)
    assert len(fields(Conditions)) == len(known) - len(UNSUPPORTED)


def test_actions_at_deposit(world: World, ann: Asker) -> None:
    made = ann.make("filed")
    actions = (
        strings("AssignCategories", "Red")
        + f"<t:CopyToFolder>{named('drafts')}</t:CopyToFolder><t:MarkImportance>High</t:MarkImportance>"
        + f"<t:MarkAsRead>true</t:MarkAsRead><t:MoveToFolder>{by_id(made)}</t:MoveToFolder>"
    )
    assert ann.code(create(rule(strings("ContainsSubjectStrings", "invoice"), actions))) == "NoError"
    world.deliver("x@out.test", [ANN], mail("invoice"))
    world.deliver("x@out.test", [ANN], mail("other"))
    assert len(items(world)) == 1
    assert len(items(world, Role.DRAFTS)) == 1
    filed = next(one for one in world.store.folders(ANN) if one.name == "filed")
    (item,) = world.store.items(filed.uid)
    assert item.read
    shape = "<ItemShape><t:BaseShape>AllProperties</t:BaseShape></ItemShape>"
    asked = f'<FindItem Traversal="Shallow">{shape}<ParentFolderIds>{by_id(made)}</ParentFolderIds></FindItem>'
    ((_, value),) = ann.one(asked)["RootFolder"]["Items"]
    assert (value["Importance"], value["Categories"]) == ("High", {"String": ["Red"]})


def test_deleting_for_good_leaves_nothing(world: World, ann: Asker) -> None:
    ann.ask(create(rule(strings("ContainsSubjectStrings", "spam"), "<t:PermanentDelete>true</t:PermanentDelete>")))
    world.deliver("x@out.test", [ANN], mail("spam"))
    assert [len(items(world, role)) for role in (Role.INBOX, Role.DELETED, Role.DELETIONS)] == [0, 0, 0]
    ann.ask(create(rule(strings("ContainsSubjectStrings", "junk"), "<t:Delete>true</t:Delete>", priority=2)))
    world.deliver("x@out.test", [ANN], mail("junk"))
    assert len(items(world, Role.DELETED)) == 1


def test_forwarding_as_attachment(world: World, ann: Asker) -> None:
    ann.ask(create(rule(actions=people("ForwardAsAttachmentToRecipients", BOB))))
    octets = mail("hello")
    world.deliver("x@out.test", [ANN], octets)
    (item,) = items(world, account=BOB)
    assert b"message/rfc822" in (got := world.store.octets(item.uid))
    assert b"Subject: hello" in got


def test_forwarding_and_redirecting(world: World, ann: Asker) -> None:
    """Reference 15: both at once, and the message stays; what is redirected keeps its From."""
    world.add_account("carl@sim.test", "pw", name="Carl")
    actions = people("ForwardToRecipients", BOB) + people("RedirectToRecipients", "carl@sim.test")
    assert ann.code(create(rule(strings("ContainsSubjectStrings", "pass on"), actions))) == "NoError"
    found = rules(ann)[0]["Actions"]
    assert found["ForwardToRecipients"]["Address"][0]["EmailAddress"] == BOB
    assert found["RedirectToRecipients"]["Address"][0]["EmailAddress"] == "carl@sim.test"
    world.deliver("x@out.test", [ANN], mail("pass on"))
    (forwarded,), (redirected,) = items(world, account=BOB), items(world, account="carl@sim.test")
    assert b"Subject: FW: pass on" in world.store.octets(forwarded.uid)
    octets = world.store.octets(redirected.uid)
    assert b"Resent-From: " in octets
    assert b"From: Xenia <x@out.test>" in octets
    assert len(items(world)) == 1


def test_exceptions_order_and_stop(world: World, ann: Asker) -> None:
    junk = f"<t:MoveToFolder>{named('junkemail')}</t:MoveToFolder>"
    stop = "<t:StopProcessingRules>true</t:StopProcessingRules>"
    ann.ask(
        create(
            rule(strings("ContainsSubjectStrings", "stop"), stop, priority=1, name="first"),
            rule(actions=junk, exceptions=strings("ContainsSubjectStrings", "but"), priority=2, name="second"),
        )
    )
    for subject in ("all", "all but", "stop"):
        world.deliver("x@out.test", [ANN], mail(subject))
        clock_of(world).advance(1)
    assert (len(items(world)), len(items(world, Role.JUNK))) == (2, 1)


def test_a_disabled_rule_does_nothing(world: World, ann: Asker) -> None:
    ann.ask(create(rule(actions="<t:Delete>true</t:Delete>", enabled="false")))
    world.deliver("x@out.test", [ANN], mail("hello"))
    assert len(items(world)) == 1


# -- answers (reference 15; MS-OXWSRULES 2.2.4: ServerReplyWithMessage)


def pattern(ann: Asker, inside: str = "") -> str:
    """The id of a message that a rule may answer with."""
    message = f'<t:Message><t:Subject>Thank you</t:Subject><t:Body BodyType="HTML">&lt;b&gt;We read you.&lt;/b&gt;</t:Body>{inside}</t:Message>'
    made = ann.one(f'<CreateItem MessageDisposition="SaveOnly"><Items>{message}</Items></CreateItem>')
    return str(made["Items"][0][1]["ItemId"]["@Id"])


def test_a_rule_answers_with_a_message(world: World, ann: Asker) -> None:
    one = pattern(ann)
    answer = rule(strings("ContainsSubjectStrings", "question"), f'<t:ServerReplyWithMessage Id="{one}"/>')
    assert ann.code(create(answer)) == "NoError"
    assert rules(ann)[0]["Actions"]["ServerReplyWithMessage"]["@Id"] == one
    world.deliver(BOB, [ANN], mail("a question", sender=f"Bob <{BOB}>", extra="Message-ID: <q@sim.test>\r\n"))
    (got,) = items(world, account=BOB)
    octets = world.store.octets(got.uid)
    for line in (
        b"Subject: Thank you\r\n",
        b"In-Reply-To: <q@sim.test>\r\n",
        b"Auto-Submitted: auto-replied\r\n",
        b"To: bob@sim.test\r\n",
    ):
        assert line in octets
    assert b"<b>We read you.</b>" in octets
    assert len(items(world)) == 1


def test_automatic_mail_is_not_answered(world: World, ann: Asker) -> None:
    """Two rules that answer each other come to an end, and nobody is answered who does not read."""
    ann.ask(create(rule(actions=f'<t:ServerReplyWithMessage Id="{pattern(ann)}"/>')))
    bob = Asker(world, BOB)
    bob.ask(create(rule(actions=f'<t:ServerReplyWithMessage Id="{pattern(bob)}"/>')))
    world.deliver(BOB, [ANN], mail("hello", sender=BOB))
    assert (len(items(world)), len(items(world, account=BOB))) == (1, 1)
    world.deliver("", [ANN], mail("from nobody"))
    world.deliver("no-reply@sim.test", [ANN], mail("from a machine"))
    assert (len(items(world)), len(world.store.outbound())) == (3, 0)


def test_an_answer_that_is_gone_is_an_error_of_its_rule(world: World, ann: Asker) -> None:
    one = pattern(ann)
    ann.ask(create(rule(actions=f'<t:ServerReplyWithMessage Id="{one}"/>')))
    ann.one(f'<DeleteItem DeleteType="HardDelete"><ItemIds><t:ItemId Id="{one}"/></ItemIds></DeleteItem>')
    assert (rules(ann)[0]["IsInError"], "ServerReplyWithMessage" in (rules(ann)[0]["Actions"] or {})) == (True, False)
    world.deliver(BOB, [ANN], mail("hello", sender=BOB))
    assert items(world, account=BOB) == []


def test_a_pattern_is_a_message_of_ones_own(world: World, ann: Asker) -> None:
    def problem(one: str) -> str:
        (found,) = ann.ask(create(rule(actions=f'<t:ServerReplyWithMessage Id="{one}"/>')))["RuleOperationErrors"][
            "RuleOperationError"
        ]
        return str(found["ValidationErrors"]["Error"][0]["ErrorCode"])

    assert problem(pattern(Asker(world, BOB))) == "InvalidValue"
    made = ann.one("<CreateItem><Items><t:Contact><t:DisplayName>c</t:DisplayName></t:Contact></Items></CreateItem>")
    assert problem(made["Items"][0][1]["ItemId"]["@Id"]) == "InvalidValue"


# -- rules of Outlook's own


def test_outlooks_own_rules_have_to_go_first(world: World, ann: Asker) -> None:
    """Reference 15; what Outlook keeps is a hidden item of the Inbox (MS-OXORULE 2.2.4), which RemoveOutlookRuleBlob removes."""
    inbox = world.store.folder(ANN, Role.INBOX).uid
    world.store.create(inbox, "IPM.RuleOrganizer", {"Subject": "Outlook Rules Organizer"}, flags=frozenset({"associated"}))
    assert ann.ask(GET)["OutlookRuleBlobExists"] is True
    kept = create(rule()).replace("<RemoveOutlookRuleBlob>true", "<RemoveOutlookRuleBlob>false")
    assert ann.code(kept) == "ErrorOutlookRuleBlobExists"
    assert rules(ann) == []
    assert ann.code(create(rule(priority=0))) == "ErrorInboxRulesValidationError"
    assert ann.ask(GET)["OutlookRuleBlobExists"] is True
    assert ann.code(create(rule())) == "NoError"
    assert ann.ask(GET)["OutlookRuleBlobExists"] is False
    assert ann.code(kept.replace("<t:Priority>1", "<t:Priority>2")) == "NoError"


# -- reports (reference 8): the class that a report has when it arrives


def report(kind: str, part: str, said: str) -> bytes:
    return (
        f"From: MAILER-DAEMON@out.test\r\nTo: {ANN}\r\nSubject: report\r\nMIME-Version: 1.0\r\n"
        f'Content-Type: multipart/report; report-type={kind}; boundary="b"\r\n\r\n'
        f"--b\r\n\r\ntext\r\n--b\r\nContent-Type: {part}\r\n\r\n{said}\r\n--b--\r\n"
    ).encode()


def status(*actions: str) -> bytes:
    blocks = "".join(f"\r\nFinal-Recipient: rfc822;x@out.test\r\nAction: {one}\r\nStatus: 5.0.0\r\n" for one in actions)
    return report("delivery-status", "message/delivery-status", f"Reporting-MTA: dns;out.test\r\n{blocks}")


def disposition(what: str) -> bytes:
    said = f"Final-Recipient: rfc822;x@out.test\r\nDisposition: manual-action/MDN-sent-manually; {what}"
    return report("disposition-notification", "message/disposition-notification", said)


@pytest.mark.parametrize(
    ("octets", "item_class"),
    [
        (status("failed"), "REPORT.IPM.Note.NDR"),
        (status("delivered", "Failed"), "REPORT.IPM.Note.NDR"),
        (status("delivered"), "REPORT.IPM.Note.DR"),
        (status("delayed"), "REPORT.IPM.Note.Delayed.DR"),
        (status("relayed"), "REPORT.IPM.Note.Relayed.DR"),
        (status("expanded"), "REPORT.IPM.Note.Expanded.DR"),
        (disposition("displayed"), "REPORT.IPM.Note.IPNRN"),
        (disposition("deleted/error"), "REPORT.IPM.Note.IPNNRN"),
        (report("feedback-report", "message/feedback-report", "Feedback-Type: abuse"), "IPM.Note"),
        (mail("multipart/report", body="multipart/report"), "IPM.Note"),
    ],
)
def test_reports_have_classes_of_their_own(world: World, ann: Asker, octets: bytes, item_class: str) -> None:
    world.deliver("", [ANN], octets)
    (item,) = items(world)
    assert item.item_class == item_class
    shape = "<ItemShape><t:BaseShape>Default</t:BaseShape><t:AdditionalProperties><t:FieldURI FieldURI='item:ItemClass'/></t:AdditionalProperties></ItemShape>"
    asked = f'<FindItem Traversal="Shallow">{shape}<ParentFolderIds>{named("inbox")}</ParentFolderIds></FindItem>'
    ((element, value),) = ann.one(asked)["RootFolder"]["Items"]
    assert (element, value["ItemClass"]) == ("Message", item_class)


def test_reports_of_the_world_are_items_of_their_class(world: World) -> None:
    from postroom_simulator.actors.wishes import Notify, Wish, Wishes

    wanted = Wishes(other=Wish(frozenset({Notify.SUCCESS})))
    world.deliver(ANN, [BOB], mail("hello", sender=ANN, to=BOB), wishes=wanted)
    assert [item.item_class for item in items(world)] == ["REPORT.IPM.Note.DR"]
    world.directory.account(BOB).disabled = True
    world.deliver(ANN, [BOB, ANN], mail("again", sender=ANN, to=BOB), wishes=Wishes(other=Wish(frozenset({Notify.FAILURE}))))
    assert [item.item_class for item in items(world)][-1] == "REPORT.IPM.Note.NDR"


def test_a_report_says_what_it_is_about(world: World, ann: Asker) -> None:
    """MS-OXOMSG: original subject, Message-ID and time, status and diagnostic text as properties of the item."""
    from postroom_simulator.actors.wishes import Notify, Wish, Wishes

    world.directory.account(BOB).disabled = True
    sent = mail("lost", sender=ANN, to=BOB, extra="Message-ID: <lost@sim.test>\r\nDate: Sun, 22 Nov 2026 10:00:00 +0000\r\n")
    world.deliver(ANN, [BOB, ANN], sent, wishes=Wishes(other=Wish(frozenset({Notify.FAILURE}))))
    tags = (("0x0049", "String"), ("0x1046", "String"), ("0x004e", "SystemTime"), ("0x0c20", "Integer"), ("0x0c1b", "String"))
    shape = f"<ItemShape><t:BaseShape>IdOnly</t:BaseShape>{additional(''.join(tag(*one) for one in tags))}</ItemShape>"
    asked = f'<FindItem Traversal="Shallow">{shape}<ParentFolderIds>{named("inbox")}</ParentFolderIds></FindItem>'
    found = [value for _, value in ann.one(asked)["RootFolder"]["Items"] if value.get("ExtendedProperty")]
    (report,) = [[one["Value"] for one in value["ExtendedProperty"]] for value in found]
    assert report == ["lost", "<lost@sim.test>", "2026-11-22T10:00:00Z", "521", "smtp; 550 5.2.1 mailbox disabled"]


def test_a_report_that_says_nothing_has_nothing(world: World, ann: Asker) -> None:
    world.deliver("", [ANN], report("delivery-status", "text/plain", "?"))
    shape = f"<ItemShape><t:BaseShape>IdOnly</t:BaseShape>{additional(tag('0x0049', 'String') + tag('0x0c20', 'Integer'))}</ItemShape>"
    asked = f'<FindItem Traversal="Shallow">{shape}<ParentFolderIds>{named("inbox")}</ParentFolderIds></FindItem>'
    ((_, value),) = ann.one(asked)["RootFolder"]["Items"]
    assert not value.get("ExtendedProperty")
