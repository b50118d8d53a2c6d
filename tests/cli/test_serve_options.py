"""What the options of `postroom serve` do, by clients of another process."""

from __future__ import annotations

import json
import poplib
import queue
import smtplib
import ssl
import threading
from pathlib import Path
from typing import Any

import pytest
import trustme
from test_serve import MAIL, refused, serving
from typer.testing import CliRunner

import postroom.cli
import postroom.cli.serve

ADA = "ada@alder.test"


def smtp(ready: dict[str, Any]) -> smtplib.SMTP:
    return smtplib.SMTP(ready["smtp"]["host"], ready["smtp"]["port"], "client.test", timeout=10)


def pop3(ready: dict[str, Any]) -> poplib.POP3:
    return poplib.POP3(ready["pop3"]["host"], ready["pop3"]["port"], timeout=10)


def refusal(client: smtplib.SMTP, *recipients: str, octets: bytes = MAIL) -> dict[str, tuple[int, bytes]]:
    """What each recipient is refused with."""
    try:
        return client.sendmail("carl@birch.test", list(recipients), octets)
    except smtplib.SMTPRecipientsRefused as error:
        return error.recipients


def test_logins() -> None:
    arguments = [
        "--account",
        f"{ADA}:secret",
        "--auth",
        "cram-md5,XOAUTH2",
        "--auth",
        "PLAIN",
        "--apop",
        "--token",
        ADA,
        "--require-auth",
    ]
    with serving(*arguments) as (ready, _):
        token = ready["tokens"][ADA]
        with smtp(ready) as client:
            client.ehlo()
            assert client.esmtp_features["auth"].split() == ["CRAM-MD5", "XOAUTH2", "PLAIN"]
            with pytest.raises(smtplib.SMTPSenderRefused) as info:
                client.sendmail(ADA, [ADA], MAIL)
            assert info.value.smtp_code == 530
            client.auth("XOAUTH2", lambda _=None: f"user={ADA}\1auth=Bearer {token}\1\1")
            assert client.sendmail(ADA, [ADA], MAIL) == {}
        fetcher = pop3(ready)
        fetcher.apop(ADA, "secret")
        assert fetcher.capa()["SASL"] == ["CRAM-MD5", "XOAUTH2", "PLAIN"]
        fetcher.quit()


def test_limits_and_who_gets_mail() -> None:
    arguments = [
        "--account",
        f"{ADA}:secret",
        "--hostname",
        "mx.alder.test",
        "--max-size",
        "2000",
        "--max-recipients",
        "2",
        "--quota",
        "1500",
    ]
    arguments += [
        "--relay-to",
        "birch.test",
        "--refuse",
        "bad@birch.test",
        "--refuse",
        "@worse.test",
        "--mailboxes-for",
        "cedar.test",
    ]
    with serving(*arguments) as (ready, _), smtp(ready) as client:
        client.ehlo()
        assert client.ehlo_resp is not None
        assert client.ehlo_resp.startswith(b"mx.alder.test")
        assert client.esmtp_features["size"] == "2000"
        refused_by = refusal(client, "x@birch.test", "x@elsewhere.test", "bad@birch.test", "any@worse.test")
        assert {who: code for who, (code, _) in refused_by.items()} == dict.fromkeys(
            ("x@elsewhere.test", "bad@birch.test", "any@worse.test"), 550
        )
        assert refusal(client, "a@birch.test", "b@birch.test", "c@birch.test").keys() == {"c@birch.test"}
        assert refusal(client, ADA, octets=MAIL + b"x" * 70 * 20 + b"\r\n") == {ADA: (452, b"4.2.2 mailbox full")}
        with pytest.raises(smtplib.SMTPSenderRefused) as info:
            client.sendmail("carl@birch.test", [ADA], MAIL + b"x\r\n" * 1000)
        assert info.value.smtp_code == 552
        assert refusal(client, "new@cedar.test") == {}
        fetcher = pop3(ready)
        fetcher.user("new@cedar.test")
        fetcher.pass_("secret")
        assert fetcher.stat()[0] == 1
        fetcher.quit()


def test_what_is_hidden_is_not_there() -> None:
    with serving("--hide", "chunking", "--hide", "pop3=PIPELINING", "--hide", "STARTTLS") as (ready, _):
        with smtp(ready) as client:
            client.ehlo()
            assert {"chunking", "starttls"}.isdisjoint(client.esmtp_features)
            assert "pipelining" in client.esmtp_features
        fetcher = pop3(ready)
        assert {"PIPELINING", "TOP"} & fetcher.capa().keys() == {"TOP"}
        fetcher.quit()


def test_nothing_in_the_clear_where_tls_is_required() -> None:
    with serving("--account", f"{ADA}:secret", "--require-tls", "--relay", "nobody") as (ready, _):
        with smtp(ready) as client, pytest.raises(smtplib.SMTPSenderRefused, match="530"):
            client.sendmail("carl@birch.test", [ADA], MAIL)
        fetcher = pop3(ready)
        with pytest.raises(poplib.error_proto, match="STLS first"):
            fetcher.user(ADA)
        fetcher.quit()
        with smtplib.SMTP_SSL(ready["smtps"]["host"], ready["smtps"]["port"], context=_trusting(), timeout=10) as secure:
            assert refusal(secure, "x@birch.test", ADA).keys() == {"x@birch.test"}


def _trusting() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def test_a_silent_client_is_let_go() -> None:
    with serving("--idle-limit", "0.2") as (ready, _):
        fetcher = pop3(ready)
        with pytest.raises((poplib.error_proto, OSError)):
            fetcher._getline()  # type: ignore[attr-defined]
        fetcher.close()


def test_a_certificate_of_ones_own(tmp_path: Path) -> None:
    authority = trustme.CA()
    leaf = authority.issue_cert("localhost")
    leaf.private_key_pem.write_to_path(tmp_path / "key.pem")
    for number, blob in enumerate(leaf.cert_chain_pems):
        blob.write_to_path(tmp_path / "cert.pem", append=number > 0)
    with serving("--tls-cert", str(tmp_path / "cert.pem"), "--tls-key", str(tmp_path / "key.pem")) as (ready, _):
        context = ssl.create_default_context()
        authority.configure_trust(context)
        poplib.POP3_SSL("localhost", ready["pop3s"]["port"], context=context, timeout=10).quit()
    (tmp_path / "no.pem").write_text("nothing")
    assert "no.pem: no certificate" in refused("--tls-cert", str(tmp_path / "no.pem"))
    assert "cert.pem: no certificate with the key" in refused("--tls-cert", str(tmp_path / "cert.pem"))
    assert "gone.pem: No such file" in refused(
        "--tls-cert", str(tmp_path / "cert.pem"), "--tls-key", str(tmp_path / "gone.pem")
    )
    assert "--tls-cert" in refused("--tls-key", str(tmp_path / "key.pem"))


def test_the_drawer_is_written_as_mail_comes_and_only_the_newest_is_kept(tmp_path: Path) -> None:
    arguments = [
        "--account",
        f"{ADA}:secret",
        "--drawer",
        str(tmp_path / "drawer"),
        "--keep",
        "2",
        "--log",
        str(tmp_path / "log"),
    ]
    with serving(*arguments, "--show", "messages") as (ready, process):
        with smtp(ready) as client:
            for number in range(3):
                assert refusal(client, "x@far.test", ADA, octets=MAIL + b"%d\r\n" % number) == {}
                assert len(list((tmp_path / "drawer").glob("*.eml"))) == number + 1  # before the client was answered
        fetcher = pop3(ready)
        fetcher.user(ADA)
        fetcher.pass_("secret")
        assert fetcher.stat()[0] == 2
        fetcher.quit()
        assert process.stdout is not None
        told = [json.loads(process.stdout.readline()) for _ in range(6)]
    assert {(line["mailbox"], line["folder"]) for line in told} == {(ADA, "inbox"), (None, "drawer")}
    assert {(line["sender"], line["subject"], line["message_id"]) for line in told} == {
        ("carl@birch.test", "Hello", "<1@birch.test>")
    }
    assert b"\r\n\r\n.dots\r\n" in min((tmp_path / "drawer").glob("*.eml")).read_bytes()
    log = (tmp_path / "log").read_text("utf-8")
    assert "smtp-1 C: MAIL" in log
    assert "PASS ***" in log
    assert "secret" not in log


def test_a_reply_that_is_lost_or_cut_is_marked(tmp_path: Path) -> None:
    faults = tmp_path / "faults.toml"
    faults.write_text(
        '[[fault]]\nat = "NOOP"\nnth = 1\neffect = { lose_reply = "fin" }\n[[fault]]\nat = "NOOP"\nnth = 2\neffect = { cut = 5 }\n'
    )
    with serving("--faults", str(faults), "--show", "traffic") as (ready, process):
        for _ in range(2):
            client = smtp(ready)
            with pytest.raises(smtplib.SMTPServerDisconnected):
                [client.noop() for _ in range(2)]  # after the cut reply, which smtplib takes for whole, the line is dead
        assert process.stdout is not None
        lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        threading.Thread(target=lambda: [lines.put(line) for line in process.stdout or ()], daemon=True).start()
        marked = []
        first = json.loads(lines.get(timeout=20))["line"]
        assert first == "smtp-1 connected service='smtp'", "nothing is missed of a client that is there at once"
        while len(marked) < 2:
            line = json.loads(lines.get(timeout=20))["line"]
            marked += [line] if line.endswith(")") and "S:" in line else []
    assert marked[0] == "smtp-1 S: 250 2.0.0 OK (not sent)"
    assert marked[1] == "smtp-2 S: 250 2.0.0 OK (cut at octet 5)"


def test_a_message_that_cannot_be_imported_is_named_and_the_others_are_there(tmp_path: Path) -> None:
    (tmp_path / "one.eml").write_bytes(MAIL)
    (tmp_path / "gone.eml").symlink_to(tmp_path / "nowhere")
    with serving("--import", f"{ADA}={tmp_path}") as (ready, process):
        assert process.stderr is not None
        assert "gone.eml" in process.stderr.readline()
        fetcher = pop3(ready)
        fetcher.user(ADA)
        fetcher.pass_("secret")
        assert fetcher.stat()[0] == 1
        fetcher.quit()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--auth", "PLIAN"], "PLAIN"),
        (["--token", "nobody@alder.test"], "nobody@alder.test"),
        (["--hide", "CHUNKINK"], "CHUNKINK"),
        (["--hide", "imap=IDLE"], "--hide"),
        (["--refuse", "nobody"], "--refuse"),
        (["--relay-to", "x@y.test"], "--relay-to"),
        (["--relay", "everyone"], "anyone"),
        (["--keep", "0"], "--keep"),
        (["--max-size", "0"], "--max-size"),
        (["--log", "/nowhere/log"], "/nowhere/log"),
        (["--drawer", "/dev/null/drawer"], "/dev/null"),
    ],
)
def test_a_bad_option_gets_a_clear_line(arguments: list[str], says: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def served(*_: Any, **__: Any) -> None:
        pytest.fail("it was taken")

    monkeypatch.setattr(postroom.cli.serve, "_run", served)
    done = CliRunner().invoke(postroom.cli.app, ["serve", "--json", *arguments], env={"COLUMNS": "200"})
    assert done.exit_code == 2, done.output
    assert says in done.stderr
