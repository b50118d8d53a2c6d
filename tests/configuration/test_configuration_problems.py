"""Each problem has its code, its place and its line; all are told at once; no value is ever repeated."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from configuration.router_files import ANN, BEN, PASSWORD, taken, valid
from postroom.providers.configuration import Code, Problem, read, validate

POP3 = "Configuration/ProviderConfiguration[1]"
SMTP = "Configuration/ProviderConfiguration[2]"
FEED = "Configuration/ProviderConfiguration[3]"
SYSTEM = "Configuration/SystemConfiguration"
BRACED = "{" + BEN.upper() + "}"

# (old, new) in the valid file -> code, path, line
ONE_CHANGE = [
    ("<EmailPort>995</EmailPort>", "", Code.REQ, f"{POP3}/EmailPort", 11),
    ("<EmailServer>pop.example.com<", "<EmailServer>  <", Code.REQ, f"{POP3}/EmailServer", 15),
    (f">{PASSWORD}<", "><", Code.REQ, f"{POP3}/EmailPassword", 18),
    ("<ProviderClassName>smtp</ProviderClassName>", "", Code.REQ, f"{SMTP}/ProviderClassName", 24),
    ("<EmailPort>25<", "<EmailPort>twenty<", Code.TYPE, f"{SMTP}/EmailPort", 27),
    ("<EmailPort>25<", "<EmailPort>2_5<", Code.TYPE, f"{SMTP}/EmailPort", 27),
    ("<EmailPort>25<", "<EmailPort>٢٥<", Code.TYPE, f"{SMTP}/EmailPort", 27),
    ("<EmailPort>25<", f"<EmailPort>{'9' * 5000}<", Code.TYPE, f"{SMTP}/EmailPort", 27),
    ("<EmailPort>25<", "<EmailPort><b>25</b><", Code.TYPE, f"{SMTP}/EmailPort", 27),
    ("<MaxThreads>20<", "<MaxThreads><", Code.TYPE, f"{SYSTEM}/MaxThreads", 5),
    (f"<UserId>{BEN}<", "<UserId>Ben<", Code.TYPE, f"{POP3}/UserId", 21),
    ("<CrmServerUrl>https:", "<CrmServerUrl>gopher:", Code.TYPE, f"{POP3}/CrmServerUrl", 14),
    ("<Tag>a</Tag>", "<Loudly>1</Loudly><Share>1e3</Share>", Code.TYPE, f"{FEED}/Share", 35),
    ("<Tag>a</Tag>", "<Loud>perhaps</Loud>", Code.TYPE, f"{FEED}/Loud", 35),
    ("<MaxThreads>20<", "<MaxThreads>0<", Code.RANGE, f"{SYSTEM}/MaxThreads", 5),
    ("<MaxThreads>20<", "<MaxThreads>1001<", Code.RANGE, f"{SYSTEM}/MaxThreads", 5),
    ("<EmailPort>25<", "<EmailPort>65536<", Code.RANGE, f"{SMTP}/EmailPort", 27),
    ("<FinalDotTimeout>90000<", "<FinalDotTimeout>999<", Code.RANGE, f"{SMTP}/FinalDotTimeout", 29),
    ("<Tag>a</Tag>", f"<Tag>{'a' * 21}</Tag>", Code.RANGE, f"{FEED}/Tag", 35),
    ("<Tag>a</Tag>", "<Pause>99</Pause>", Code.RANGE, f"{FEED}/Pause", 35),
    ("<Tag>a</Tag>", "<Share>1.01</Share>", Code.RANGE, f"{FEED}/Share", 35),
    ("<LogLevel>2<", "<LogLevelScale>2008</LogLevelScale><LogLevel>0<", Code.RANGE, f"{SYSTEM}/LogLevel", 6),
    ("<EmailTls>none<", "<EmailTls>sometimes<", Code.ENUM, f"{SMTP}/EmailTls", 28),
    ("<Direction>Inbound<", "<Direction>Upward<", Code.ENUM, f"{POP3}/Direction", 13),
    (">smtp<", ">smpt<", Code.ENUM, f"{SMTP}/ProviderClassName", 25),
    ("<EmailTls>none</EmailTls>", "<EmailTls>none</EmailTls>\n<EmailTls>none</EmailTls>", Code.DUP, f"{SMTP}/EmailTls", 29),
    (f"<UserId>{BEN}<", f"<UserId>{ANN}<", Code.DUP, f"{POP3}/UserId", 21),
    ("</SystemConfiguration>", "</SystemConfiguration>\n<SystemConfiguration/>", Code.DUP, SYSTEM, 11),
    ("</ProviderOverrides>", "</ProviderOverrides>\n<ProviderOverrides/>", Code.DUP, f"{SYSTEM}/ProviderOverrides", 10),
    ("<BatchSize>9</BatchSize>", "<BatchSize>9</BatchSize>\n<BatchSize>9</BatchSize>", Code.DUP, f"{SYSTEM}/ProviderOverrides/BatchSize", 9),
    ("<MaxThreads>", "<MaxTreads>2</MaxTreads>\n<MaxThreads>", Code.UNKNOWN, f"{SYSTEM}/MaxTreads", 5),
    ("<Configuration>", "<Configuration><Extra/>", Code.UNKNOWN, "Configuration/Extra", 2),
    ("<EmailPort>25<", "<EmailPort unit='x'>25<", Code.UNKNOWN, f"{SMTP}/EmailPort/@unit", 27),
    ("<BatchSize>9</BatchSize>", "<Bach>9</Bach>", Code.UNKNOWN, f"{SYSTEM}/ProviderOverrides/Bach", 8),
    ("<BatchSize>9</BatchSize>", "<EmailUser>9</EmailUser>", Code.UNKNOWN, f"{SYSTEM}/ProviderOverrides/EmailUser", 8),
    ("<BatchSize>9</BatchSize>", "<EmailPassword>9</EmailPassword>", Code.UNKNOWN, f"{SYSTEM}/ProviderOverrides/EmailPassword", 8),
    ("<BatchSize>9</BatchSize>", "<Direction>Inbound</Direction>", Code.UNKNOWN, f"{SYSTEM}/ProviderOverrides/Direction", 8),
    ("<BatchSize>9<", "<BatchSize>0<", Code.RANGE, f"{SYSTEM}/ProviderOverrides/BatchSize", 8),
    ("<BatchSize>9<", "<BatchSize><a/><", Code.TYPE, f"{SYSTEM}/ProviderOverrides/BatchSize", 8),
    ("<Direction>Inbound<", "<Direction>Outbound<", Code.CONFLICT, f"{POP3}/Direction", 13),
    (">ClearText<", ">Anonymous<", Code.CONFLICT, f"{POP3}/EmailPassword", 18),
    ("<EmailTls>none</EmailTls>", "<EmailTls>none</EmailTls><EmailUseSsl>1</EmailUseSsl>", Code.CONFLICT, f"{SMTP}/EmailUseSsl", 28),
    ("<Tag>a</Tag>", "<Limit>13</Limit>", Code.CONFLICT, FEED, 32),
    ("<EmailTls>none</EmailTls>", "<EmailAuthMode>cleartext</EmailAuthMode>", Code.REQ, f"{SMTP}/EmailUser", 24),
    ("<EmailTls>none</EmailTls>", "<EmailUseSsl>0</EmailUseSsl>", Code.DEPRECATED, f"{SMTP}/EmailUseSsl", 28),
    ("<Tag>a</Tag>", "<Loud>true</Loud>", Code.DEPRECATED, f"{FEED}/Loud", 35),
    ("<Configuration>", "<!DOCTYPE a><Configuration>", Code.DTD, "the file", 2),
    ("<Configuration>", "<!DOCTYPE a [<!ENTITY b SYSTEM 'file:///etc/passwd'>]><Configuration>", Code.DTD, "the file", 2),
    ("</SystemConfiguration>", "</SystemConfigurations>", Code.XML, SYSTEM, 10),
    ("<MaxThreads>20<", "<MaxThreads>&entity;<", Code.XML, f"{SYSTEM}/MaxThreads", 5),
    ('"utf-8"', '"utf-7"', Code.XML, "the file", 0),
    ('"utf-8"', '"us-ascii"', None, "", 0),
    (f"<UserId>{BEN}<", f"<UserId> {BRACED} <", None, "", 0),
    ("<Direction>Inbound<", "<Direction>INBOUND<", None, "", 0),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "code", "path", "line"), ONE_CHANGE)
def test_one_change_gives_one_problem_with_its_place(old: str, new: str, code: Code | None, path: str, line: int) -> None:
    assert valid().count(old) == 1
    file, problems = taken(valid().replace(old, new), strict=True)
    if code is None:
        assert file is not None
        assert not problems
        return
    assert (code, path, line) in [(problem.code, problem.path, problem.line) for problem in problems], problems
    assert (file is None) is (code is not Code.DEPRECATED)
    found = next(problem for problem in problems if (problem.code, problem.path) == (code, path))
    assert str(found).startswith(f"line {line}: {path}: {code}" if line else f"{path}: {code}")


def test_every_code_has_a_row() -> None:
    assert {row[2] for row in ONE_CHANGE} >= set(Code)


def test_all_problems_are_told_at_once_in_the_order_of_lines() -> None:
    text = valid()
    for old, new in (("20<", "x<"), ("<Direction>Inbound", "<Direction>Up"), ("<EmailPort>995</EmailPort>", ""), (">smtp<", ">x<"), ("<FeedUrl>", "<FeedUrl>x</FeedUrl><FeedUrl>")):  # fmt: skip
        text = text.replace(old, new)
    _, problems = taken(text)
    assert [(problem.line, problem.code) for problem in problems] == [
        (5, Code.TYPE),
        (11, Code.REQ),
        (13, Code.ENUM),
        (25, Code.ENUM),
        (34, Code.DUP),
    ]


def test_unknown_elements_are_warnings_in_service_and_name_the_nearest() -> None:
    file, problems = taken(valid().replace("<MaxThreads>", "<maxthread/><MaxThreads>"))
    assert file is not None
    assert [(problem.code, problem.error, problem.remedy) for problem in problems] == [
        (Code.UNKNOWN, False, "did you mean MaxThreads?")
    ]


def test_a_user_served_twice_in_one_direction_is_a_conflict_with_both_lines() -> None:
    feed = f"<FeedUrl>https://example.com/feed</FeedUrl><CrmServerUrl>https://CRM.example.com/contoso/</CrmServerUrl><UserId>{ANN}</UserId>"
    text = valid().replace("<FeedUrl>https://example.com/feed</FeedUrl>", feed)
    file, problems = taken(text)
    assert file is None
    assert [(problem.code, problem.path, problem.line, problem.also) for problem in problems] == [
        (Code.CONFLICT, f"{FEED}/UserId", 34, (20,))
    ]
    assert "line 20" in problems[0].text
    assert taken(text.replace("CRM.example.com/contoso/", "crm.example.com/fabrikam"))[1] == []  # another organization


def test_the_same_user_may_be_served_in_both_directions() -> None:
    outbound = f"<CrmServerUrl>https://crm.example.com/contoso</CrmServerUrl><UserId>{ANN}</UserId><EmailTls>"
    assert taken(valid().replace("<EmailTls>", outbound))[1] == []


def test_a_conflict_is_seen_in_one_line_and_beside_other_mistakes() -> None:
    provider = f"<ProviderConfiguration><ProviderClassName>feed</ProviderClassName><Pause>x</Pause><QueueId>{ANN}</QueueId></ProviderConfiguration>"
    _, problems = taken(f"<Configuration><SystemConfiguration/>{provider * 2}</Configuration>")
    assert [problem.code for problem in problems].count(Code.CONFLICT) == 1
    assert [problem.code for problem in problems].count(Code.REQ) == 2


def test_the_same_mailbox_twice_is_a_conflict_until_it_has_a_name() -> None:
    feed = "<ProviderConfiguration><ProviderClassName>feed</ProviderClassName><FeedUrl>https://EXAMPLE.com/feed </FeedUrl></ProviderConfiguration>"
    text = valid().replace("</Configuration>", feed + "\n</Configuration>")
    _, problems = taken(text)
    assert [(problem.code, problem.line, problem.also) for problem in problems] == [(Code.CONFLICT, 38, (32,))]
    assert taken(text.replace("<FeedUrl>https://EX", "<Name>two</Name><FeedUrl>https://EX"))[1] == []


@pytest.mark.parametrize("cut", [0, 1, 30, 60, 200, 900, 1200])
def test_a_file_cut_short_is_refused_with_a_remedy(cut: int) -> None:
    file, problems = taken(valid()[:cut])
    assert file is None
    assert [problem.code for problem in problems] == [Code.XML]
    assert "not well-formed" in problems[0].text


@pytest.mark.parametrize(
    ("encoding", "declared"),
    [("utf-8", "utf-8"), ("utf-8-sig", "utf-8"), ("utf-16", "utf-16"), ("latin-1", "ISO-8859-1"), ("cp1252", "windows-1252")],
)
def test_encodings(encoding: str, declared: str) -> None:
    text = valid().replace('"utf-8"', f'"{declared}"').replace(">ann<", ">Jörg<")
    file, problems = taken(text.encode(encoding))
    assert file is not None, problems
    assert file.providers[0].config.user == "Jörg"


def test_octets_that_are_not_of_the_encoding() -> None:
    _, problems = taken(valid().encode().replace(b">ann<", b">\xff\xfe<"))
    assert [(problem.code, problem.remedy) for problem in problems] == [(Code.XML, "save it as UTF-8")]


def test_depth_size_and_count_are_bounded() -> None:
    deep = "<Configuration>" + "<a>" * 100_000
    large = b"<Configuration>" + b" " * (16 * 1024 * 1024)
    many = "<Configuration>" + "<a/>" * 300_001
    for octets, word in ((deep.encode(), "deeper"), (large, "larger"), (many.encode(), "more than")):
        file, problems = read(octets)
        assert file is None
        assert len(problems) == 1
        assert word in problems[0].text


def test_entities_are_never_expanded() -> None:
    laughs = "".join(f"<!ENTITY l{n} '{f'&l{n - 1};' * 10}'>" for n in range(1, 12))
    _, problems = taken(f"<!DOCTYPE a [<!ENTITY l0 'ha'>{laughs}]><Configuration>&l11;</Configuration>")
    assert [problem.code for problem in problems] == [Code.DTD]


def test_a_file_of_garbage_gives_a_bounded_report() -> None:
    garbage = "".join(f"<Elephant{n}/>" for n in range(20_000))
    _, problems = taken(f"<Configuration><SystemConfiguration>{garbage}</SystemConfiguration></Configuration>")
    assert len(problems) == 1001
    assert problems[-1].text == "19000 more problems are not listed"


def test_another_root_and_no_system() -> None:
    assert [problem.code for problem in taken("<configuration/>")[1]] == [Code.XML]
    assert [(problem.code, problem.path) for problem in taken("<Configuration/>")[1]] == [(Code.REQ, SYSTEM)]


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "none", tmp_path / "pipe", "/dev/zero", "a\0b"):
        file, problems = validate(path)
        assert file is None
        assert [problem.code for problem in problems] == [Code.XML]


def test_validate_reads_a_file_with_the_installed_providers(tmp_path: Path) -> None:
    text = valid().replace(">feed<", ">configuration.router_files:FeedConfig<")
    (tmp_path / "agent.xml").write_text(text)
    file, problems = validate(tmp_path / "agent.xml")
    assert file is None
    assert [(problem.code, problem.line) for problem in problems] == [(Code.ENUM, 33)]
    start, end = text.rindex("  <ProviderConfiguration>"), text.index("</Configuration>")
    (tmp_path / "agent.xml").write_text(text[:start] + text[end:])
    file, problems = validate(tmp_path / "agent.xml")
    assert problems == []
    assert file is not None
    assert [entry.provider.name for entry in file.providers] == ["pop3", "smtp"]


def test_the_class_may_be_named_with_its_module_apart(tmp_path: Path) -> None:
    apart = "<ProviderClassName>SmtpProvider</ProviderClassName><ProviderAssembly>postroom.providers.builtin.smtp</ProviderAssembly>"
    text = valid().replace("<ProviderClassName>smtp</ProviderClassName>", apart)
    (tmp_path / "agent.xml").write_text(text.replace(">feed<", ">pop3<"))
    _, problems = validate(tmp_path / "agent.xml")
    assert not [problem for problem in problems if problem.path == f"{SMTP}/ProviderClassName"]


def _everything(problems: list[Problem]) -> str:
    return repr(problems) + "".join(map(str, problems))


def test_no_value_is_repeated_wherever_a_password_stands() -> None:
    text = valid()
    starts = [index for index in range(len(text)) if text.startswith("</", index)]
    for start in starts:
        misplaced = text[:start] + PASSWORD + text[start:]
        _, problems = taken(misplaced, strict=True)
        assert PASSWORD not in _everything(problems)


def test_a_password_is_in_no_representation() -> None:
    file, _ = taken(valid().replace("<Tag>a</Tag>", f"<FeedToken>{PASSWORD}</FeedToken>"))
    assert file is not None
    shown = repr(file) + repr([(entry, entry.node, entry.origins, entry.identity) for entry in file.providers])
    assert PASSWORD not in shown
    _, problems = taken(valid().replace("<Tag>a</Tag>", f"<FeedToken>{PASSWORD}</FeedToken><Limit>13</Limit>"))
    assert [problem.code for problem in problems] == [Code.CONFLICT]
    assert "13 is unlucky" in problems[0].text
    assert PASSWORD not in _everything(problems)
