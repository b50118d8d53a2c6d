"""Paths and parameters of MAIL and RCPT."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from postroom_simulator.smtp.addresses import AddressError, parse_parameters, parse_path

GOOD = {
    "<ann@sim.test>": ("ann@sim.test", ""),
    " <ann@sim.test>": ("ann@sim.test", ""),
    "<ann@sim.test> SIZE=1  BODY=7BIT": ("ann@sim.test", "SIZE=1  BODY=7BIT"),
    "<ann@sim.test>   ": ("ann@sim.test", ""),
    "ann@sim.test SIZE=1": ("ann@sim.test", "SIZE=1"),
    "<>": ("", ""),
    "<> SIZE=3": ("", "SIZE=3"),
    "<Ann.O'Hara+x=y@Sim.Test>": ("Ann.O'Hara+x=y@Sim.Test", ""),
    "<a..b@docomo.test>": ("a..b@docomo.test", ""),
    "<@relay.test:ann@sim.test>": ("ann@sim.test", ""),
    "<@a.test,@b.test:ann@sim.test>": ("ann@sim.test", ""),
    "<@[10.0.0.1],@b:ann@sim.test>": ("ann@sim.test", ""),
    "<ann@[127.0.0.1]>": ("ann@[127.0.0.1]", ""),
    "<ann@[IPv6:::1]>": ("ann@[IPv6:::1]", ""),
    "<ann@[ipv6:2001:db8::ffff:10.0.0.1]>": ("ann@[ipv6:2001:db8::ffff:10.0.0.1]", ""),
    "<ann@xn--bcher-kva.test>": ("ann@xn--bcher-kva.test", ""),
    '<"a b"@sim.test>': ('"a b"@sim.test', ""),
    '<"a@b"@sim.test>': ('"a@b"@sim.test', ""),
    '<"<>"@sim.test> SIZE=1': ('"<>"@sim.test', "SIZE=1"),
    '<"a\\"b"@sim.test>': ('"a\\"b"@sim.test', ""),
    '<"ann"@sim.test>': ("ann@sim.test", ""),
    '<"\\a"@sim.test>': ("a@sim.test", ""),
    '<".a"@sim.test>': ('".a"@sim.test', ""),
    '<""@sim.test>': ('""@sim.test', ""),
    "<Postmaster>": ("postmaster", ""),
    "<POSTMASTER>": ("postmaster", ""),
    "<jörg@bücher.test>": ("jörg@bücher.test", ""),
    "<a@under_score.test>": ("a@under_score.test", ""),
}

BAD = [
    "", " ", "<", ">", "<ann", "<ann>", "ann", "<ann@>", "<@sim.test>", "<ann@sim.test", "ann@sim.test>", "<ann@sim.test>x",
    "<ann@sim..test>", "<ann@.sim.test>", "<ann@sim.test.>", "<ann@-sim.test>", "<a b@sim.test>", "<a@b c>", "<a@@b>", "<a,b@c>",
    '<"a@sim.test>', '<"a"b@sim.test>', "<ann@[>", "<ann@[]>", "<@a:@b:ann@c>", "<@a ann@c>", "<a\tb@c>", "<a\0@c>", "<a@c\r\nX: y>",
    "<ann@[300.1.1.1]>", "<ann@[1.2.3]>", "<ann@[IPv6:1::2::3]>", "<ann@[::1]>", "<ann@[IPv6:fe80::1%eth0]>", "<ann@[X-tag:a]>",
    "<(c)ann@sim.test>", "<ann(c)@sim.test>", "<ann@(c)sim.test>", "<ann@sim.test(c)>", "<ann@sim.(c)test>",
    "<a\nb@c>", "<a\x7f@c>", "<a\x85@c>", "<a\udcff@c>", f"<{'a' * 257}@sim.test>", f"<a@{'b' * 256}>", "<<a@b>>", '<"a\r\nb"@c>',
]  # fmt: skip


@pytest.mark.parametrize("text", GOOD)
def test_good_paths(text):
    assert parse_path(text) == GOOD[text]


@pytest.mark.parametrize("text", BAD)
def test_bad_paths(text):
    with pytest.raises(AddressError):
        parse_path(text)


@settings(max_examples=300, deadline=200)
@given(st.text(alphabet='<>@"\\ ab.-,:[]=\t\0é', max_size=60))
@example("<@" + "a-" * 2000)
@example("<@" + "a." * 2000)
@example('<"' + "\\" * 4000)
@example("<" + "@a," * 1300)
def test_whatever_comes_is_an_address_or_an_address_error(text):
    try:
        address, rest = parse_path(text)
    except AddressError:
        return
    assert address in ("", "postmaster") or "@" in address
    assert not any(ord(c) < 32 for c in address + rest)


def test_parameters():
    assert parse_parameters("size=10 SMTPUTF8 Auth=<>") == {"SIZE": "10", "SMTPUTF8": None, "AUTH": "<>"}


@pytest.mark.parametrize(
    "text", ["=1", "SIZE=", "SIZE=1 SIZE=2", "SIZE=1 size=1", "-X", "A=b=c", "A=\t", "A=\x7f", "A=\udc80", "ü=1"]
)
def test_bad_parameters(text):
    with pytest.raises(AddressError):
        parse_parameters(text)
