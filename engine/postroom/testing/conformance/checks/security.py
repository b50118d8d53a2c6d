"""SEC: security. A provider talks to the hosts it is configured for, writes where it may, and believes nothing that it reads."""

from __future__ import annotations

from collections.abc import Sequence

from postroom.errors import ProviderError
from postroom.testing.conformance.bench import Bench
from postroom.testing.conformance.failures import NotApplicable
from postroom.testing.conformance.journals import forms
from postroom.testing.conformance.table import Level, Need, Profile, check
from postroom.testing.conformance.world import PASSWORD
from postroom_simulator.faults import TlsTrouble

__all__: list[str] = []

MARK = "kit-entity-was-expanded"
LAUGHS = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 9))
HOSTILE = {
    "an internal entity": f'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY e "{MARK}">]><a>&e;</a>',
    "an entity of a file": '<?xml version="1.0"?><!DOCTYPE a [<!ENTITY e SYSTEM "file:///etc/hostname">]><a>&e;</a>',
    "a billion laughs": f'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY l0 "{MARK}">{LAUGHS}]><a>&l8;</a>',
}


@check(
    "SEC-01",
    "only_configured_hosts",
    Level.MUST,
    Profile.SECURE,
    rule="no connection goes to a host that the configuration does not name",
    mutant="calls home",
    standing=True,
)
def only_configured_hosts(bench: Bench) -> None:
    """No telemetry, no update check, no redirect to elsewhere. Every scenario of the kit is watched for it."""
    bench.seed(2)
    instance = bench.instance()
    instance.try_check()
    instance.try_run()
    texts = _texts(instance.texts.values())
    foreign = sorted({dial.host for dial in bench.world.network.dials if not any(dial.host in text for text in texts)})
    bench.expect(not foreign, expected="connections to configured hosts only", observed=f"also to {', '.join(foreign)}")
    direct = sorted({one.where for one in (bench.guard.foreign("connect", "resolve") if bench.guard else [])})
    bench.expect(not direct, expected="no connection past ctx.net", observed=f"to {', '.join(direct)}")


def _texts(values: object) -> list[str]:
    found: list[str] = []
    for value in values if isinstance(values, Sequence) and not isinstance(values, str) else list(values):  # type: ignore[call-overload]
        found += [value] if isinstance(value, str) else [str(one) for one in value]
    return found


@check(
    "SEC-02",
    "no_foreign_writes",
    Level.MUST,
    Profile.SECURE,
    rule="files are written in the granted folder only, and no process is started",
    mutant="leaves a temporary file",
    standing=True,
)
def no_foreign_writes(bench: Bench) -> None:
    """State belongs into ctx.state and ctx.seen. A file elsewhere is not locked, not backed up and not removed."""
    bench.seed(2)
    instance = bench.instance()
    instance.try_check()
    instance.try_run()
    instance.close()
    done = [one.told for one in (bench.guard.foreign("write", "process") if bench.guard else [])]
    bench.expect(
        not done,
        expected="no file outside the granted folder, and no process",
        observed=", ".join(list(dict.fromkeys(done))[:4]),
    )


@check(
    "SEC-03",
    "no_cleartext_credentials",
    Level.MUST,
    Profile.SECURE,
    needs={Need.CREDENTIALS, Need.TLS},
    rule="where encryption is configured, no credentials travel without it",
    mutant="logs in before it encrypts",
    again="the server does not offer what is required",
)
def no_cleartext_credentials(bench: Bench) -> None:
    """Also when the server takes its STARTTLS back: then there is no mail, and no password on the wire."""
    variants = [(bench.subject.secured(bench.world), ""), (bench.subject.upgraded(bench.world), "")]
    variants.append((variants[1][0], "stripped"))
    for elements, trouble in variants:
        if elements is None:
            continue
        bench.seed(1)
        instance = bench.instance(elements)
        before = len(bench.world.network.dials)
        bench.world.sim.tls = TlsTrouble(trouble) if trouble else None
        ran = instance.try_run()
        said = b"".join(bytes(dial.clear) for dial in bench.world.network.dials[before:])
        what = ", ".join(f"{name}={text}" for name, text in elements.items())
        bench.expect(
            not any(form.encode() in said for form in forms([PASSWORD])),
            expected="no credentials in the clear",
            observed=f"they were sent in the clear ({what}{', the server hides STARTTLS' if trouble else ''})",
        )
        if trouble:
            bench.expect_error(ran, ProviderError, expected="an error: what is required is not offered")
        bench.world.heal()


@check(
    "SEC-04",
    "hostile_xml",
    Level.MUST,
    Profile.SECURE,
    rule="XML from outside with a document type is refused, and no entity is expanded",
    mutant="uses the default parser",
    again="the document stays at the source",
)
def hostile_xml(bench: Bench) -> None:
    """Parse with expat and refuse at the document type (`providers.configuration.tree` shows how), or use defusedxml."""
    instance = bench.instance()
    for what, document in HOSTILE.items():
        if not bench.subject.hostile(bench.world, document.encode()):
            raise NotApplicable("it parses no XML: write hostile(self, world, document) if it does")
        ran = instance.try_run()
        told = " ".join([repr(ran.outcome), str(ran.error), *(repr(offer.message) for offer in bench.gateway.offers)])
        bench.expect(MARK not in told, expected="no entity is expanded", observed=f"{what} was expanded")
        bench.expect_error(ran, ProviderError, expected=f"a ProviderError for {what}")
        reads = [one.where for one in (bench.guard.violations if bench.guard else []) if one.where == "hostname"]
        bench.expect(not reads, expected="no file is read for an entity", observed=f"{what}: it was")
