"""INB: taking mail in. Every message once, whole, and nothing lost at the source before it is stored."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace
from datetime import UTC

from postroom.errors import MessageError, OrganizationError, TransientError
from postroom.mime.values import Address, Attachment
from postroom.model.verdict import ReasonCode
from postroom.providers.contract import Capability, Disposition
from postroom.testing.conformance.bench import Bench
from postroom.testing.conformance.checks.scenes import carried, deleting, judge, token_of
from postroom.testing.conformance.failures import CheckFailed, NotApplicable, one_line
from postroom.testing.conformance.table import Level, Need, Profile, check

__all__: list[str] = []

LATIN = b" gr\xfc\xdfe\r\n"
"""The end of a body in ISO-8859-1, which nothing in the head announces: what decodes it as UTF-8 loses it."""

LARGE_OCTETS = 4 * 1024 * 1024
"""Size of the large message (ours: 25 MiB say nothing more, and take six times as long)."""
COPIES = 9
"""How often a message may be in memory at once, the kit's own copies, encodings and the parts of it included (ours)."""


@check(
    "INB-01",
    "each_message_once",
    Level.MUST,
    Profile.INBOUND,
    needs=[Need.INBOUND],
    rule="every seeded message reaches the organization exactly once",
    mutant="sends the last one twice",
)
def each_message_once(bench: Bench) -> None:
    """Five messages, then two more. A message is known again by what the source calls it: its key must be stable from run to run, and two
    messages must not share one."""
    seeded = bench.seed(5)
    instance = bench.instance()
    instance.run_all()
    bench.expect_each_once(seeded)
    bench.clock.advance(600.0)
    seeded += bench.seed(2)
    instance.run_all()
    bench.expect_each_once(seeded)


@check(
    "INB-02",
    "fields_mapped",
    Level.MUST,
    Profile.INBOUND,
    needs=[Need.INBOUND],
    rule="message id, subject, from, to, cc, bcc, received time (UTC), importance and body arrive as they were sent",
    mutant="swaps to and cc",
)
def fields_mapped(bench: Bench) -> None:
    """Only what the source can carry is compared (`Subject.carries`). The organization decides by these fields whether a message is tracked,
    and to what it belongs."""
    has = bench.subject.carries
    target = bench.world.address
    [message] = bench.messages(1)
    message = message.with_values(
        subject=f"Gr\u00fc\u00dfe, \u65e5\u672c {message.token}",
        from_=Address("carl@birch.test", "Carl \u00d6zil"),
        to=(Address(target, "Ada"), Address("eve@birch.test")),
        cc=(Address("dora@birch.test", "Dora"),),
        importance=2,
    )
    if "bcc" in has:  # no message that is sent has such a field; some that are taken in do
        message = replace(message, raw=b"Bcc: fay@birch.test\r\n" + message.octets)
    bench.seeded[-1] = message
    bench.seed([message])
    bench.instance().run_all()
    bench.expect(len(bench.gateway.offers) == 1, expected="one message", observed=f"{len(bench.gateway.offers)} messages")
    offer = bench.gateway.offers[0]
    got, sent = offer.message, message.values
    pairs: dict[str, tuple[object, object]] = {
        "message_id": (got.message_id, sent.message_id),
        "subject": (got.subject, sent.subject),
        "from": (got.from_, (sent.from_,)),
        "to": (got.to, sent.to),
        "cc": (got.cc, sent.cc),
        "bcc": (tuple(one.address for one in got.bcc), ("fay@birch.test",)),
        "date": (offer.received_on, sent.date),
        "importance": (got.importance, sent.importance),
    }
    for name, (observed, expected) in pairs.items():
        if name in has:
            bench.expect_equal(observed, expected, name)
    zone = offer.received_on.tzinfo
    bench.expect(
        zone is not None and offer.received_on.utcoffset() == UTC.utcoffset(None),
        expected="a received time in UTC",
        observed=zone,
    )
    if "body" in has:
        body = f"{got.text or ''}{got.html or ''}"
        bench.expect(
            message.token in body, expected="the body that was sent", observed=f"{len(body)} characters without its token"
        )


@check(
    "INB-03",
    "relevance_asked_first",
    Level.MUST,
    Profile.INBOUND,
    needs=[Need.INBOUND],
    rule="the organization is asked about each message before it is delivered, and refused mail is settled and not delivered",
    mutant="delivers always",
)
def relevance_asked_first(bench: Bench) -> None:
    """`check_incoming` first, then `deliver_incoming` or `settle(..., FILTERED, verdict)`: what the organization does not want must not enter it,
    and must be in the ledger, or it is asked about again for ever."""
    first, unwanted, third = bench.seed(3)
    judge(bench, unwanted, ReasonCode.NO_CORRELATION_MATCH)
    bench.instance().run_all()
    bench.expect_each_once([first, third])
    asked: set[str] = set()
    for call in bench.gateway.made("check_incoming", "deliver_incoming"):
        if call.name == "check_incoming":
            asked.add(call.key)
        else:
            bench.expect(
                call.key in asked,
                expected="check_incoming before deliver_incoming",
                observed=f"{call.key} was delivered unasked",
            )
    filtered = bench.gateway.by(Disposition.FILTERED)
    bench.expect(len(filtered) == 1, expected="the refused message settled as filtered", observed=f"{len(filtered)} settled so")


@check(
    "INB-04",
    "duplicate_is_not_error",
    Level.MUST,
    Profile.INBOUND,
    needs=[Need.INBOUND],
    rule='a message that the organization has already ("duplicate") counts as handled, and so does one that it turns out to have stored',
    mutant="treats as failure",
)
def duplicate_is_not_error(bench: Bench) -> None:
    """The same mail comes by several ways, and after a lost memory the whole source is offered again: that is a normal day."""
    seeded = bench.seed(3)
    judge(bench, seeded[1], ReasonCode.DUPLICATE)
    outcomes = bench.instance().run_all()
    failed = bench.gateway.made("failed")
    bench.expect(not failed, expected="no failure", observed=f"{len(failed)} messages were told as failed")
    bench.expect_equal(sum(one.failed for one in outcomes), 0, "failed")
    bench.expect_equal(sum(one.rejected for one in outcomes), 1, "rejected")
    again = bench.instance()  # the memory is lost, the ledger is not
    outcomes = again.run_all()
    bench.expect_equal(sum(one.failed for one in outcomes), 0, "failed, after the memory was lost")
    bench.expect_each_once([seeded[0], seeded[2]])


@check(
    "INB-05",
    "cap_respected",
    Level.MUST,
    Profile.INBOUND,
    needs=[Need.INBOUND],
    rule="a run handles no more messages than ctx.items",
    mutant="off by one",
)
def cap_respected(bench: Bench) -> None:
    """The cap is what keeps one mailbox with a backlog from holding up all others."""
    seeded = bench.seed(8)
    instance = bench.instance()
    for _ in range(12):
        before = len(bench.gateway.made("check_incoming"))
        outcome = instance.run(items=3)
        handled = len(bench.gateway.made("check_incoming")) - before
        bench.expect(handled <= 3, expected="at most 3 messages in a run", observed=f"{handled} messages")
        if not outcome.more:
            break
    bench.expect_each_once(seeded)


@check(
    "INB-06",
    "attachments_exact",
    Level.MUST,
    Profile.INBOUND,
    needs=[Need.INBOUND],
    rule="octets and names of attachments survive",
    mutant="re-encodes text",
)
def attachments_exact(bench: Bench) -> None:
    """An attachment is octets, also where it is text: line ends, encodings and empty files included."""
    carried(bench, "attachments")
    sent = (
        Attachment("all octets.bin", "application/octet-stream", bytes(range(256)) * 3),
        Attachment("na\u00efve \u2603.txt", "text/plain", b"one\ntwo\r\nthree\rfour"),
        Attachment("umlaut.csv", "text/csv", "k\u00f6ln;1\r\n".encode("latin-1")),
        Attachment("empty.dat", "application/octet-stream", b""),
    )
    [message] = bench.seed(1, attachments=sent)
    bench.instance().run_all()
    bench.expect_each_once([message])
    got = {one.filename: one.octets for one in bench.gateway.offers[0].message.attachments}
    for one in sent:
        bench.expect(one.filename in got, expected=f"an attachment called {one.filename!r}", observed=f"{sorted(got)}")
        same = got[one.filename] == one.octets
        bench.expect(same, expected=f"{one.filename!r} octet for octet", observed=f"{len(got[one.filename])} other octets")


@check(
    "INB-07",
    "forward_unwrapped",
    Level.MUST,
    Profile.INBOUND,
    rule="of a message that a forward mailbox holds the attached original is delivered",
    needs=[Need.INBOUND, Capability.UNWRAP_FORWARDED],
    mutant="delivers the wrapper",
)
def forward_unwrapped(bench: Bench) -> None:
    """A forward mailbox collects copies that a rule sends as attachments; the sender of the copy is the rule, not the customer."""
    inner, outer = bench.messages(2)
    wrapped = outer.with_values(attachments=(Attachment("original.eml", "message/rfc822", inner.octets),))
    bench.seeded[-1] = wrapped
    bench.seed([wrapped])
    instance = bench.instance(bench.subject.unwrapping(bench.world) or {})
    instance.run_all()
    ids = [offer.message.message_id for offer in bench.gateway.offers]
    bench.expect(ids == [inner.message_id], expected="the attached original, once", observed=f"delivered: {ids}")


@check(
    "INB-08",
    "malformed_isolated",
    Level.MUST,
    Profile.INBOUND,
    needs=[Need.INBOUND],
    rule="one message that is malformed, or that the organization cannot store, does not stop the rest",
    mutant="raises out of the loop",
)
def malformed_isolated(bench: Bench) -> None:
    """Whoever can send a message to a mailbox must not be able to stop it. Catch what concerns one message, tell `gateway.failed`, go on."""
    good = bench.seed(2)
    if "octets" in bench.subject.carries:
        [broken] = bench.messages(1)
        raw = (
            b"Subject: "
            + broken.token.encode()
            + b"\r\nContent-Type: multipart/mixed; boundary=\r\n\x00\xff\r\n--\r\n"
            + b"(" * 400
        )
        bench.seed([type(broken)(broken.number, broken.token, broken.values, broken.envelope_from, broken.recipients, raw)])
    refused = bench.seed(2)
    bench.again = "two messages cannot be stored yet"
    errors = {refused[0].token: MessageError("kit: it cannot be stored"), refused[1].token: OrganizationError("kit: refused")}
    deliver = bench.gateway.deliver_incoming

    def unable(offer, verdict):  # type: ignore[no-untyped-def]
        if (error := errors.get(token_of(bench, offer))) is not None:
            raise error
        return deliver(offer, verdict)

    bench.gateway.deliver_incoming = unable  # type: ignore[method-assign]
    good += bench.seed(2)
    ran = bench.instance().try_run()
    done = bench.done()
    lost = [message.number for message in good if message.token not in done]
    told = f"messages {lost} were not delivered" + (f"; the run ended with {one_line(ran.failure)}" if ran.failure else "")
    bench.expect(not lost, expected="all messages but the refused ones, in one run", observed=told)
    bench.expect(
        ran.failure is None, expected="a run that ends without an error", observed=one_line(ran.failure) if ran.failure else ""
    )


@check(
    "INB-09",
    "poison_bounded",
    Level.MUST,
    Profile.INBOUND,
    needs=[Need.INBOUND],
    rule="a message that always fails is told to gateway.failed each time, and parked when its attempts are used up",
    mutant="retries for ever",
)
def poison_bounded(bench: Bench) -> None:
    """One unreadable message once made thousands of errors in a day, because each cycle tried it again. `failed` says True when it is enough:
    settle it as PARKED, and never look at it again."""
    first, poison, last = bench.seed(3)
    judge(bench, poison, ReasonCode.UNKNOWN, raises=MessageError("kit: this message is poison"))
    instance = bench.instance()
    for _ in range(3 * bench.gateway.maximum):
        instance.try_run()
        bench.clock.advance(61.0)
    bench.expect_each_once([first, last])
    tries = len(bench.gateway.made("failed"))
    parked = bench.gateway.by(Disposition.PARKED)
    bench.expect(
        len(parked) == 1,
        expected=f"it is parked after {bench.gateway.maximum} attempts",
        observed=f"{tries} attempts, parked: {len(parked)}",
    )
    bench.expect(
        tries <= bench.gateway.maximum, expected=f"at most {bench.gateway.maximum} attempts", observed=f"{tries} attempts"
    )


@check(
    "INB-10",
    "no_delete_before_ack",
    Level.MUST,
    Profile.INBOUND,
    rule="while the organization cannot store a message, the source keeps it",
    needs=[Need.INBOUND, Need.REMAINING],
    mutant="deletes on retrieve",
)
def no_delete_before_ack(bench: Bench) -> None:
    """Deliver, commit, remember, and only then delete: in any other order a power cut loses mail. `gateway.batch()` has committed when its block
    has ended without an exception, not before."""
    seeded = bench.seed(4)
    instance = bench.instance(deleting(bench))
    for name in ("deliver_incoming", "commit", "check_incoming"):
        bench.gateway.fail_always(name, TransientError("kit: the organization is unavailable"))
        instance.try_run()
        bench.gateway.heal()
        kept = bench.remaining()
        lost = [message.number for message in seeded if message.token not in kept and message.token not in bench.done()]
        bench.expect(
            not lost,
            expected="a source that keeps what was not stored",
            observed=f"after a failing {name} messages {lost} are gone",
        )
        bench.clock.advance(61.0)
    instance.run_all()
    bench.expect_each_once(seeded)


@check(
    "INB-11",
    "undeliverable_disposition",
    Level.MUST,
    Profile.INBOUND,
    rule="a parked message stays at the source, though others are deleted once they are stored",
    needs=[Need.INBOUND, Capability.DELETE, Need.REMAINING],
    mutant="deletes",
)
def undeliverable_disposition(bench: Bench) -> None:
    """What could not be stored exists nowhere else. Somebody will want to look at it."""
    first, poison, last = bench.seed(3)
    judge(bench, poison, ReasonCode.UNKNOWN, raises=MessageError("kit: it cannot be stored", permanent=True))
    instance = bench.instance(deleting(bench))
    for _ in range(3):
        instance.try_run()
        bench.clock.advance(61.0)
    kept = bench.remaining()
    bench.expect(
        poison.token in kept, expected="the parked message still at the source", observed=f"{len(kept)} messages are left"
    )
    gone = [one for one in (first, last) if one.token in kept]
    bench.expect(
        not gone, expected="the stored ones deleted", observed=f"messages {[one.number for one in gone]} are still there"
    )


@check(
    "INB-12",
    "expiry_honoured",
    Level.MUST,
    Profile.INBOUND,
    rule="mail older than the organization wants is ignored, and not deleted",
    needs=[Need.INBOUND, Capability.DELETE, Need.REMAINING],
    mutant="deletes expired",
)
def expiry_honoured(bench: Bench) -> None:
    """The verdict says BEFORE_WATERMARK. The message is nobody's business yet: a date may be moved back, and then it is wanted."""
    old, young = bench.seed(2)
    judge(bench, old, ReasonCode.BEFORE_WATERMARK)
    instance = bench.instance(deleting(bench))
    instance.run_all()
    instance.run_all()
    bench.expect_each_once([young])
    bench.expect(old.token in bench.remaining(), expected="the old message still at the source", observed="it is gone")


@check(
    "INB-13",
    "header_edge_cases",
    Level.SHOULD,
    Profile.INBOUND,
    needs=[Need.INBOUND],
    rule="messages without an id (each of them), with encoded words, with 8-bit octets, with folded fields and with a head of 100 KiB arrive, octet for octet",
    mutant="crashes on missing id",
)
def header_edge_cases(bench: Bench) -> None:
    """All of these are in every mailbox of ten years. `mime.parse.parse_message` reads them; what a provider does beside it must as well."""
    carried(bench, "octets")
    heads = {
        "no message id": "From: a@birch.test\r\nSubject: {}\r\n",
        "no message id either": "From: b@birch.test\r\nSubject: {}\r\n",
        "encoded words": "From: =?utf-8?q?J=C3=B6rg?= <j@birch.test>\r\nMessage-ID: <{}@x>\r\nSubject: =?iso-8859-1?q?gr=FC=DFe?= {}\r\n",
        "8-bit octets": "From: J\u00f6rg <j@birch.test>\r\nMessage-ID: <{}@x>\r\nSubject: gr\u00fc\u00dfe {}\r\n",
        "folded fields": "From: a@birch.test\r\nMessage-ID:\r\n <{}@x>\r\nSubject: a\r\n long\r\n\t{}\r\n",
        "a head of 100 KiB": "From: a@birch.test\r\nMessage-ID: <{}@x>\r\nSubject: {}\r\n" + "X-Long: " + "x" * 70 + "\r\n" * 1,
        "no From, no Date": "Message-ID: <{}@x>\r\nSubject: {}\r\n",
    }
    seeded = []
    for name, head in heads.items():
        [made] = bench.messages(1)
        text = head.format(*[made.token] * head.count("{}"))
        if name == "a head of 100 KiB":
            text += ("X-Long: " + "x" * 70 + "\r\n") * 1300
        raw = text.encode("utf-8") + b"\r\nbody " + made.token.encode() + LATIN
        seeded.append(type(made)(made.number, made.token, made.values, made.envelope_from, made.recipients, raw))
    bench.seed(seeded)
    instance = bench.instance()
    for _ in range(8):  # until what fails is given up
        instance.try_run()
        bench.clock.advance(61.0)
    done = bench.done()
    lost = [name for name, message in zip(heads, seeded, strict=True) if message.token not in done]
    bench.expect(not lost, expected="every message, whatever its head", observed=f"not delivered: {', '.join(lost)}")
    given = {token: offer.octets for offer in bench.gateway.offers for token in done if token.encode() in offer.octets}
    other = [
        name for name, one in zip(heads, seeded, strict=True) if one.token.encode() + LATIN not in given.get(one.token, b"")
    ]
    bench.expect(not other, expected="the octets of the source", observed=f"other ones: {', '.join(other)}")


@check(
    "INB-14",
    "large_message",
    Level.SHOULD,
    Profile.INBOUND,
    needs=[Need.INBOUND],
    rule="a large message arrives, and is in memory only so many times",
    mutant="reads many copies",
)
def large_message(bench: Bench) -> None:
    """Several mailboxes at once, each with a message of this size, must fit into one machine."""
    carried(bench, "attachments")
    octets = bytes(bench.random.getrandbits(8) for _ in range(4096)) * (LARGE_OCTETS // 4096)
    [message] = bench.seed(1, attachments=(Attachment("large.bin", "application/octet-stream", octets),))
    size = len(message.octets)
    instance = bench.instance()
    tracemalloc.start()
    try:
        base = tracemalloc.get_traced_memory()[0]
        instance.run()
        peak = tracemalloc.get_traced_memory()[1] - base
    finally:
        tracemalloc.stop()
    bench.measure("copies", round(peak / size, 1))
    bench.expect_each_once([message])
    bench.expect(
        peak <= COPIES * size,
        expected=f"at most {COPIES} copies of the message in memory",
        observed=f"{peak / size:.1f} copies",
    )


@check(
    "INB-15",
    "backlog_progress",
    Level.SHOULD,
    Profile.INBOUND,
    needs=[Need.INBOUND],
    rule="with a backlog a run says that there is more, and each run makes it smaller",
    mutant="never sets more",
)
def backlog_progress(bench: Bench) -> None:
    """Without `more` the rest waits a whole polling period, and then again."""
    seeded = bench.seed(7)
    instance = bench.instance()
    done = 0
    while done < len(seeded):
        outcome = instance.run(items=2)
        now = len(bench.done())
        if now <= done:
            raise CheckFailed("a backlog that shrinks with every run", f"{len(seeded) - now} messages wait, as before")
        bench.expect(
            outcome.more or now == len(seeded),
            expected="more",
            observed=f"{len(seeded) - now} messages wait, and the run does not say so",
        )
        done = now
    bench.expect_each_once(seeded)


@check(
    "INB-16",
    "source_untouched_unless_asked",
    Level.MUST,
    Profile.INBOUND,
    needs=[Need.INBOUND, Capability.DELETE, Need.REMAINING],
    rule="nothing is removed at the source unless the configuration asks for it",
    mutant="deletes without being asked",
)
def source_untouched_unless_asked(bench: Bench) -> None:
    """Whoever leaves `DeleteEmails` out keeps the mail where it is: other programs read it there. Tried with what `config` gives and `deleting`
    would change."""
    asked = deleting(bench)
    ordinary = bench.subject.config(bench.world)
    if all(ordinary.get(name) == text for name, text in asked.items()):
        raise NotApplicable("its ordinary configuration asks for it: config gives what deleting gives")
    seeded = bench.seed(4)
    judge(bench, seeded[1], ReasonCode.NO_RECIPIENT_MATCH)
    instance = bench.instance()
    instance.run_all()
    instance.run_all()
    bench.expect_each_once([seeded[0], *seeded[2:]])
    kept = bench.remaining()
    gone = [message.number for message in seeded if message.token not in kept]
    bench.expect(
        not gone,
        expected=f"all {len(seeded)} messages still at the source",
        observed=f"messages {gone} are gone, and nobody asked for it",
    )
