"""CFG: the configuration. One declaration gives loader, writer, schema and identity, so most duties here are the framework's; the provider's are
what it declares, and what it does with what it was given."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from postroom.providers.configuration import (
    Code,
    Declared,
    Problem,
    ProviderEntry,
    ProviderSettings,
    RouterFile,
    credential_like,
    declaration,
)
from postroom.providers.configuration.problems import Findings
from postroom.providers.configuration.tree import parse
from postroom.testing.conformance import samples
from postroom.testing.conformance.bench import Bench
from postroom.testing.conformance.failures import FixtureError, NotApplicable
from postroom.testing.conformance.guard import Snapshot
from postroom.testing.conformance.journals import forms
from postroom.testing.conformance.network import Trouble
from postroom.testing.conformance.table import Level, Need, Owner, Profile, check
from postroom.testing.conformance.world import PASSWORD

__all__: list[str] = []

Texts = Mapping[str, str | Sequence[str]]


def _load(bench: Bench, texts: Texts, *, strict: bool = True) -> tuple[Any, list[Problem], dict[str, int]]:
    """Value, problems and the line of each element, by way of a file."""
    octets, lines = samples.document(texts)
    node = parse(octets, Findings())
    if node is None:
        raise FixtureError("the configuration cannot be written as XML")
    try:
        value, problems = bench.framework.load(bench.spec.config, node, strict=strict)
    except Exception as error:
        bench.expect(False, expected="a list of problems", observed=f"the loader raised {type(error).__name__}")
        raise AssertionError from error  # not reached
    return value, problems, lines


def _named(problems: Sequence[Problem], name: str, *codes: Code) -> list[Problem]:
    return [one for one in problems if one.path.rpartition("/")[2].partition("[")[0] == name and one.code in codes]


def _told(problems: Sequence[Problem]) -> str:
    return "; ".join(map(str, problems)) or "no problem"


def _declared(bench: Bench) -> tuple[Declared, ...]:
    return declaration(bench.spec.config)


@check(
    "CFG-01",
    "minimal_loads",
    Level.MUST,
    Profile.CORE,
    rule="the required elements alone are enough to load and construct",
    mutant="has a hidden extra requirement",
)
def minimal_loads(bench: Bench) -> None:
    """An element that is needed is declared as required: without a default. Then it is in the schema, in the documentation and in the
    message that names what is missing."""
    given = bench.config()
    needed = {one.name for one in _declared(bench) if one.required}
    minimal = {name: text for name, text in given.items() if name in needed}
    value, problems, _ = _load(bench, minimal)
    bench.expect(value is not None, expected="a configuration from the required elements", observed=_told(problems))
    dropped = {name: "" for name in given if name not in needed}
    bench.world.note("kit", f"constructed with {', '.join(minimal) or 'nothing'} only")
    from postroom.providers.contract import ProviderEnv

    try:
        with bench.captured():
            bench.subject.provider(value, ProviderEnv("kit-minimal")).close()
    except Exception as error:  # whatever a constructor raises
        bench.expect(
            False,
            expected="a provider constructed from the required elements alone",
            observed=f"{type(error).__name__}: {error} (left out: {', '.join(dropped) or 'nothing'})",
        )


@check(
    "CFG-02",
    "round_trip",
    Level.MUST,
    Profile.CORE,
    rule="what is written and loaded again is equal",
    owner=Owner.FRAMEWORK,
    mutant="drops a repeated element",
)
def round_trip(bench: Bench) -> None:
    """A router rewrites its file when an operator changes one value in it: nothing else may change."""
    file = _file(bench, _varied(bench))
    octets = bench.framework.write(file)
    again, problems = bench.framework.read(octets, strict=True, resolve=lambda *_: bench.spec)
    bench.expect(again is not None, expected="the written file loads", observed=_told(problems))
    bench.expect(
        again.providers == file.providers,
        expected="the configuration and settings that were written",
        observed="differences in "
        + ", ".join(_differences(file.providers[0], again.providers[0] if again.providers else None)),
    )


def _varied(bench: Bench) -> Texts:
    """The author's configuration with every other element set to something that is not its default."""
    texts = dict(bench.config())
    for one in _declared(bench):
        if one.name not in texts and (other := samples.another(one, one.default)) is not None:
            second = samples.another(one, [one.kind.parse(other)]) if one.many else None
            texts[one.name] = [text for text in (other, second) if text is not None] if one.many else other
    return texts


def _file(bench: Bench, texts: Texts, **settings: Any) -> RouterFile:
    from uuid import UUID

    users = tuple(UUID(int=number) for number in (1, 2))
    name = f"{bench.subject.provider.__module__}:{bench.subject.provider.__qualname__}"
    whole = ProviderSettings(class_name=name, users=users, name="kit", **settings)
    value, problems, _ = _load(bench, texts)
    bench.expect(value is not None, expected="a configuration that loads", observed=_told(problems))
    return RouterFile(providers=(ProviderEntry(bench.spec, whole, value),))


def _differences(one: Any, other: Any) -> list[str]:
    if other is None:
        return ["all of it"]
    return [
        declared.name
        for part in ("settings", "config")
        for declared in declaration(type(getattr(one, part)))
        if getattr(getattr(one, part), declared.attribute) != getattr(getattr(other, part), declared.attribute)
    ] or ["the file"]


@check(
    "CFG-03",
    "required_reported",
    Level.MUST,
    Profile.CORE,
    rule="each required element that is missing is named, all of them at once",
    owner=Owner.FRAMEWORK,
    mutant="stops at the first",
)
def required_reported(bench: Bench) -> None:
    """Whoever writes a file wants to hear everything that is wrong with it, not one thing at a time."""
    given = bench.config()
    needed = samples.required(_declared(bench))
    for one in needed:
        _, problems, _ = _load(bench, {name: text for name, text in given.items() if name != one.name})
        bench.expect(
            _named(problems, one.name, Code.REQ), expected=f"{one.name} is named as required", observed=_told(problems)
        )
    names = {one.name for one in needed}
    _, problems, _ = _load(bench, {name: text for name, text in given.items() if name not in names})
    missing = [one.name for one in needed if not _named(problems, one.name, Code.REQ)]
    bench.expect(not missing, expected="all missing elements named at once", observed=f"not named: {', '.join(missing)}")


@check(
    "CFG-04",
    "type_reported_with_line",
    Level.MUST,
    Profile.CORE,
    rule="a value of the wrong type gives code, element path and line, and is not echoed",
    owner=Owner.FRAMEWORK,
    mutant="forgets the line",
)
def type_reported_with_line(bench: Bench) -> None:
    """The value is not repeated in the message: it may be a password in the wrong place."""
    given = bench.config()
    for one in _declared(bench):
        wrong = samples.nonsense(one)
        if wrong is None:
            continue
        value, problems, lines = _load(bench, {**given, one.name: wrong})
        found = _named(problems, one.name, Code.TYPE, Code.ENUM, Code.RANGE)
        bench.expect(value is None and found, expected=f"{one.name}: a problem of its type", observed=_told(problems))
        expected = f"{one.name}: the problem is in line {lines[one.name]}"
        bench.expect(found[0].line == lines[one.name], expected=expected, observed=f"in line {found[0].line}")
        bench.expect(
            wrong not in _told(problems), expected="the value is not shown", observed="the wrong value stands in the message"
        )


@check(
    "CFG-05",
    "range_enforced",
    Level.MUST,
    Profile.CORE,
    rule="minimum, maximum, length and enumeration are enforced",
    owner=Owner.FRAMEWORK,
    mutant="accepts what is out of range",
)
def range_enforced(bench: Bench) -> None:
    """A period of zero or a negative batch size is refused when the file is read, not discovered when the service runs hot."""
    given = bench.config()
    for one in _declared(bench):
        for text in samples.beyond(one):
            value, problems, _ = _load(bench, {**given, one.name: text})
            shown = text if len(text) < 40 else f"{len(text)} characters"
            bench.expect(
                value is None and _named(problems, one.name, Code.RANGE, Code.ENUM, Code.TYPE),
                expected=f"{one.name} refuses {shown}",
                observed=_told(problems) if problems else "it is accepted",
            )


@check(
    "CFG-06",
    "unknown_reported",
    Level.MUST,
    Profile.CORE,
    rule="elements that nobody declared are reported, with the nearest name",
    owner=Owner.FRAMEWORK,
    mutant="ignores a typo",
)
def unknown_reported(bench: Bench) -> None:
    """A misspelt element would leave the default in force, in silence."""
    given = dict(bench.config())
    for one in _declared(bench)[:6]:
        typo = one.name[:-1] + ("x" if not one.name.endswith("x") else "y")
        value, problems, _ = _load(bench, {**given, typo: "1"})
        found = _named(problems, typo, Code.UNKNOWN)
        bench.expect(value is None or found, expected=f"{typo} is reported", observed=_told(problems))
        bench.expect(found, expected=f"{typo} is reported as unknown", observed=_told(problems))
        bench.expect(found[0].error, expected="an error, where files are read strictly", observed=_told(found))


@check(
    "CFG-07",
    "duplicate_rejected",
    Level.MUST,
    Profile.CORE,
    rule="an element that may stand once and stands twice is an error",
    owner=Owner.FRAMEWORK,
    mutant="lets the last one win",
)
def duplicate_rejected(bench: Bench) -> None:
    """Which of two servers did the author mean? Nobody knows, so nothing is loaded."""
    given = dict(bench.config())
    for one in _declared(bench):
        text = given.get(one.name) or samples.another(one, None)
        if one.many or not isinstance(text, str):
            continue
        value, problems, _ = _load(bench, {**given, one.name: [text, text]})
        bench.expect(
            value is None and _named(problems, one.name, Code.DUP),
            expected=f"{one.name}, given twice, is refused",
            observed=_told(problems) if problems else "one of the two was taken",
        )


@check(
    "CFG-08",
    "secrets_typed",
    Level.MUST,
    Profile.CORE,
    rule="elements that look like credentials are Secret",
    mutant="has the password as str",
)
def secrets_typed(bench: Bench) -> None:
    """A str ends up in a repr, a log line or a trace. Declare `password: Secret = element("...", secret=True)`."""
    plain = credential_like(bench.spec.config)
    bench.expect(not plain, expected="every credential declared as Secret", observed=f"plain text: {', '.join(plain)}")


@check(
    "CFG-09",
    "secrets_never_rendered",
    Level.MUST,
    Profile.CORE,
    rule="no secret stands in a repr, log line, error, state, outcome or output",
    needs={Need.CREDENTIALS},
    mutant="logs the login line",
    again="the log-in was refused on purpose",
)
def secrets_never_rendered(bench: Bench) -> None:
    """Reveal a secret just before it is written to the wire, and never build a text around it."""
    bench.seed(1)
    wrong = bench.subject.wrong_credentials(bench.world) or {}
    texts: dict[str, list[str]] = {}
    for name, elements, trouble in (
        ("a healthy run", {}, None),
        ("a refused log-in", wrong, None),
        ("a lost connection", {}, Trouble.RESET),
        ("nonsense from the server", {}, Trouble.GARBAGE),
    ):
        instance = bench.instance(elements)
        if trouble is not None:
            bench.world.network.fail(trouble)
        for ran in (instance.try_check(), instance.try_run()):
            texts.setdefault(f"an error, after {name}", []).extend(_words(ran.error))
            texts.setdefault(f"an outcome, after {name}", []).append(repr(ran.outcome))
        bench.world.heal()
        texts[f"the log, after {name}"] = [repr(line) for line in instance.log.lines]
        texts[f"repr of the provider, after {name}"] = [repr(instance.provider), str(instance.provider)]
        texts[f"last_error, after {name}"] = [str(getattr(instance.provider, "last_error", ""))]
        texts[f"repr of the configuration, after {name}"] = [repr(instance.config), str(instance.config)]
        texts[f"the state, after {name}"] = [repr(instance.store.cell.value), repr(instance.store.seen.entries)]
    texts["what was printed"] = [bench.printed.getvalue()]
    secrets = forms([PASSWORD, *wrong.values()])
    for place, said in texts.items():
        bench.expect(
            not any(secret in text for secret in secrets for text in said),
            expected="no secret anywhere but on the wire",
            observed=f"a secret stands in {place}",
        )


def _words(error: BaseException | None) -> list[str]:
    found: list[str] = []
    while error is not None:
        found += [str(error), repr(error), repr(error.args), str(getattr(error, "reply", "")), str(getattr(error, "code", ""))]
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return found


@check(
    "CFG-10",
    "constructor_pure",
    Level.MUST,
    Profile.CORE,
    rule="constructing does no input or output, starts nothing and changes nothing",
    mutant="dials in __init__",
)
def constructor_pure(bench: Bench) -> None:
    """A router constructs every provider of a file before it runs the first. One that dials there stops all others."""
    before = Snapshot.take()
    seen = len(bench.guard.violations) if bench.guard else 0
    instance = bench.instance()
    after = Snapshot.take()
    done = [f"{one.what} {one.where}" for one in (bench.guard.violations[seen:] if bench.guard else [])]
    done += [f"a thread: {name}" for name in after.threads_left(before)]
    done += [f"changed {name}" for name in after.settings_changed(before)]
    done += ["it left a descriptor open"] if after.descriptors > before.descriptors else []
    bench.expect(not done, expected="a constructor that only keeps what it is given", observed="; ".join(done[:4]))
    instance.close()


@check(
    "CFG-11",
    "identity_stable",
    Level.MUST,
    Profile.CORE,
    rule="tuning values, the password, letter case and blanks do not change the identity",
    owner=Owner.FRAMEWORK,
    mutant="hashes everything",
)
def identity_stable(bench: Bench) -> None:
    """The identity is the key of the state. A new password must not be a new mailbox, which would take everything in again."""
    given = bench.config()
    first = bench.framework.identity(bench.spec.name, bench.loaded(given))
    for one in _declared(bench):
        current = getattr(bench.loaded(given), one.attribute)
        if one.identity:
            changed = (
                {**given, one.name: f"  {str(given[one.name]).upper()} "} if isinstance(given.get(one.name), str) else None
            )
            why = "its case and blanks"
        else:
            other = samples.another(one, current)
            changed = {**given, one.name: [other] if one.many else other} if other is not None else None
            why = "a tuning value or secret"
        value = _load(bench, changed)[0] if changed else None
        if value is None:
            continue  # the model itself refuses the combination
        bench.expect(
            bench.framework.identity(bench.spec.name, value) == first,
            expected="the same identity",
            observed=f"another one, when {one.name} changed ({why})",
        )


@check(
    "CFG-12",
    "identity_distinct",
    Level.MUST,
    Profile.CORE,
    rule="two mailboxes have two identities",
    mutant="hashes the server only",
)
def identity_distinct(bench: Bench) -> None:
    """Two instances of one identity would share one state: what one has seen, the other never delivers. Mark what tells mailboxes apart:
    element(..., identity=True)."""
    one, other = bench.config(), bench.config(1)
    if one == other:
        raise NotApplicable(
            "config(world) gives the same for two mailboxes: use world.mailbox or world.address to tell them apart"
        )
    bench.expect(
        bench.framework.identity(bench.spec.name, bench.loaded(one))
        != bench.framework.identity(bench.spec.name, bench.loaded(other)),
        expected="different identities for two mailboxes",
        observed="one identity; they differ in " + ", ".join(sorted(name for name in one if one[name] != other.get(name))),
    )


@check(
    "CFG-13",
    "precedence",
    Level.SHOULD,
    Profile.CORE,
    rule="a value comes from the provider's element, else from ProviderOverrides, else from the default",
    owner=Owner.FRAMEWORK,
    mutant="takes the default before the override",
)
def precedence(bench: Bench) -> None:
    """The original's order is not documented, so it is a setting; this is the default one."""
    given = bench.config()
    free = [one for one in _declared(bench) if one.overridable and one.name not in given]
    chosen = next(((one, text) for one in free if (text := samples.another(one, one.default)) is not None), None)
    if chosen is None:
        raise NotApplicable("no element of this provider can be overridden")
    one, text = chosen
    for own, over, expected in (
        (None, None, one.default),
        (None, text, one.kind.parse(text)),
        (text, None, one.kind.parse(text)),
    ):
        value = _with_override(bench, {**given, **({one.name: own} if own else {})}, {one.name: over} if over else {})
        bench.expect_equal(getattr(value, one.attribute), expected, f"{one.name} with own {own!r} and override {over!r}")


def _with_override(bench: Bench, texts: Texts, overrides: Mapping[str, str]) -> Any:
    own = (
        samples.document(texts)[0]
        .decode()
        .replace("<ProviderConfiguration>", "<ProviderConfiguration><ProviderClassName>x</ProviderClassName>")
    )
    over = "".join(f"<{name}>{text}</{name}>" for name, text in overrides.items())
    system = f"<SystemConfiguration><ProviderOverrides>{over}</ProviderOverrides></SystemConfiguration>"
    file, problems = bench.framework.read(
        f"<Configuration>{system}{own}</Configuration>".encode(), strict=True, resolve=lambda *_: bench.spec
    )
    bench.expect(file is not None, expected="a file with an override loads", observed=_told(problems))
    return file.providers[0].config


@check(
    "CFG-14",
    "spec_compatible",
    Level.SHOULD,
    Profile.CORE,
    rule="the configuration accepts everything that the previous release accepted",
    mutant="renames an element",
)
def spec_compatible(bench: Bench) -> None:
    """Keep the schema of each release (`json_schema(MyConfig)`) and name it: `published = "schema-1.2.json"`. A renamed element keeps its
    earlier name: element("New", was={"Old": None})."""
    published = bench.subject.published
    if published is None:
        raise NotApplicable("no schema of an earlier release is named: published = 'schema.json'")
    if not isinstance(published, Mapping):
        try:
            published = json.loads(Path(published).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise FixtureError(f"published: {error}") from error
    lost = bench.framework.narrowed(published, bench.framework.schema(bench.spec.config))
    bench.expect(not lost, expected="everything that was accepted before", observed="; ".join(lost[:4]))


@check(
    "CFG-15",
    "reload_equivalent",
    Level.MUST,
    Profile.CORE,
    rule="applying an identical file changes nothing",
    owner=Owner.FRAMEWORK,
    mutant="takes every instance for changed",
)
def reload_equivalent(bench: Bench) -> None:
    """A router reads its file again and again. What did not change keeps running, with its state."""
    octets = bench.framework.write(_file(bench, bench.config()))
    files = [bench.framework.read(octets, strict=True, resolve=lambda *_: bench.spec) for _ in range(2)]
    one, other = (file for file, _ in files)
    bench.expect(one is not None and other is not None, expected="a file that loads twice", observed=_told(files[0][1]))
    changes = bench.framework.diff(one, other)
    bench.expect(not changes, expected="no change", observed=repr(changes)[:200])
    bench.expect_equal(len(changes.unchanged), 1, "instances that go on unchanged")
