"""ERR: errors. What class an error has decides what becomes of the mailbox: tried again, stopped, or reported to its owner."""

from __future__ import annotations

from postroom.errors import AuthError, OrganizationError, PermissionDenied, ProviderError, StoreError, TlsError, TransientError
from postroom.providers.contract import SubmissionResult
from postroom.testing.conformance.bench import Bench, Ran
from postroom.testing.conformance.failures import NotApplicable, one_line
from postroom.testing.conformance.journals import forms
from postroom.testing.conformance.messages import SourceMessage
from postroom.testing.conformance.network import Trouble
from postroom.testing.conformance.table import Level, Need, Profile, check
from postroom.testing.conformance.world import PASSWORD
from postroom_simulator.faults import TlsTrouble

__all__: list[str] = []

SICK = (Trouble.DNS, Trouble.REFUSED, Trouble.RESET, Trouble.TIMEOUT, Trouble.SILENT)
NONSENSE = (Trouble.GARBAGE, Trouble.TRUNCATED, Trouble.ENDLESS, Trouble.ENDLESS_LINES)
WAIT = 300


@check(
    "ERR-01",
    "auth_is_permanent",
    Level.MUST,
    Profile.CORE,
    needs={Need.CREDENTIALS},
    rule="a wrong password is an AuthError, and is tried once",
    mutant="takes it for transient",
    again="the credentials stay wrong",
)
def auth_is_permanent(bench: Bench) -> None:
    """A server that counts failures locks the account after a few: trying again makes it worse, for all other users of it too."""
    bench.seed(1)
    instance = bench.instance(bench.subject.wrong_credentials(bench.world))
    ran = instance.try_run()
    bench.expect_error(ran, AuthError, PermissionDenied, expected="AuthError (or PermissionDenied)")
    dials = len(bench.world.network.dials)
    bench.expect(dials <= 1, expected="one attempt to log in", observed=f"{dials} connections in one run")


@check(
    "ERR-02",
    "network_is_transient",
    Level.MUST,
    Profile.CORE,
    needs={Need.NETWORK},
    rule="an unknown name, a refused, lost or too slow connection is a TransientError",
    mutant="takes it for permanent",
)
def network_is_transient(bench: Bench) -> None:
    """A permanent error stops the mailbox until somebody looks at it. A network is well again by itself."""
    seeded = bench.seed(1)
    instance = bench.instance()
    for trouble in SICK:
        seeded += _another(bench)
        bench.world.network.fail(trouble)
        ran = instance.try_run(timeout=10.0, seconds=120.0)
        bench.expect_error(ran, TransientError, expected=f"a TransientError: the server is {trouble}")
        bench.expect(ran.seconds <= 120.0, expected="an end within 120 s", observed=f"{ran.seconds:.0f} s ({trouble})")
        bench.world.heal()
        bench.clock.advance(61.0)
    instance.run_all()
    _expect_sent(bench, seeded)


def _another(bench: Bench) -> list[SourceMessage]:
    """Outbound: what was handed over when the server became silent is uncertain, and not tried again."""
    return [] if bench.inbound else bench.seed(1)


def _expect_sent(bench: Bench, seeded: list[SourceMessage]) -> None:
    """Each once; outbound: but those whose fate nobody knows."""
    uncertain = {one.email.email_id for one in bench.gateway.history if one.submission.result is SubmissionResult.UNCERTAIN}
    bench.expect_each_once([message for message in seeded if message.email.email_id not in uncertain])


@check(
    "ERR-03",
    "tls_not_bypassed",
    Level.MUST,
    Profile.CORE,
    needs={Need.TLS},
    rule="with a certificate that nobody should trust nothing is said and nothing is done",
    mutant="goes on in the clear",
    again="the certificate stays bad",
)
def tls_not_bypassed(bench: Bench) -> None:
    """Whoever sits in between would read the password and the mail. There is no way to switch the verification off."""
    for trouble in ("self-signed", "wrong-name", "expired"):
        bench.seed(1)
        instance = bench.instance(bench.subject.secured(bench.world))
        bench.world.sim.tls = TlsTrouble(trouble)
        ran = instance.try_run()
        bench.expect_error(ran, TlsError, expected=f"a TlsError: the certificate is {trouble}")
        bench.expect_equal(bench.done(), [], "messages handled all the same")
        said = b"".join(bytes(dial.clear) for dial in bench.world.network.dials)
        bench.expect(
            not any(form.encode() in said for form in forms([PASSWORD])),
            expected="no credentials in the clear",
            observed=f"they were sent in the clear after the certificate ({trouble}) was refused",
        )
        bench.world.heal()


@check(
    "ERR-04",
    "throttling_honoured",
    Level.MUST,
    Profile.CORE,
    needs={Need.NETWORK},
    rule="a time that the server asks for is passed on as retry_after, and not spent knocking",
    mutant="asks again at once",
    again="the server asks to wait after every log-in",
)
def throttling_honoured(bench: Bench) -> None:
    """Raise TransientError(..., retry_after=timedelta(...)); the schedule does the waiting."""
    bench.seed(1)
    instance = bench.instance()
    if not bench.subject.throttle(bench.world, WAIT):
        raise NotApplicable("the server has no way to ask for time: write throttle(self, world, seconds)")
    first = instance.try_run()
    bench.clock.advance(1.0)
    bench.seed(1)
    before = len(bench.world.network.dials)
    ran = first if first.failure is not None else instance.try_run()
    error = bench.expect_error(ran, TransientError, expected="a TransientError when the server asks for time")
    told = getattr(ran.outcome, "retry_after", None) or getattr(error, "retry_after", None)
    bench.expect(
        told is not None and WAIT - 5 <= told.total_seconds() <= WAIT * 2,
        expected=f"retry_after of about {WAIT} s",
        observed=f"retry_after is {told}",
    )
    dials = len(bench.world.network.dials) - before
    bench.expect(dials <= 1, expected="no second attempt in the same run", observed=f"{dials} connections")


@check(
    "ERR-05",
    "crm_unavailable",
    Level.MUST,
    Profile.CORE,
    rule="while the organization cannot be reached nothing is lost, removed or remembered, and afterwards all of it arrives once",
    mutant="drops the message",
)
def crm_unavailable(bench: Bench) -> None:
    """Deliver, commit, then remember, then remove at the source: in this order nothing is ever lost."""
    names = ("check_incoming", "deliver_incoming", "commit") if bench.inbound else ("claim_outgoing", "mark_submitting")
    elements = bench.subject.deleting(bench.world) if bench.inbound else None
    for name in names:
        seeded = bench.seed(2)
        instance = bench.instance(elements, store=bench.instances[-1].store if bench.instances else None)
        bench.gateway.fail(name, StoreError("503 Service Unavailable"))
        instance.try_run()
        _nothing_gone(bench, [message.token for message in seeded], name)
        bench.gateway.heal()
        bench.clock.advance(61.0)
        instance.run_all()
        done = bench.done()
        wrong = {message.number: done.count(message.token) for message in seeded if done.count(message.token) != 1}
        bench.expect(
            not wrong,
            expected="each message once, when the organization is back",
            observed=f"after {name} failed: "
            + ", ".join(f"message {number}: {count} times" for number, count in wrong.items()),
        )


def _nothing_gone(bench: Bench, tokens: list[str], name: str) -> None:
    if not bench.inbound or bench.subject.remaining(bench.world) is None:
        return
    stored = set(bench.done())
    gone = set(tokens) - set(bench.remaining()) - stored
    bench.expect(
        not gone, expected="what was not stored is still at the source", observed=f"{len(gone)} gone after {name} failed"
    )


@check(
    "ERR-06",
    "garbage_protocol",
    Level.MUST,
    Profile.CORE,
    needs={Need.NETWORK},
    rule="nonsense, an end in the middle or endless words from the server give a classified error",
    mutant="lets a ValueError out",
    seconds=30.0,
)
def garbage_protocol(bench: Bench) -> None:
    """Bound every line and every list in octets, and translate a parser's errors (ProtocolError)."""
    seeded = bench.seed(1)
    instance = bench.instance()
    for trouble in NONSENSE:
        seeded += _another(bench)
        bench.world.network.fail(trouble)
        ran = instance.try_run(timeout=10.0, seconds=120.0)
        error = bench.expect_error(ran, ProviderError, expected=f"a ProviderError: the server is {trouble}")
        bench.expect(
            isinstance(error, TransientError),
            expected="a TransientError (ProtocolError)",
            observed=f"{one_line(error)} ({trouble})",
        )
        swallowed = bench.world.swallowed
        bench.expect(not swallowed, expected="an end of reading", observed="it read until the kit ended the server")
        bench.world.heal()
        bench.clock.advance(61.0)
    instance.run_all()
    _expect_sent(bench, seeded)


@check(
    "ERR-07",
    "error_has_context",
    Level.MUST,
    Profile.CORE,
    rule="an error says what was tried and why it failed: the server, what it said, and for a message its key",
    mutant="gives a bare text",
)
def error_has_context(bench: Bench) -> None:
    """ "Failed" helps nobody. Mailbox and organization are added by the service; where, and what was said, only the provider knows."""
    texts = [text for text in bench.config().values() if isinstance(text, str)]
    bench.seed(1)
    instance = bench.instance()
    instance.run_all()
    if bench.world.network.dials:
        for trouble in (Trouble.REFUSED, Trouble.SILENT):
            bench.seed(1)
            bench.world.network.fail(trouble)
            _says_where(bench, instance.try_run(timeout=5.0), texts)
            bench.world.heal()
            bench.clock.advance(61.0)
    if bench.inbound:
        bench.seed(1)
        bench.gateway.fail("check_incoming", OrganizationError("this one message is refused"))
        instance.try_run()
        bare = [call for call in bench.gateway.made("failed") if not call.key]
        bench.expect(not bare, expected="a failed message named by its key", observed=f"{len(bare)} without one")


def _says_where(bench: Bench, ran: Ran, texts: list[str]) -> None:
    error = bench.expect_error(ran, ProviderError, expected="a ProviderError")
    hosts = {dial.host for dial in bench.world.network.dials} | {text for text in texts if len(text) > 3}
    bench.expect(any(host in str(error) for host in hosts), expected="a text that names the server", observed=one_line(error))


@check(
    "ERR-08",
    "last_error_cleared",
    Level.SHOULD,
    Profile.CORE,
    needs={Need.NETWORK},
    rule="last_error is set by a failure and cleared by a success",
    mutant="keeps the old error",
)
def last_error_cleared(bench: Bench) -> None:
    """It is what an operator sees in the list of instances."""
    bench.seed(1)
    instance = bench.instance()
    if not hasattr(instance.provider, "last_error"):
        raise NotApplicable("it has no last_error")
    instance.run_all()
    bench.seed(1)
    bench.world.network.fail(Trouble.REFUSED)
    instance.try_run()
    bench.expect(instance.provider.last_error, expected="last_error says what failed", observed="it is empty")
    bench.world.heal()
    bench.clock.advance(61.0)
    instance.run_all()
    bench.expect_equal(instance.provider.last_error, "", "last_error after a success")


@check(
    "ERR-09",
    "exit_not_swallowed",
    Level.MUST,
    Profile.CORE,
    rule="KeyboardInterrupt and SystemExit come through",
    mutant="catches BaseException",
)
def exit_not_swallowed(bench: Bench) -> None:
    """Catch Exception at most. What swallows these keeps a service from stopping."""
    for kind in (KeyboardInterrupt, SystemExit):
        bench.seed(1)
        instance = bench.instance(store=bench.instances[-1].store if bench.instances else None)
        bench.gateway.fail("check_incoming" if bench.inbound else "claim_outgoing", kind())  # type: ignore[arg-type]
        ran = instance.try_run()
        bench.expect(
            isinstance(ran.error, kind),
            expected=f"{kind.__name__} comes through",
            observed="it was swallowed" if ran.error is None else one_line(ran.error),
        )
        bench.gateway.heal()
        instance.try_run()
        instance.run_all()
