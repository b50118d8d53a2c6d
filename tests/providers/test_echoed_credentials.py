"""Servers that say again what they did not understand: the credentials still show nowhere."""

from __future__ import annotations

import base64
import traceback

import pytest

from postroom.errors import ProviderError
from postroom.providers.builtin.pop3_dialogue import Pop3Dialogue
from postroom.providers.builtin.smtp_dialogue import SmtpDialogue
from postroom.providers.secret import Secret
from providers.scripted import ScriptedConnector, ScriptedSocket

USER, PASSWORD = "ada", "open sésame"
FORMS = [
    PASSWORD,
    base64.b64encode(PASSWORD.encode()).decode(),
    base64.b64encode(f"\0{USER}\0{PASSWORD}".encode()).decode(),
]


def told(error: BaseException) -> str:
    return "".join(traceback.format_exception(error)) + repr(error) + getattr(error, "reply", "")


@pytest.mark.parametrize("refusal", [b"-ERR unknown: ", b"what is ", b"-ERR [AUTH] wrong: "])
@pytest.mark.parametrize("sasl", [False, True])
def test_pop3(refusal: bytes, sasl: bool) -> None:
    def answer(line: bytes) -> bytes:
        if line.startswith(b"CAPA"):
            return b"+OK\r\nSASL PLAIN\r\n.\r\n"
        if line.startswith(b"USER"):
            return b"-ERR unknown\r\n" if sasl else b"+OK\r\n"
        return refusal + line + b"\r\n"

    dialogue = Pop3Dialogue(ScriptedConnector(ScriptedSocket(b"+OK\r\n", answer)), "pop.test", 110, 10, implicit=False)
    with pytest.raises(ProviderError) as raised:
        dialogue.login(USER, Secret(PASSWORD))
    dialogue.abandon()
    assert raised.value.reply.endswith(("PASS ***", "AUTH PLAIN ***"))
    assert not any(form in told(raised.value) for form in FORMS)


@pytest.mark.parametrize("refusal", [b"535 wrong: ", b"500 what is ", b"huh "])
@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
def test_smtp(refusal: bytes, mechanism: str) -> None:
    prompts = iter([b"334 VXNlcm5hbWU6\r\n", b"334 UGFzc3dvcmQ6\r\n"]) if mechanism == "LOGIN" else iter([])

    def answer(line: bytes) -> bytes:
        if line.upper().startswith(b"EHLO"):
            return b"250-hello\r\n250 AUTH " + mechanism.encode() + b"\r\n"
        return next(prompts, refusal + line + b"\r\n")

    connector = ScriptedConnector(ScriptedSocket(b"220 hello\r\n", answer))
    dialogue = SmtpDialogue(connector, "smtp.test", 25, 10, implicit=False, hello_name="here.test")
    with pytest.raises(ProviderError) as raised:
        dialogue.login(USER, Secret(PASSWORD))
    dialogue.abandon()
    assert raised.value.reply.endswith("***")
    assert not any(form in told(raised.value) for form in FORMS)
