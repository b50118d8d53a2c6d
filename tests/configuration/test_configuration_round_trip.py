"""What is written loads to the same; what nobody knows stays where it was; identity and difference."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from configuration.router_files import ANN, FEED, PASSWORD, FeedConfig, good, taken, valid
from postroom.errors import ConfigError
from postroom.providers.builtin.pop3 import Pop3Config, Pop3Provider
from postroom.providers.builtin.smtp import SmtpConfig, SmtpProvider
from postroom.providers.configuration import (
    Code,
    FileDirection,
    Layer,
    LogDetail,
    LogScale,
    Millis,
    Override,
    Precedence,
    ProviderEntry,
    ProviderSettings,
    RouterFile,
    Secret,
    SystemConfiguration,
    credential_like,
    declaration,
    diff,
    element,
    from_mapping,
    identity,
    write,
)
from postroom.providers.configuration.declaration import Declared
from postroom.providers.configuration.values import Choice, Fraction, Hidden, Identifier, Period, Seconds, Text, Truth

LETTERS = st.characters(min_codepoint=32, exclude_characters="\ufffe\uffff", exclude_categories=("Cs",))
ANYTHING = st.one_of(LETTERS, st.sampled_from("\t\r\n <&]"))


def _one(declared: Declared) -> st.SearchStrategy[Any]:
    """Values of one element."""
    kind: Any = declared.kind
    letters = ANYTHING if isinstance(kind, Hidden) else LETTERS
    texts = st.text(letters, max_size=min(kind.length, 12)) if isinstance(kind, (Text, Hidden)) else st.nothing()
    filled = texts.filter(str.strip) if declared.required else texts
    match kind:
        case Text(pattern=pattern) if pattern:
            return st.sampled_from(["", "https://crm.example.com/a", "http://b"])
        case Text():
            return filled.map(lambda text: text.strip(" \t\r\n")).filter(
                lambda text: bool(text.strip()) or not declared.required
            )
        case Hidden():
            return filled.map(Secret)
        case Choice():
            return st.sampled_from(list(kind.values.values()))
        case Truth():
            return st.booleans()
        case Identifier():
            return st.uuids()
        case Fraction():
            return st.floats(kind.minimum, kind.maximum, allow_nan=False).map(lambda number: number + 0.0)
        case Seconds():
            return st.integers(kind.minimum, kind.maximum).map(lambda number: number / 1000)
        case Period():
            return st.integers(kind.minimum, kind.maximum).map(Millis)
    return st.integers(kind.minimum, kind.maximum if kind.maximum is not None else 10**9)


def _model(model: type, **fixed: Any) -> st.SearchStrategy[Any]:
    fields: dict[str, Any] = {}
    for declared in declaration(model):
        one = _one(declared)
        if declared.many:
            one = st.lists(one, max_size=4, unique=True).map(tuple)
        elif declared.default is None:
            one = st.none() | one
        fields[declared.attribute] = one if declared.required else st.one_of(st.just(declared.default), one)
    return st.builds(model, **{**fields, **{name: st.just(value) for name, value in fixed.items()}})


def _entry(number: int) -> st.SearchStrategy[ProviderEntry]:
    """An entry that conflicts with none of another number."""
    spec, name = ((Pop3Provider.spec, "pop3"), (SmtpProvider.spec, "smtp"), (FEED, "feed"))[number % 3]
    fixed = {"name": str(number), "users": (UUID(int=number),), "queues": (), "direction": None, "auth_mode": None}
    config = _model(FeedConfig, ids=(UUID(int=number),), batch=3, loud=False) if spec is FEED else _model(spec.config)
    config = config.filter(lambda value: getattr(value, "limit", None) != 13)
    shared = _model(ProviderSettings, class_name=name, assembly="", **fixed, **({"batch_size": 3} if spec is FEED else {}))
    return st.builds(ProviderEntry, st.just(spec), shared, config)


SYSTEMS = _model(SystemConfiguration, log_level=2, precedence=Precedence.PROVIDER_FIRST)
OVERRIDES = st.sampled_from([(), (Override("BatchSize", "9"), Override("MaximumDeliveryAttempts", "3"))])
ENTRIES = [_entry(number) for number in range(3)]
FILES = st.builds(RouterFile, SYSTEMS, st.one_of([st.tuples(*ENTRIES[:count]) for count in range(4)]), OVERRIDES)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(FILES)
def test_write_then_load_is_equal(file: RouterFile) -> None:
    octets = write(file)
    again = good(octets)
    assert again == file
    assert write(again) == octets
    assert [entry.identity for entry in again.providers] == [entry.identity for entry in file.providers]
    assert not diff(file, again)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(_model(SystemConfiguration, log_level=1), _model(Pop3Config))
def test_a_changed_file_loads_to_what_was_set(system: SystemConfiguration, config: Pop3Config) -> None:
    file = good(valid())
    first = replace(file.providers[0], config=config)
    changed = replace(
        file, system=replace(system, precedence=Precedence.PROVIDER_FIRST), providers=(first, *file.providers[1:])
    )
    assert taken(write(changed))[0] == changed


def test_what_nobody_knows_and_comments_stay_at_their_place() -> None:
    extra = '<Custom kind="x"><Inner>a &lt; b</Inner><Empty/></Custom>'
    text = valid().replace("<MaxThreads>20</MaxThreads>", f"<MaxThreads>20</MaxThreads>\n    {extra}<!-- mine -->")
    text = text.replace("<EmailPort>25<", f"{extra}<EmailPort>25<").replace("<Configuration>", f"<Configuration>{extra}")
    file, problems = taken(text)
    assert file is not None
    assert {problem.code for problem in problems} == {Code.UNKNOWN}
    octets = write(replace(file, system=replace(file.system, max_threads=30)))
    again, problems = taken(octets)
    assert len(problems) == 3
    assert again is not None
    assert again.system.max_threads == 30
    written = "".join(line.strip() for line in octets.decode().splitlines())
    assert written.count(extra) == 3
    assert f"<MaxThreads>30</MaxThreads>{extra}<!-- mine -->" in written
    assert f"{extra}<EmailPort>25</EmailPort>" in written
    assert "<!-- the service -->" in written


def test_an_unchanged_file_is_written_as_it_was() -> None:
    assert write(good(valid())).decode() == valid()


def test_a_copy_to_show_hides_secrets_and_everything_unknown() -> None:
    text = valid().replace("<EmailPort>25<", f"<EmailPasword>{PASSWORD}</EmailPasword><!--{PASSWORD}--><EmailPort>25<")
    text = text.replace("<MaxThreads>", f"<Pass><Word>{PASSWORD}</Word></Pass><MaxThreads>").replace("<BatchSize>9", f"<X>{PASSWORD}</X><BatchSize>9")  # fmt: skip
    file, _ = taken(text)
    assert file is not None
    shown = write(file, secrets=False).decode()
    assert PASSWORD not in shown
    assert "<EmailServer>pop.example.com</EmailServer>" in shown
    assert "<EmailPasword>...</EmailPasword>" in shown
    assert PASSWORD in write(file).decode()


def test_what_a_file_cannot_express_is_refused_not_written_wrong() -> None:
    file = good(valid())
    for config in (replace(file.providers[0].config, user=" ann"), replace(file.providers[0].config, host="a\0b"), replace(file.providers[0].config, port=0)):  # fmt: skip
        with pytest.raises(ConfigError) as refused:
            write(replace(file, providers=(replace(file.providers[0], config=config),)))
        assert PASSWORD not in str(refused.value)


def test_precedence_and_origin() -> None:
    file = good(valid())
    pop3, smtp, feed = file.providers
    assert [entry.settings.batch_size for entry in file.providers] == [9, 3, 9]
    assert feed.config.batch == 9  # the provider's own field of the same element
    assert [(entry.origins["BatchSize"].layer, entry.origins["BatchSize"].line) for entry in file.providers] == [
        (Layer.OVERRIDE, 8),
        (Layer.PROVIDER, 30),
        (Layer.OVERRIDE, 8),
    ]
    assert pop3.origins["MaxMessageCount"].layer is Layer.DEFAULT
    assert smtp.origins["EmailTls"].layer is Layer.PROVIDER
    mode = "<ProviderOverridesPrecedence>OverridesFirst</ProviderOverridesPrecedence>"
    compatible = good(valid().replace("<MaxThreads>", f"{mode}<MaxThreads>"))
    assert [entry.settings.batch_size for entry in compatible.providers] == [9, 9, 9]
    assert compatible.providers[1].origins["BatchSize"].layer is Layer.OVERRIDE
    assert "<BatchSize>3</BatchSize>" in write(compatible).decode()
    with pytest.raises(ConfigError, match="cannot be set for one provider"):
        write(replace(compatible, providers=(replace(compatible.providers[1], settings=replace(compatible.providers[1].settings, batch_size=4)),)))  # fmt: skip


def test_an_override_of_a_providers_own_element() -> None:
    file = good(valid().replace("<BatchSize>9</BatchSize>", "<Pause>300</Pause><UsePipelining>false</UsePipelining>"))
    assert file.providers[2].config.pause == Millis(300)
    assert file.providers[0].config.pipelining is False


def test_defaults_are_those_of_the_published_samples() -> None:
    system = good("<Configuration><SystemConfiguration/></Configuration>").system
    assert (system.max_threads, system.max_thread_execution.milliseconds, system.scheduling_period.milliseconds) == (
        50,
        600000,
        1000,
    )
    assert (system.config_refresh_period.seconds, system.config_update_period.milliseconds) == (5.0, 3600000)
    entry = good(valid().replace("<BatchSize>9</BatchSize>", "")).providers[0].settings
    assert (entry.cache_capacity, entry.maximum_delivery_attempts, entry.ews_retrieve_message_count) == (1024, 10, 10)
    assert (entry.batch_size, entry.request_batch_size) == (5, 5)
    assert (entry.pending_status_delay.seconds, entry.sending_status_delay.seconds) == (300, 1800)


@pytest.mark.parametrize(
    ("level", "scale", "detail"),
    [
        (None, LogScale.CURRENT, LogDetail.NONE),
        (0, LogScale.CURRENT, LogDetail.NONE),
        (3, LogScale.CURRENT, LogDetail.MESSAGE),
        (None, LogScale.OF_2008, LogDetail.ERRORS),
        (2, LogScale.OF_2008, LogDetail.MAILBOX),
    ],
)
def test_both_scales_of_the_log_level(level: int | None, scale: LogScale, detail: LogDetail) -> None:
    assert SystemConfiguration(log_level=level, log_scale=scale).detail is detail


def test_the_file_constructs_the_configurations_that_providers_take() -> None:
    pop3, smtp, _ = good(valid()).providers
    assert pop3.config == Pop3Config("pop.example.com", 995, "ann", Secret(PASSWORD))
    assert smtp.config == SmtpConfig("relay.example.com", 25, tls="none", final_dot_timeout=90.0)
    assert (pop3.settings.direction, pop3.settings.users[0]) == (FileDirection.INBOUND, UUID(ANN))
    old = good_but_deprecated(valid().replace("<EmailTls>none</EmailTls>", "<EmailUseSsl>True</EmailUseSsl>"))
    assert old.providers[1].config.tls == "starttls"


def good_but_deprecated(text: str) -> RouterFile:
    file, problems = taken(text, strict=True)
    assert {problem.code for problem in problems} == {Code.DEPRECATED}
    assert file is not None
    return file


# -- identity


BASE = Pop3Config("pop.example.com", 995, "ann", Secret(PASSWORD))


def test_identity_is_the_same_for_ever() -> None:
    """State is kept under it: another value loses the state of every installation."""
    assert identity("pop3", BASE) == "e74f12dbc174f4c8085db7c03416e7e16f7fac10d23fafc85a0a088b0fd334d0"
    assert good(valid()).providers[0].identity == "5557c3e32ddae8d810b597bf5a5fc5c45f57286bba58f37062263451dc36c5d7"


@pytest.mark.parametrize(
    "other",
    [
        replace(BASE, password=Secret("another")),
        replace(BASE, host=" POP.example.COM "),
        replace(BASE, user="ANN"),
        replace(BASE, tls="none", delete=True, message_octets=5000, port=110),
    ],
)
def test_password_tuning_case_and_blanks_do_not_change_identity(other: Pop3Config) -> None:
    assert identity("pop3", other) == identity(" POP3", BASE)


def test_different_mailboxes_differ() -> None:
    shared = ProviderSettings("pop3")
    values = [
        identity("pop3", BASE),
        identity("pop4", BASE),
        identity("pop3", replace(BASE, host="b")),
        identity("pop3", replace(BASE, user="ben")),
        identity("pop3", replace(BASE, host="pop.example.comann", user="")),
        identity("pop3", replace(BASE, host="ann", user="pop.example.com")),
        *(identity("pop3", BASE, replace(shared, **{name: "x"})) for name in ("name", "target", "crm_server_url")),
    ]
    assert len(set(values)) == len(values)
    assert identity("pop3", BASE, shared) == identity("pop3", BASE)


# -- difference


def test_an_identical_file_changes_nothing() -> None:
    once, twice = good(valid()), good(valid().replace("\n", "\n\n").replace("<BatchSize>3<", "<BatchSize> 3 <"))
    changes = diff(once, twice)
    assert not changes
    assert len(changes.unchanged) == 3


def test_added_removed_changed() -> None:
    old = good(valid())
    text = (
        valid()
        .replace(PASSWORD, "new")
        .replace("example.com/feed", "example.com/other")
        .replace("<MaxThreads>20", "<MaxThreads>21")
    )
    changes = diff(old, good(text))
    assert [entry.config.url for entry in changes.added] == ["https://example.com/other"]
    assert [entry.config.url for entry in changes.removed] == ["https://example.com/feed"]
    assert [(a.config.password == b.config.password, a.identity == b.identity) for a, b in changes.changed] == [(False, True)]
    assert [entry.provider.name for entry in changes.unchanged] == ["smtp"]
    assert changes.system


def test_another_override_changes_those_that_take_it() -> None:
    changes = diff(good(valid()), good(valid().replace("<BatchSize>9", "<BatchSize>8")))
    assert [a.provider.name for a, _ in changes.changed] == ["pop3", "feed"]
    assert changes
    assert not changes.system


# -- declarations


def test_from_mapping() -> None:
    value, problems = from_mapping(FeedConfig, {"FeedUrl": "u", "Tag": ["a", "b"], "Share": "0.25"})
    assert not problems
    assert value == FeedConfig("u", share=0.25, tags=("a", "b"))
    value, problems = from_mapping(FeedConfig, {"Limit": "0", "Nothing": "1"})
    assert value is None
    assert {problem.code for problem in problems} == {Code.REQ, Code.RANGE, Code.UNKNOWN}


def test_declarations_that_are_wrong_are_refused_with_everything() -> None:
    @dataclass(frozen=True)
    class Wrong:
        plain: str
        secret: str = element("Password", secret=True, default="")
        hidden: Secret = element("Hidden", default=Secret(""))
        known: Secret = element("Known", secret=True, identity=True, default=Secret(""))
        odd: bytes = element("Odd", default=b"")
        many: tuple[int, ...] = element("Many", default=())
        bad: int = element("not a name", default=1)
        same: int = element("Odd", default=1)
        twice: int = element("Twice", default=1)
        again: int = element("Twice", default=1)

    Wrong.__annotations__ = {"plain": str, "secret": str, "hidden": Secret, "known": Secret, "odd": bytes, "many": tuple[int, ...], "bad": int, "same": int, "twice": int, "again": int}  # fmt: skip
    with pytest.raises(ConfigError) as refused:
        declaration(Wrong)
    for word in ("plain:", "secret:", "hidden:", "known:", "odd:", "many:", "bad:", "Twice is declared twice"):
        assert word in str(refused.value)
    with pytest.raises(ConfigError, match="no dataclass"):
        declaration(int)


def test_elements_that_look_like_credentials_are_secrets() -> None:
    @dataclass(frozen=True)
    class Careless:
        password: str = element("EmailPassword")
        count: int = element("TokenCount", default=1)

    Careless.__annotations__ = {"password": str, "count": int}
    assert credential_like(Careless) == ["EmailPassword"]
    for model in (Pop3Config, SmtpConfig, FeedConfig, ProviderSettings, SystemConfiguration):
        assert credential_like(model) == []


def test_values_in_code_are_bounded_types() -> None:
    assert Millis(1500).seconds == 1.5
    assert Millis(1) < Millis(2)
    assert math.isclose(Millis(250).delta.total_seconds(), 0.25)
    assert all(field.repr is False for field in dataclasses.fields(Pop3Config) if field.name == "password")
