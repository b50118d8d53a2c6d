"""The rules of mail-protocol-pitfalls section 4, one by one."""

from __future__ import annotations

import base64
from datetime import UTC, datetime

import pytest

from postroom.mime.addresses import comparison_key, format_address, join_list, parse_list, parse_one, split_list
from postroom.mime.bodies import unflow
from postroom.mime.charsets import codec_for
from postroom.mime.dates import parse_date
from postroom.mime.filenames import safe_filename
from postroom.mime.params import parse_parameters
from postroom.mime.parse import parse_message
from postroom.mime.transfer import decode_base64, decode_quoted_printable
from postroom.mime.values import Address
from postroom.mime.words import decode_words


def subject(raw: bytes) -> str:
    return parse_message(b"Subject: " + raw + b"\r\n\r\n").subject


# -- header block --------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["From", "Subject", "Message-ID", "Content-Type"])
def test_doubled_fields_the_first_decides(name: str) -> None:
    parsed = parse_message(b"%s: <a@a.example>\r\n%s: <b@b.example>\r\n\r\n" % (name.encode(), name.encode()))
    assert f"doubled {name}" in parsed.defects
    assert parsed.header(name) == "<a@a.example>"
    assert len(parsed.headers) == 2


def test_a_lone_cr_is_no_line_end() -> None:
    parsed = parse_message(b"Subject: x\rBcc: e@x.example\r\n\r\na\rb")
    assert parsed.subject == "x Bcc: e@x.example"
    assert parsed.bcc == ()
    assert parsed.text == "a\rb"


def test_mbox_line_and_byte_order_mark_come_first() -> None:
    parsed = parse_message(b"\xef\xbb\xbfFrom a@b Tue Mar  5 09:30:00 2024\nSubject: x\n\nbody\n")
    assert parsed.subject == "x"
    assert parsed.text == "body\n"
    assert parsed.defects[:2] == ("byte order mark", "mbox From line")


def test_a_missing_blank_line_starts_the_body() -> None:
    parsed = parse_message(b"Subject: x\r\nHello all,\r\nthis is it\r\n")
    assert parsed.subject == "x"
    assert parsed.text == "Hello all,\nthis is it\n"
    assert "missing blank line after the header" in parsed.defects


def test_folds_are_one_blank_and_may_hold_only_blanks() -> None:
    assert subject(b"a\r\n\t  b\r\n   \r\n c") == "a b  c"


def test_doubled_carriage_returns_belong_to_the_line_end() -> None:
    parsed = parse_message(b"Subject: x\r\r\n\r\r\nbody\r\r\n")
    assert parsed.subject == "x"
    assert parsed.text is not None
    assert parsed.text.startswith("body")


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("Grüße".encode(), "Grüße"),
        ("Grüße".encode("cp1252"), "Grüße"),
        (b"\x80 5", "€ 5"),
        (b"\x1b$B4A;z\x1b(B", "漢字"),
        (b"a\x00b\x07c", "ab\ufffdc"),
    ],
)
def test_raw_octets_in_a_header(raw: bytes, expected: str) -> None:
    assert subject(raw) == expected


# -- encoded words -------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("=?utf-8?Q?Gr=C3=BC=C3=9Fe?=", "Grüße"),
        ("=?utf-8?Q?a?= =?utf-8?Q?b?=", "ab"),
        ("=?utf-8?Q?a?=  \t =?iso-8859-1?Q?=FC?=", "aü"),
        ("=?utf-8?Q?a?= b =?utf-8?Q?c?=", "a b c"),
        ("=?utf-8?Q?=C3?= =?utf-8?Q?=BC?=", "ü"),  # a character split over two words
        ("=?utf-8?B?w7w?=", "ü"),  # missing padding
        ("=?utf-8?B?R3LDvMO?= =?utf-8?B?f?=", "Grüß"),  # base64 cut within a group
        ("=?UTF-8*en?Q?hello?=", "hello"),
        ("=?utf-8?Q?What?_Really?=", "What? Really"),
        ("=?utf-8?Q?two words?=", "two words"),
        ("=?utf-8?q?a_b=20c?=", "a b c"),
        ("=?gb2312?B?gjCBMA==?=", b"\x82\x30\x81\x30".decode("gb18030")),
        ("=?windows-1252?q?=80?=", "€"),
        ("=?iso-8859-1?q?=80?=", "€"),
        ("=?utf-8?Q?a=0D=0ABcc:_e@x?=", "aBcc: e@x"),  # CVE-2024-6923
        ("=?utf-8?Q?a=00b?=", "ab"),
        ("=?utf-8?Q?=ZZ?=", "=ZZ"),
        ("=?utf-8?X?abc?=", "=?utf-8?X?abc?="),
        ("=?utf-8?Q?open", "=?utf-8?Q?open"),
        ("=?idna?Q?xn--a?=", "xn--a"),
        ("=?unicode_escape?Q?=5Cx41?=", "\\x41"),
        ("=?utf-8?Q??=", ""),
    ],
)
def test_encoded_words(raw: str, expected: str) -> None:
    assert decode_words(raw)[0] == expected


@pytest.mark.parametrize(
    "name", ["idna", "punycode", "utf-7", "unicode_escape", "raw_unicode_escape", "rot13", "zlib", "hex", "unicode-1-1-utf-7"]
)
def test_codecs_that_are_no_charsets_are_not_reachable(name: str) -> None:
    assert codec_for(name) is None
    octets = b"Content-Type: text/plain; charset=%s\r\n\r\n+AD4- \\x41" % name.encode()
    parsed = parse_message(octets)
    assert parsed.text == "+AD4- \\x41"
    assert "unknown charset" in parsed.defects


# -- addresses -----------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ada@alder.example", [("ada@alder.example", "")]),
        ("Ada <ada@alder.example>", [("ada@alder.example", "Ada")]),
        ('"Alder, Ada" <ada@alder.example>, ben@b.example', [("ada@alder.example", "Alder, Ada"), ("ben@b.example", "")]),
        ("Alder, Ada <ada@alder.example>", [("ada@alder.example", "Alder, Ada")]),
        ("a@b.example; c@d.example", [("a@b.example", ""), ("c@d.example", "")]),
        ("undisclosed-recipients:;", []),
        (
            "Friends: a@b.example, C <c@d.example>;, e@f.example",
            [("a@b.example", ""), ("c@d.example", "C"), ("e@f.example", "")],
        ),
        ("a@b.example (Ada (the first))", [("a@b.example", "Ada (the first)")]),
        ("(note) Ada (x) <a@b.example>", [("a@b.example", "Ada")]),
        ('"quoted local"@b.example', [('"quoted local"@b.example', "")]),
        ('<"a@b"@c.example>', [('"a@b"@c.example', "")]),
        ("<@x.example,@y.example:a@b.example>", [("a@b.example", "")]),
        ("Ada a@b.example", [("a@b.example", "Ada")]),
        ("a @ b.example", [("a@b.example", "")]),
        ("a@b@c.example", []),
        ("<a@b@c.example>", []),
        ("a@evil.example <b@c.example>", [("b@c.example", "a@evil.example")]),
        ("<a@b.example> <c@d.example>", []),
        ("a@b.example c@d.example", []),
        ("a@[192.0.2.1]", [("a@[192.0.2.1]", "")]),
        ("a@[IPv6:2001:db8::1]", [("a@[IPv6:2001:db8::1]", "")]),
        ("=?utf-8?Q?J=C3=BCrgen,_M?= <j@b.example>", [("j@b.example", "Jürgen, M")]),
        ('"=?utf-8?Q?J=C3=BCrgen?=" <j@b.example>', [("j@b.example", "Jürgen")]),
        ("Ada <ada@alder.example", [("ada@alder.example", "Ada")]),
        ("mailto:a@b.example", [("a@b.example", "")]),
        ("<>", []),
        ("root", []),
        ("a@", []),
        ("@b", []),
        ("((((" * 500, []),
        ("jürgen@bücher.example", [("jürgen@bücher.example", "")]),
        ("a..b.@docomo.example", [("a..b.@docomo.example", "")]),
        ('"unclosed <a@b.example>', [("a@b.example", "unclosed")]),
        ("a@b.example)", []),
        ("'a@b.example' <a@b.example>", [("a@b.example", "'a@b.example'")]),
    ],
)
def test_address_lists(text: str, expected: list[tuple[str, str]]) -> None:
    assert [(one.address, one.name) for one in parse_list(text).addresses] == expected


def test_what_is_no_address_is_counted() -> None:
    assert parse_list("root, a@b@c, d@e.example").unusable == 2
    assert parse_list("undisclosed-recipients:;").unusable == 0
    assert parse_list("a@b, c@d, e@f", limit=2) == ((Address("a@b"), Address("c@d")), 0, True)


def test_lists_as_the_organization_writes_them() -> None:
    people = (Address("a@b.example"), Address("c@d.example"))
    assert split_list("a@b.example; c@d.example") == people
    assert split_list(join_list(people)) == people
    assert split_list("") == ()
    assert parse_one("Ada <a@b.example>") == Address("a@b.example", "Ada")
    assert parse_one("a@b.example, c@d.example") is None
    assert comparison_key(" Ada@B.Example ") == Address("ADA@b.example").key


@pytest.mark.parametrize("name", ["", "Ada", "Alder, Ada", 'Ada "A" Alder', "back\\slash", "Jürgen"])
def test_formatted_addresses_read_back(name: str) -> None:
    address = Address("ada@alder.example", name)
    assert parse_one(format_address(address)) == address


# -- dates ---------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Tue, 05 Mar 2024 09:30:15 +0100", (2024, 3, 5, 8, 30, 15)),
        ("5 Mar 2024 09:30 -0330", (2024, 3, 5, 13, 0, 0)),
        ("Tue, 5 Mar 24 09:30:15 GMT", (2024, 3, 5, 9, 30, 15)),
        ("Tue, 5 Mar 99 09:30:15 EST", (1999, 3, 5, 14, 30, 15)),
        ("Tue, 5 Mar 102 09:30:15 +0000", (2002, 3, 5, 9, 30, 15)),
        ("Tue, 5 Mar 2024 09:30:15 -0000", (2024, 3, 5, 9, 30, 15)),
        ("Tue, 5 Mar 2024 09:30:60 +0000", (2024, 3, 5, 9, 30, 59)),
        ("Tue, 5 Mar 2024 09:30:15", (2024, 3, 5, 9, 30, 15)),
        ("Tue, 5 Mar 2024 09:30:15 +0100 (CET)", (2024, 3, 5, 8, 30, 15)),
        ("Tue, 5 Mar 2024 09:30:15 GMT+2", (2024, 3, 5, 7, 30, 15)),
        ("Tue, 5 Mar 2024 09:30:15 +05:30", (2024, 3, 5, 4, 0, 15)),
        ("Tue, 5 Mar 2024 09:30:15 Nonsense", (2024, 3, 5, 9, 30, 15)),
        ("Di, 5 Mär 2024 09:30:15 +0100", (2024, 3, 5, 8, 30, 15)),
        ("mar., 5 déc. 2023 09:30:15 +0100", (2023, 12, 5, 8, 30, 15)),
        ("Tue Mar  5 09:30:15 2024", (2024, 3, 5, 9, 30, 15)),
        ("Tue Mar  5 09:30:15 EST 2024", (2024, 3, 5, 14, 30, 15)),
        ("2024-03-05T09:30:15.123Z", (2024, 3, 5, 9, 30, 15)),
        ("5-Mar-2024 9:30:15 +0000", (2024, 3, 5, 9, 30, 15)),
        ("Sat, 8 Jun 2002 1:5:13 +0000", (2002, 6, 8, 1, 5, 13)),
        ("Tue, 5 Mar 0000 09:30:15 +0000", None),
        ("Tue, 5 Mar 0102 09:30:15 +0000", None),
        ("Tue, 5 Mar 20000 09:30:15 +0000", None),
        ("Tue, 31 Feb 2024 09:30:15 +0000", None),
        ("Tue, 5 Mar 2024 25:30:15 +0000", None),
        ("Tue, 5 Mar 2024 09:30:15 -1900", None),
        ("Fri, 31 Dec 9999 23:30:15 -0100", None),
        ("Tue, 5 Foo 2024 09:30:15 +0000", None),
        ("yesterday", None),
        ("", None),
    ],
)
def test_dates(text: str, expected: tuple[int, ...] | None) -> None:
    assert parse_date(text) == (datetime(*expected, tzinfo=UTC) if expected else None)  # type: ignore[arg-type, misc]


def test_received_dates_newest_first() -> None:
    parsed = parse_message(
        b"Received: from b by c; Tue, 5 Mar 2024 09:30:02 +0000\r\nReceived: nonsense\r\n"
        b"Received: from a (x; y) by b\r\n\tid 1; Tue, 5 Mar 2024 10:30:01 +0100 (CET)\r\n\r\n"
    )
    assert parsed.received == (datetime(2024, 3, 5, 9, 30, 2, tzinfo=UTC), datetime(2024, 3, 5, 9, 30, 1, tzinfo=UTC))
    assert parsed.date is None


# -- ids, references, importance -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"<a@b>", "<a@b>"),
        (b" < a@b >", "<a@b>"),
        (b"a@b", "<a@b>"),
        (b"<a b@c>", "<ab@c>"),
        (b"<a@b> (comment)", "<a@b>"),
        (b"<a@b", "<a@b>"),
        (b"<" + b"x" * 318 + b">", "<" + "x" * 318 + ">"),
    ],
)
def test_message_ids(raw: bytes, expected: str) -> None:
    parsed = parse_message(b"Message-ID: " + raw + b"\r\n\r\n")
    assert (parsed.message_id, parsed.message_id_synthetic) == (expected, False)


@pytest.mark.parametrize(
    ("raw", "defect"),
    [(None, "missing Message-ID"), (b"<>", "unusable Message-ID"), (b"<" + b"x" * 10_000 + b"@y>", "unusable Message-ID")],
)
def test_a_message_id_is_made_up_where_none_is_usable(raw: bytes | None, defect: str) -> None:
    field = b"Message-ID: " + raw + b"\r\n" if raw is not None else b""
    message = field + b"From: a@b.example\r\nSubject: x\r\n\r\nbody\r\n"
    parsed = parse_message(message)
    assert parsed.message_id_synthetic
    assert parsed.message_id.endswith("@synthetic.postroom.invalid>")
    assert defect in parsed.defects
    # stable against what transports change
    assert parse_message(b"Received: from x\r\n" + message.replace(b"\r\n", b"\n") + b"\n").message_id == parsed.message_id
    # and different for a different message
    assert parse_message(message.replace(b"body", b"other")).message_id != parsed.message_id
    assert parse_message(message.replace(b"Subject: x", b"Subject: y")).message_id != parsed.message_id


def test_references_are_capped_with_the_root_kept() -> None:
    ids = [f"<{n}@x>" for n in range(500)]
    parsed = parse_message(f"References: {' '.join(ids)} <499@x>\r\n\r\n".encode())
    assert parsed.references == (ids[0], *ids[-99:])


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"<a@b>", "<a@b>"),
        (b"Your message of Tue <a@b>", "<a@b>"),
        (b"a@b", "<a@b>"),
        (b"Message from Ada of Tue", ""),
        (b"", ""),
    ],
)
def test_in_reply_to(raw: bytes, expected: str) -> None:
    assert parse_message(b"In-Reply-To: " + raw + b"\r\n\r\n").in_reply_to == expected


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        (b"Importance: High", 2),
        (b"Importance: low\r\nX-Priority: 1", 0),
        (b"Importance: ?\r\nX-Priority: 2 (High)", 2),
        (b"X-Priority: 5", 0),
        (b"X-Priority: 11", 1),
        (b"X-MSMail-Priority: High", 2),
        (b"X-Priority: 3\r\nX-MSMail-Priority: High", 1),
        (b"Subject: x", 1),
    ],
)
def test_importance(fields: bytes, expected: int) -> None:
    assert parse_message(fields + b"\r\n\r\n").importance == expected


# -- encodings -----------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("raw", "expected", "whole"),
    [
        (b"aGVsbG8=", b"hello", True),
        (b"aGVs\r\nbG8=\r\n", b"hello", True),
        (b"aGVsbG8", b"hello", False),
        (b"aGV!sbG8=", b"hello", False),
        (b"aGVsbG8=aGVsbG8=", b"hellohello", False),
        (b"aGVsbG8hX", b"hello!", False),
        (b"", b"", True),
    ],
)
def test_base64(raw: bytes, expected: bytes, whole: bool) -> None:
    assert decode_base64(raw) == (expected, whole)


@pytest.mark.parametrize(
    ("raw", "expected", "whole"),
    [
        (b"a=3Db", b"a=b", True),
        (b"a=c3=bc", b"a\xc3\xbc", True),
        (b"a=\r\nb", b"ab", True),
        (b"a=\nb", b"ab", True),
        (b"a= \t\r\nb", b"ab", True),
        (b"a=XYb", b"a=XYb", False),
        (b"a==3Db", b"a==b", False),
        (b"a=\rb\nc", b"a=\rb\nc", False),
        (b"a=", b"a", True),
    ],
)
def test_quoted_printable(raw: bytes, expected: bytes, whole: bool) -> None:
    assert decode_quoted_printable(raw) == (expected, whole)


@pytest.mark.parametrize(
    ("charset", "octets", "expected"),
    [
        ("", "Grüße".encode(), "Grüße"),
        ("us-ascii", "Grüße".encode("cp1252"), "Grüße"),
        ("iso-8859-1", b"\x93x\x94", "“x”"),
        ("gb2312", b"\x82\x30\x81\x30", b"\x82\x30\x81\x30".decode("gb18030")),
        ("ks_c_5601-1987", "똠".encode("cp949"), "똠"),
        ("utf8", "ü".encode(), "ü"),
        ("'utf-8'", "ü".encode(), "ü"),
        ("x-sjis", "①".encode("cp932"), "①"),
        ("utf-8", b"a\xffb", "a\ufffdb"),
        ("utf-8", b"\xed\xa0\x80", "\ufffd\ufffd\ufffd"),
        ("utf-8", b"\xef\xbb\xbfx", "x"),
        ("no-such-thing", "ü".encode(), "ü"),
        ("utf-16", "ü".encode("utf-16"), "ü"),
    ],
)
def test_charsets(charset: str, octets: bytes, expected: str) -> None:
    message = f'Content-Type: text/plain; charset="{charset}"\r\nContent-Transfer-Encoding: base64\r\n\r\n'.encode()
    assert parse_message(message + base64.b64encode(octets)).text == expected


def test_encodings_that_are_not_ours_stay_closed() -> None:
    parsed = parse_message(
        b"Content-Type: image/gif; name=a.gif\r\nContent-Transfer-Encoding: x-uuencode\r\n\r\nbegin 644 a.gif\r\n#0V%T\r\nend\r\n"
    )
    assert parsed.attachments[0].octets.startswith(b"begin 644")
    assert "opaque transfer encoding" in parsed.defects


def test_flowed_text() -> None:
    assert unflow("one \ntwo\n\n> quoted \n> text\n \n-- \nAda\n") == "one two\n\n> quoted text\n\n-- \nAda\n"
    assert unflow("one \ntwo", delsp=True) == "onetwo"
    assert unflow(" From here\n >not a quote") == "From here\n>not a quote"
    assert unflow(">>deep \n>>er\n>flat") == ">> deep er\n> flat"


# -- structure -----------------------------------------------------------------------------------------------------------------------------


def multipart(
    kind: str, *parts: bytes, boundary: bytes = b"b", close: bytes = b"--b--\r\n", parameter: bytes = b"; boundary=b"
) -> bytes:
    body = b"".join(b"--" + boundary + b"\r\n" + part + b"\r\n" for part in parts)
    return b"Content-Type: multipart/%s%s\r\n\r\n" % (kind.encode(), parameter) + body + close


TEXT = b"Content-Type: text/plain\r\n\r\nplain"
HTML = b"Content-Type: text/html\r\n\r\n<p>html"


def test_alternatives_and_texts_side_by_side() -> None:
    parsed = parse_message(multipart("alternative", TEXT, HTML))
    assert (parsed.text, parsed.html, parsed.attachments) == ("plain", "<p>html", ())
    parsed = parse_message(multipart("mixed", TEXT, TEXT))
    assert parsed.text == "plain\nplain\n"
    parsed = parse_message(multipart("alternative", TEXT, TEXT.replace(b"plain\r\n\r\nplain", b"plain\r\n\r\nbetter")))
    assert parsed.text == "better"


def test_an_unclosed_inner_multipart_ends_at_the_outer_boundary() -> None:
    inner = multipart("alternative", TEXT, HTML, boundary=b"bb", close=b"", parameter=b"; boundary=bb").removesuffix(b"\r\n")
    parsed = parse_message(multipart("mixed", inner, b"Content-Type: application/pdf\r\n\r\n%PDF"))
    assert (parsed.text, parsed.html) == ("plain", "<p>html")
    assert [one.octets for one in parsed.attachments] == [b"%PDF"]
    assert "missing close line" in parsed.defects


def test_boundaries_are_whole_lines_with_trailing_blanks() -> None:
    body = b"Content-Type: multipart/mixed; boundary=b \r\n\r\npreamble --b\r\n--b \t\r\n\r\none\r\n--bx\r\ntwo\r\n--b\r\n\r\nthree\r\n--b--  \r\nafter\r\n--b\r\n"
    assert parse_message(body).text == "one\n--bx\ntwo\nthree\n"


def test_a_missing_boundary_parameter_is_guessed() -> None:
    parsed = parse_message(multipart("alternative", TEXT, HTML, parameter=b""))
    assert (parsed.text, parsed.html) == ("plain", "<p>html")
    assert "multipart without boundary" in parsed.defects


@pytest.mark.parametrize("encoding", ["base64", "quoted-printable"])
def test_an_encoded_multipart(encoding: str) -> None:
    plain = multipart("alternative", TEXT, HTML)
    head, _, body = plain.partition(b"\r\n\r\n")
    head += f"\r\nContent-Transfer-Encoding: {encoding}".encode()
    for octets in (body, base64.encodebytes(body) if encoding == "base64" else body.replace(b"--b", b"=2D-b")):
        parsed = parse_message(head + b"\r\n\r\n" + octets)
        assert (parsed.text, parsed.html) == ("plain", "<p>html")
        assert "illegal encoding of a multipart" in parsed.defects


def test_attached_messages_keep_their_octets() -> None:
    inner = b"Subject: in\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n--c\r\n\r\n x \r\n--c--\r\n"
    for kind in ("mixed", "digest"):
        part = (b"Content-Type: message/rfc822\r\n\r\n" if kind == "mixed" else b"\r\n") + inner
        attachment = parse_message(multipart(kind, part)).attachments[0]
        assert (attachment.content_type, attachment.filename, attachment.octets) == ("message/rfc822", "message.eml", inner)
    encoded = b"Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    for octets in (inner, base64.encodebytes(inner)):
        parsed = parse_message(multipart("mixed", encoded + octets))
        assert parsed.attachments[0].octets == inner
        assert "illegal encoding of an attached message" in parsed.defects


def test_the_root_of_a_related_is_named_by_start() -> None:
    image = b"Content-Type: text/plain\r\nContent-ID: <other>\r\n\r\nnot the body"
    root = b"Content-Type: text/html\r\nContent-ID: <root>\r\n\r\n<p>body"
    parsed = parse_message(multipart("related", image, root, parameter=b'; boundary=b; start="<root>"'))
    assert parsed.html == "<p>body"
    assert parsed.text is None
    assert [(one.content_id, one.inline) for one in parsed.attachments] == [("other", True)]


def test_external_bodies_and_partial_messages_are_shown_not_fetched() -> None:
    parsed = parse_message(
        multipart(
            "mixed",
            b"Content-Type: message/external-body; access-type=URL; URL=http://x.example/\r\n\r\nContent-Type: text/plain\r\n\r\n",
        )
    )
    assert [one.content_type for one in parsed.attachments] == ["message/external-body"]


# -- names ---------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("offer.pdf", "offer.pdf"),
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\Ada\\offer.pdf", "offer.pdf"),
        ("C:offer.pdf", "offer.pdf"),
        ("\u202egpj.exe", "gpj.exe"),
        ("a\r\nb\x00.txt", "ab.txt"),
        ("offer.pdf. . ", "offer.pdf"),
        ("CON", "_CON"),
        ("nul.txt", "_nul.txt"),
        ("console.txt", "console.txt"),
        ("..", ""),
        ("/", ""),
        ("", ""),
        ("a" * 300 + ".pdf", "a" * 146 + ".pdf"),
        ("ü" * 200, "ü" * 75),
        ('a<b>"c|d?.txt', "a_b__c_d_.txt"),
        ("a..b", "a_b"),
    ],
)
def test_file_names(raw: str, expected: str) -> None:
    assert safe_filename(raw) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("attachment; filename=a.pdf", "a.pdf"),
        ('attachment; filename="a b.pdf"; size=3', "a b.pdf"),
        ("attachment; filename=a b.pdf; size=3", "a b.pdf"),
        ("attachment; filename*=utf-8''%C3%BC.pdf; filename=x.pdf", "ü.pdf"),
        ("attachment; filename*1*=%BC.pdf; filename*0*=utf-8''%C3", "ü.pdf"),
        ('attachment; filename*0="a"; filename*2="c.pdf"', "ac.pdf"),
        ('attachment; filename="=?utf-8?B?w7wucGRm?="', "ü.pdf"),
        ('attachment; filename="a\\"b.pdf"', 'a"b.pdf'),
        ('attachment; filename="C:\\dir\\a.pdf"', "C:\\dir\\a.pdf"),
        ('attachment; filename="open', "open"),
        ("attachment; filename=a.pdf; filename=b.pdf", "a.pdf"),
        ("attachment;; ;filename = a.pdf", "a.pdf"),
        ("attachment; filename*=bogus''%FC.pdf", "ü.pdf"),
        ("attachment", ""),
    ],
)
def test_parameters(text: str, expected: str) -> None:
    parsed = parse_parameters(text, 100)
    assert parsed.value == "attachment"
    assert parsed.get("filename") == expected
