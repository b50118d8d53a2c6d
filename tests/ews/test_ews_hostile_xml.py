"""Bodies that nobody should send: each is answered with the right fault in bounded time and memory, direct and over a connection."""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Callable, Iterator

import pytest
import wire
from hypothesis import given, settings
from hypothesis import strategies as st
from wire import NS, SPACES, connected, direct, envelope, find_item, get_folder, http

from postroom_simulator import World

BOMB = b'<?xml version="1.0"?><!DOCTYPE l [<!ENTITY a "aaaaaaaaaa">' + b"".join(
    b'<!ENTITY %c "%s">' % (98 + at, b"&%c;" % (97 + at) * 10) for at in range(20)
)
QUADRATIC = b'<!DOCTYPE l [<!ENTITY a "' + b"a" * 100_000 + b'">]><l>' + b"&a;" * 10_000 + b"</l>"
GET_INBOX = envelope(get_folder())
PATIENCE = 10.0
"""Real seconds that the worst of these may take on a busy machine."""


def soap(inner: str, header: str = "") -> bytes:
    return f"<s:Envelope {SPACES}>{header}{inner}</s:Envelope>".encode()


def deep(count: int) -> str:
    return "<t:Not>" * count + "</t:Not>" * count


BROKEN: dict[str, bytes] = {
    "nothing": b"",
    "blanks": b"  \r\n ",
    "text": b"hello",
    "JSON": b'{"a": 1}',
    "octets": bytes(range(256)),
    "not well formed": GET_INBOX[:-3],
    "two roots": GET_INBOX + GET_INBOX,
    "no UTF-8": GET_INBOX.replace(b"inbox", b"in\xffbox"),
    "a control character": GET_INBOX.replace(b"inbox", b"in\x01box"),
    "a reference to a control character": GET_INBOX.replace(b"inbox", b"in&#1;box"),
    "an unknown entity": GET_INBOX.replace(b"inbox", b"in&box;"),
    "an encoding that does not exist": b'<?xml version="1.0" encoding="x-klingon"?>' + GET_INBOX,
    "a wrong encoding": b'<?xml version="1.0" encoding="UTF-16"?>' + GET_INBOX,
    "an external entity": b'<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>' + GET_INBOX.replace(b"inbox", b"&e;"),
    "a DTD far away": b'<!DOCTYPE x SYSTEM "http://127.0.0.1:9/x.dtd">' + GET_INBOX,
    "an empty DTD": b"<!DOCTYPE s>" + GET_INBOX,
    "a DTD in UTF-16": ('<?xml version="1.0" encoding="UTF-16"?><!DOCTYPE s [<!ENTITY e "x">]>' + GET_INBOX.decode()).encode(
        "utf-16"
    ),
    "a billion laughs": BOMB + b"]><l>&u;</l>",
    "a quadratic bomb": QUADRATIC,
    "another root": b"<x/>",
    "an envelope of another namespace": GET_INBOX.replace(NS["s"].encode(), b"urn:x"),
    "an envelope without a namespace": b"<Envelope><Body><GetFolder/></Body></Envelope>",
    "no body": soap(""),
    "an empty body": soap("<s:Body/>"),
    "text for a body": soap("<s:Body>hello</s:Body>"),
    "two operations": envelope(get_folder() + get_folder()),
    "two bodies": soap(f"<s:Body>{get_folder()}</s:Body><s:Body>{get_folder()}</s:Body>"),
    "a thousand deep": envelope(f"<m:FindItem><m:Restriction>{deep(1000)}</m:Restriction></m:FindItem>"),
    "too deep for any parser": envelope(f"<m:FindItem><m:Restriction>{deep(100_000)}</m:Restriction></m:FindItem>"),
    "an operation without what it needs": envelope("<m:GetFolder/>"),
    "an element from nowhere": envelope(get_folder().replace("</m:GetFolder>", "<m:Surprise/></m:GetFolder>")),
    "an attribute from nowhere": envelope(get_folder().replace("<m:GetFolder>", '<m:GetFolder Surprise="1">')),
    "an unknown folder name": envelope(get_folder("attic")),
    "an unknown shape": envelope(get_folder().replace("IdOnly", "Everything")),
    "children of another namespace": envelope(get_folder().replace("<t:Base", '<t:Base xmlns:t="urn:x"')),
    "a number that is none": envelope(
        find_item().replace("<m:Par", '<m:IndexedPageItemView Offset="many" BasePoint="Beginning"/><m:Par')
    ),
    "a number beyond measure": envelope(
        find_item().replace("<m:Par", f'<m:IndexedPageItemView Offset="{"9" * 5000}" BasePoint="Beginning"/><m:Par')
    ),
}
OTHERWISE = {
    "an unknown operation": (envelope("<m:MakeTea/>"), "ErrorInvalidOperation"),
    "an operation of another namespace": (envelope("<t:GetFolder/>"), "ErrorInvalidOperation"),
    "an operation without namespace": (envelope("<GetFolder/>"), "ErrorInvalidOperation"),
    "an operation with a name without measure": (envelope(f"<m:{'A' * 100_000}/>"), "ErrorInvalidOperation"),
    "a version of tomorrow": (envelope(get_folder(), version="Exchange2031"), "ErrorInvalidServerVersion"),
    "no version at all": (envelope(get_folder(), version=""), "ErrorInvalidServerVersion"),
}


@pytest.fixture
def world() -> Iterator[World]:
    with wire.make_world() as world:
        yield world


def over_a_connection(world: World, body: bytes) -> wire.Answer:
    """And the next request on the same connection is served."""
    one = connected(world)
    answer = one.ask(http(body))
    assert one.ask(http(GET_INBOX)).codes == ["NoError"]
    one.close()
    return answer


WAYS: list[Callable[[World, bytes], wire.Answer]] = [direct, over_a_connection]


@pytest.mark.parametrize("ask", WAYS, ids=["direct", "connected"])
@pytest.mark.parametrize("name", [*BROKEN, *OTHERWISE])
def test_each_is_answered_with_its_fault(world: World, name: str, ask: Callable[[World, bytes], wire.Answer]) -> None:
    body, code = OTHERWISE[name] if name in OTHERWISE else (BROKEN[name], "ErrorSchemaValidation")
    began = time.perf_counter()
    answer = ask(world, body)
    assert time.perf_counter() - began < PATIENCE
    assert (answer.status, wire.codes(answer.body)) == (500, [code])
    assert len(answer.body) < 20_000
    assert b"root:" not in answer.body


def test_encodings_that_are_true_are_understood(world: World) -> None:
    for encoding in ("utf-16", "utf-8-sig", "iso-8859-1"):
        named = encoding.removesuffix("-sig")
        body = f'<?xml version="1.0" encoding="{named}"?>{GET_INBOX.decode()}'.encode(encoding)
        assert wire.codes(direct(world, body).body) == ["NoError"], encoding


def test_soap_1_2_is_understood(world: World) -> None:
    body = GET_INBOX.replace(NS["s"].encode(), b"http://www.w3.org/2003/05/soap-envelope")
    assert wire.codes(direct(world, body).body) == ["NoError"]


IDS = {
    "empty": ("", "ErrorInvalidIdEmpty"),
    "text": ("hello", "ErrorInvalidIdMalformed"),
    "long": ("AAMk" + "A" * 100_000, "ErrorInvalidIdMalformed"),
    "beyond ASCII": ("AAMkÄÖÜ", "ErrorInvalidIdMalformed"),
    "of nobody": ("AAMk" + "A" * 44, "ErrorInvalidIdMalformed"),
    "a path": ("../../etc/passwd", "ErrorInvalidIdMalformed"),
    "SQL": ("'; DROP TABLE items; --", "ErrorInvalidIdMalformed"),
    "a script": ("&lt;script&gt;", "ErrorInvalidIdMalformed"),
    "blanks": ("   ", "ErrorInvalidIdMalformed"),
}


@pytest.mark.parametrize("name", IDS)
@pytest.mark.parametrize("kind", ["ItemId", "FolderId"])
def test_ids_that_are_none(world: World, name: str, kind: str) -> None:
    text, code = IDS[name]
    if kind == "FolderId":
        body = f'<m:GetFolder>{wire.SHAPE}<m:FolderIds><t:FolderId Id="{text}"/></m:FolderIds></m:GetFolder>'
    else:
        body = f'<m:GetItem>{ITEM_SHAPE}<m:ItemIds><t:ItemId Id="{text}"/></m:ItemIds></m:GetItem>'
    answer = direct(world, body)
    assert (answer.status, wire.codes(answer.body)) == (200, [code])


ITEM_SHAPE = "<m:ItemShape><t:BaseShape>IdOnly</t:BaseShape></m:ItemShape>"


def the_id(octets: bytes) -> str:
    text = octets.decode()
    return text.partition(' Id="')[2].partition('"')[0]


def test_ids_of_other_kinds_and_of_other_mailboxes(world: World) -> None:
    created = the_id(direct(world, wire.create_item()).body)
    folder = the_id(direct(world, get_folder()).body)
    bobs = "Basic Ym9iQHNpbS50ZXN0Omh1c2g="
    asked = {
        f'<m:GetFolder>{wire.SHAPE}<m:FolderIds><t:FolderId Id="{created}"/></m:FolderIds></m:GetFolder>': "ErrorCannotUseItemIdForFolderId",
        f'<m:GetItem>{ITEM_SHAPE}<m:ItemIds><t:ItemId Id="{folder}"/></m:ItemIds></m:GetItem>': "ErrorCannotUseFolderIdForItemId",
    }
    for body, code in asked.items():
        assert wire.codes(direct(world, body).body) == [code]
    for body in (
        f'<m:GetFolder>{wire.SHAPE}<m:FolderIds><t:FolderId Id="{folder}"/></m:FolderIds></m:GetFolder>',
        f'<m:GetItem>{ITEM_SHAPE}<m:ItemIds><t:ItemId Id="{created}"/></m:ItemIds></m:GetItem>',
    ):
        (code,) = wire.codes(direct(world, body, auth=bobs).body)
        assert code in ("ErrorAccessDenied", "ErrorItemNotFound", "ErrorFolderNotFound", "ErrorNonExistentMailbox")


def test_a_batch_of_ten_thousand(world: World) -> None:
    """Each is answered, in bounded time and memory."""
    ids = "".join(f'<t:ItemId Id="no-{number}"/>' for number in range(10_000))
    tracemalloc.start()
    try:
        began = time.perf_counter()
        answer = direct(world, f"<m:GetItem>{ITEM_SHAPE}<m:ItemIds>{ids}</m:ItemIds></m:GetItem>")
        assert time.perf_counter() - began < 3 * PATIENCE
        assert tracemalloc.get_traced_memory()[1] < 200 << 20
    finally:
        tracemalloc.stop()
    assert wire.codes(answer.body) == ["ErrorInvalidIdMalformed"] * 10_000


def test_text_beyond_xml_in_a_mailbox_is_still_answered_as_xml(world: World) -> None:
    """A message with control characters in its subject (a bell, an escape) is shown with others in their place."""
    world.deliver("x@out.test", [wire.ANN], b"Subject: ring \x07 and \x1b[31m red \xff\r\n\r\nbody \x00 here\r\n")
    found = the_id(direct(world, find_item()).body)
    shape = ITEM_SHAPE.replace("IdOnly", "AllProperties")
    answer = direct(world, f'<m:GetItem>{shape}<m:ItemIds><t:ItemId Id="{found}"/></m:ItemIds></m:GetItem>')
    assert wire.codes(answer.body) == ["NoError"]
    assert not any(octet in answer.body for octet in b"\x00\x07\x1b")


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=200), st.integers(0, len(GET_INBOX)), st.integers(0, 30))
def test_no_body_breaks_it(octets: bytes, at: int, dropped: int) -> None:
    with wire.make_world() as world:
        answer = direct(world, GET_INBOX[:at] + octets + GET_INBOX[at + dropped :])
        assert answer.status in (200, 500)
        assert wire.codes(answer.body)


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=60))
def test_no_header_breaks_it(text: str) -> None:
    from postroom_simulator.ews.http import Request

    with wire.make_world() as world:
        for name in ("authorization", "host", "content-encoding", "client-request-id", "x-anchormailbox", "x-forwarded-proto"):
            headers = {"authorization": wire.BASIC, "return-client-request-id": "true", name: text}
            assert world.ews.respond(Request("POST", wire.PATH, headers, GET_INBOX)).status in (200, 401)
        for scheme in ("Basic", "NTLM", "Bearer", "Negotiate"):
            world.ews.challenges = ["Basic", "NTLM", "Bearer", "Negotiate"]
            given_ = {"authorization": f"{scheme} {text}"}
            assert world.ews.respond(Request("POST", wire.PATH, given_, GET_INBOX)).status == 401
