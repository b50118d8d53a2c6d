"""`postroom serve` as people use it: another process, real sockets, signals."""

from __future__ import annotations

import base64
import json
import poplib
import re
import signal
import smtplib
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest

MAIL = b"From: carl@birch.test\r\nTo: ada@alder.test\r\nSubject: Hello\r\nMessage-ID: <1@birch.test>\r\n\r\n.dots\r\n\xe9\r\n"


@contextmanager
def serving(*arguments: str, stop: int = signal.SIGTERM) -> Iterator[tuple[dict[str, Any], subprocess.Popen[str]]]:
    """The ready line of a server, and its process, which must end cleanly on a signal."""
    command = [sys.executable, "-m", "postroom", "serve", "--json", *arguments]
    with subprocess.Popen(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        try:
            line = process.stdout.readline()
            assert line, process.stderr.read() if process.stderr else ""
            yield json.loads(line), process
        finally:
            process.send_signal(stop)
            _, errors = process.communicate(timeout=30)
        assert process.returncode == 0, errors
        assert "Traceback" not in errors


def refused(*arguments: str) -> str:
    """What a bad call says; one line, exit code 2."""
    command = [sys.executable, "-m", "postroom", "serve", "--json", *arguments]
    done = subprocess.run(command, text=True, capture_output=True, timeout=30, check=False)
    assert done.returncode == 2, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return " ".join(done.stderr.split())


def test_a_message_goes_in_over_smtp_and_out_over_pop3() -> None:
    with serving("--account", "ada@alder.test:secret") as (ready, _):
        with smtplib.SMTP(ready["smtp"]["host"], ready["smtp"]["port"], timeout=10) as smtp:
            smtp.sendmail("carl@birch.test", ["ada@alder.test"], MAIL)
        pop3 = poplib.POP3(ready["pop3"]["host"], ready["pop3"]["port"], timeout=10)
        pop3.user("ada@alder.test")
        pop3.pass_("secret")
        assert b"\r\n".join(pop3.retr(1)[1]).endswith(b"\r\n.dots\r\n\xe9")
        pop3.quit()


def test_ctrl_c_ends_it_cleanly() -> None:
    with serving("--account", "ada@alder.test:secret", stop=signal.SIGINT) as (ready, _):
        assert ready["accounts"] == ["ada@alder.test"]


def test_the_ca_file_makes_tls_verifiable(tmp_path: Path) -> None:
    ca = tmp_path / "ca.pem"
    with serving("--account", "ada@alder.test:secret", "--ca-file", str(ca)) as (ready, _):
        context = ssl.create_default_context(cafile=str(ca))
        pop3 = poplib.POP3_SSL("localhost", ready["pop3s"]["port"], context=context, timeout=10)
        assert pop3.user("ada@alder.test").startswith(b"+OK")
        pop3.quit()
        with smtplib.SMTP_SSL("localhost", ready["smtps"]["port"], context=context, timeout=10) as smtp:
            assert smtp.login("ada@alder.test", "secret")[0] == 235


def test_messages_are_imported_and_people_made_up(tmp_path: Path) -> None:
    (tmp_path / "one.eml").write_bytes(MAIL)
    with serving("--import", f"ada@alder.test={tmp_path}", "--people", "2", "--seed", "7") as (ready, _):
        assert len(ready["accounts"]) == 3
        pop3 = poplib.POP3(ready["pop3"]["host"], ready["pop3"]["port"], timeout=10)
        pop3.user("ada@alder.test")
        pop3.pass_("secret")
        assert pop3.stat() == (1, len(MAIL))
        pop3.quit()


def counted(ready: dict[str, Any], address: str, *folders: str) -> list[int]:
    """TotalCount of well-known folders, over EWS."""
    names = "".join(f'<t:DistinguishedFolderId Id="{name}"/>' for name in folders)
    spaces = "http://schemas.microsoft.com/exchange/services/2006"
    body = (
        f'<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" xmlns:m="{spaces}/messages" xmlns:t="{spaces}/types"><s:Header>'
        '<t:RequestServerVersion Version="Exchange2016"/></s:Header><s:Body><m:GetFolder><m:FolderShape><t:BaseShape>Default</t:BaseShape>'
        f"</m:FolderShape><m:FolderIds>{names}</m:FolderIds></m:GetFolder></s:Body></s:Envelope>"
    )
    login = base64.b64encode(f"{address}:secret".encode()).decode()
    request = Request(ready["ews"]["url"], body.encode(), {"Authorization": f"Basic {login}", "Content-Type": "text/xml"})
    with urlopen(request, timeout=30) as answer:
        return [int(text) for text in re.findall(r"TotalCount>(\d+)<", answer.read().decode())]


def test_contacts_appointments_and_archives_are_made_up() -> None:
    given = (
        "--account",
        "ada@alder.test:secret",
        "--people",
        "2",
        "--contacts",
        "4",
        "--appointments",
        "5",
        "--archive",
        "ada@alder.test",
    )
    with serving(*given) as (ready, _):
        ada, somebody, *_ = ready["accounts"]
        contacts, calendar, tasks = counted(ready, somebody, "contacts", "calendar", "tasks")
        assert contacts >= 4
        assert calendar >= 6
        assert tasks == 5
        assert counted(ready, ada, "contacts", "tasks", "archiveinbox") == [0, 5, 0]
        assert counted(ready, somebody, "archiveinbox") == []


def test_the_same_seed_makes_the_same_people() -> None:
    with serving("--people", "3", "--seed", "7") as (first, _), serving("--people", "3", "--seed", "7") as (second, _):
        assert first["accounts"] == second["accounts"]


def test_faults_from_a_file_act(tmp_path: Path) -> None:
    faults = tmp_path / "faults.toml"
    faults.write_text('[[fault]]\nprotocol = "smtp"\nat = "RCPT"\nnth = 1\neffect = { reply = "451 4.3.0 come back later" }\n')
    with serving("--account", "ada@alder.test:secret", "--faults", str(faults)) as (ready, _):
        smtp = smtplib.SMTP(ready["smtp"]["host"], ready["smtp"]["port"], timeout=10)
        with pytest.raises(smtplib.SMTPRecipientsRefused) as info:
            smtp.sendmail("carl@birch.test", ["ada@alder.test"], MAIL)
        assert info.value.recipients["ada@alder.test"] == (451, b"4.3.0 come back later")
        assert smtp.sendmail("carl@birch.test", ["ada@alder.test"], MAIL) == {}
        smtp.quit()


def test_anyone_may_be_let_in() -> None:
    with serving("--accept-anyone") as (ready, _):
        pop3 = poplib.POP3(ready["pop3"]["host"], ready["pop3"]["port"], timeout=10)
        pop3.user("whoever@anywhere.test")
        assert pop3.pass_("whatever").startswith(b"+OK")
        pop3.quit()


def test_a_port_can_be_chosen_and_a_taken_one_is_said() -> None:
    with serving() as (ready, _):
        port = ready["pop3"]["port"]
        assert str(port) in refused("--pop3-port", str(port))


def test_traffic_is_shown_as_it_happens() -> None:
    command = [sys.executable, "-u", "-m", "postroom", "serve", "--account", "ada@alder.test:secret"]
    with subprocess.Popen(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        lines = []
        while "Traffic" not in (line := process.stdout.readline()):
            assert line, "it ended before it listened"
            lines.append(line)
        row = next(line for line in lines if "POP3, STLS" in line)
        pop3 = poplib.POP3("127.0.0.1", int("".join(c for c in row.split()[-2] if c.isdigit())), timeout=10)
        pop3.user("ada@alder.test")
        pop3.pass_("secret")
        pop3.quit()
        process.send_signal(signal.SIGINT)
        shown, errors = process.communicate(timeout=30)
    assert process.returncode == 0, errors
    assert "C: USER ada@alder.test" in shown
    assert "PASS ***" in shown
    assert "secret" not in shown


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--account", "ada"], "ADDRESS:PASSWORD"),
        (["--account", "no-address-but-hunter2:"], "ADDRESS:PASSWORD"),
        (["--import", "ada@alder.test=/nowhere/at/all"], "/nowhere/at/all"),
        (["--import", "ada@alder.test"], "ADDRESS=PATH"),
        (["--faults", "/nowhere/faults.toml"], "/nowhere/faults.toml"),
        (["--account", "a@x.test:1", "--account", "a@x.test:2"], "a@x.test"),
        (["--people", "-1"], "--people"),
        (["--contacts", "3"], "--contacts"),
        (["--ca-file", "/nowhere/ca.pem"], "/nowhere/ca.pem"),
    ],
)
def test_a_bad_call_gets_one_clear_line(arguments: list[str], says: str) -> None:
    told = refused(*arguments)
    assert says in told
    assert "hunter2" not in told
    assert "Errno" not in told


def test_a_fault_file_with_a_typo_names_the_nearest_word(tmp_path: Path) -> None:
    faults = tmp_path / "faults.toml"
    faults.write_text('[[fault]]\nprotocol = "smtp"\nat = "RCTP"\neffect = { drop = "fin" }\n')
    told = refused("--faults", str(faults))
    assert "RCTP" in told
    assert "RCPT" in told
