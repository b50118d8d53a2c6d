"""Sentences of the ews reference, sections 14 and 19, that no other test keeps: bounds, the tags of a stream, and every code of the list."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import wire
from wire import codes, direct, envelope, get_folder

from postroom_simulator import World
from postroom_simulator.ews.codes import CODES
from postroom_simulator.faults import Reply, When

REFERENCE = Path(__file__).parents[2] / "docs" / "reference" / "ews.md"
KINDS = "<t:EventTypes><t:EventType>NewMailEvent</t:EventType></t:EventTypes>"
STREAM = "<m:GetStreamingEvents><m:SubscriptionIds>{}</m:SubscriptionIds><m:ConnectionTimeout>{}</m:ConnectionTimeout></m:GetStreamingEvents>"


@pytest.fixture
def office() -> Iterator[World]:
    with wire.make_world() as office:
        yield office


def subscribed(office: World) -> str:
    body = direct(office, f'<m:Subscribe><m:StreamingSubscriptionRequest SubscribeToAllFolders="true">{KINDS}</m:StreamingSubscriptionRequest></m:Subscribe>').body  # fmt: skip
    return re.findall(rb"<m:SubscriptionId>([^<]*)<", body)[0].decode()


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        ("<m:PullSubscriptionRequest {all}>{kinds}<t:Timeout>1</t:Timeout></m:PullSubscriptionRequest>", "NoError"),
        ("<m:PullSubscriptionRequest {all}>{kinds}<t:Timeout>1440</t:Timeout></m:PullSubscriptionRequest>", "NoError"),
        ("<m:PullSubscriptionRequest {all}>{kinds}<t:Timeout>1441</t:Timeout></m:PullSubscriptionRequest>", "ErrorSchemaValidation"),
        ("<m:PushSubscriptionRequest {all}>{kinds}<t:StatusFrequency>1</t:StatusFrequency>{url}</m:PushSubscriptionRequest>", "NoError"),
        ("<m:PushSubscriptionRequest {all}>{kinds}<t:StatusFrequency>0</t:StatusFrequency>{url}</m:PushSubscriptionRequest>", "ErrorSchemaValidation"),
        ("<m:PushSubscriptionRequest {all}>{kinds}<t:StatusFrequency>1</t:StatusFrequency></m:PushSubscriptionRequest>", "ErrorSchemaValidation"),
        ("<m:StreamingSubscriptionRequest {all}>{kinds}</m:StreamingSubscriptionRequest>", "NoError"),
        ("<m:StreamingSubscriptionRequest {all}><t:EventTypes><t:EventType>TeaEvent</t:EventType></t:EventTypes></m:StreamingSubscriptionRequest>", "ErrorSchemaValidation"),
    ],
)  # fmt: skip
def test_bounds_of_subscriptions(office: World, request_: str, code: str) -> None:
    """Section 14: Timeout 1 to 1440 minutes, StatusFrequency, URL, kinds of events."""
    inside = request_.format(all='SubscribeToAllFolders="true"', kinds=KINDS, url="<t:URL>http://127.0.0.1:9/</t:URL>")
    answer = direct(office, f"<m:Subscribe>{inside}</m:Subscribe>").body
    assert codes(answer) == [code]
    if code == "NoError":
        assert b"<m:SubscriptionId>" in answer
        assert (b"<m:Watermark>" in answer) is ("Streaming" not in request_)


@pytest.mark.parametrize("minutes", [0, 31])
def test_bounds_of_streams(office: World, minutes: int) -> None:
    """Section 14: a connection of 1 to 30 minutes."""
    one = f"<t:SubscriptionId>{subscribed(office)}</t:SubscriptionId>"
    assert codes(direct(office, STREAM.format(one, minutes)).body) == ["ErrorSchemaValidation"]


def test_so_many_subscriptions_on_a_stream(office: World) -> None:
    """Section 14: up to 200; those beyond are named as wrong."""
    ids = [subscribed(office) for _ in range(201)]
    asked = [f"<t:SubscriptionId>{one}</t:SubscriptionId>" for one in ids]
    answer = direct(office, STREAM.format("".join(asked), 1))
    body = b"".join(answer.stream.pieces()) if answer.stream else answer.body
    assert re.findall(rb"<m:ResponseCode>([^<]*)<", body) == [b"ErrorInvalidSubscription"]
    assert re.findall(rb"<m:SubscriptionId>([^<]*)<", body) == [ids[-1].encode()]
    answer = direct(office, STREAM.format("".join(asked[:200]), 1))
    (*pieces,) = answer.stream.pieces()
    assert b"<m:ConnectionStatus>OK<" in pieces[0]


def test_the_tags_of_a_stream(office: World) -> None:
    """Section 14: the envelope is written without a prefix, for clients search for the literal tags; one envelope at a time."""
    answer = direct(office, STREAM.format(f"<t:SubscriptionId>{subscribed(office)}</t:SubscriptionId>", 1))
    pieces = list(answer.stream.pieces())
    assert len(pieces) >= 3
    for piece in pieces:
        assert re.match(rb"(<\?xml[^>]*\?>)?<Envelope[ >]", piece)
        assert piece.endswith(b"</Envelope>")
        assert piece.count(b"<Envelope") == piece.count(b"</Envelope>") == 1
    assert b"<s:Envelope" in direct(office, get_folder()).body


def listed() -> list[str]:
    section = REFERENCE.read_text().split("## 19.")[1].split("Texts that clients")[0]
    return sorted(set(re.findall(r"\bError[A-Z][A-Za-z]+\b(?!\*)", section)))


def test_every_code_of_the_reference_can_be_said(office: World) -> None:
    """Section 19: each of the list is a response code, and the fault table can say it of one item and of a whole request."""
    named = listed()
    assert len(named) > 95
    assert not set(named) - CODES
    for code in named:
        office.faults.add(When("ews", "item", nth=1), Reply(code))
        answer = direct(office, get_folder("inbox", "drafts"))
        assert (answer.status, codes(answer.body)[0]) == (200, code)
        assert codes(answer.body)[1] in ("NoError", "ErrorBatchProcessingStopped")
        office.faults.clear()
        office.faults.add(When("ews", "GetFolder", nth=1), Reply(code))
        answer = direct(office, envelope(get_folder()))
        assert (answer.status, codes(answer.body)) == (500, [code])
        office.faults.clear()
