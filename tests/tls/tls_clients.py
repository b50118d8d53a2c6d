"""Clients that insist on TLS, each as a function: where to connect in, what became of it out, in one word."""

from __future__ import annotations

import contextlib
import os
import poplib
import smtplib
import ssl
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from postroom.errors import ProviderError
from postroom.providers.builtin.pop3 import Pop3Config, Pop3Provider
from postroom.providers.builtin.smtp import SmtpConfig, SmtpProvider, SmtpState
from postroom.providers.connectors import SocketConnector
from postroom.providers.contract import ProviderEnv
from postroom.providers.mailbox import MailboxState
from postroom.providers.secret import Secret
from postroom.testing.fake_gateway import make_context
from postroom.testing.memory import WorldConnector
from postroom_simulator.net.tcp import Servers
from postroom_simulator.world import SERVICES, World

ANN, PASSWORD = "ann@sim.test", "open-sesame"
DEADLINE = 20.0
"""Seconds after which a foreign program is given up; nothing waits for it in the good case."""

Trust = Callable[[], ssl.SSLContext]


@dataclass(frozen=True, slots=True)
class Site:
    """A world that listens, the certificate that its clients trust, and a folder for their files."""

    world: World
    servers: Servers
    authority: Path
    home: Path

    def trust(self) -> ssl.SSLContext:
        return self.world.authority.client_context()

    def port(self, service: str) -> int:
        return self.servers.port(service)


def in_a_word(error: BaseException) -> str:
    """What the standard library's clients raise.

    certificate  it is not trusted
    tls          the handshake failed for another reason
    lost         the connection ended
    not-offered  the server does not offer STARTTLS or STLS
    refused      it does, and says no
    """
    if isinstance(error, ssl.SSLCertVerificationError):
        return "certificate"
    if isinstance(error, ssl.SSLEOFError | ConnectionError | smtplib.SMTPServerDisconnected):
        return "lost"
    if isinstance(error, ssl.SSLError):
        return "tls"
    if isinstance(error, smtplib.SMTPNotSupportedError):
        return "not-offered"
    if isinstance(error, smtplib.SMTPResponseException):
        return "refused"
    if isinstance(error, poplib.error_proto):
        text = str(error)
        return "not-offered" if "not supported by server" in text else "lost" if "EOF" in text else "refused"
    raise error


def python(site: Site, service: str) -> str:
    """poplib and smtplib: log in, or say why not."""
    port = site.port(service)
    client: Any = None
    try:
        if service == "pop3s":
            client = poplib.POP3_SSL.__new__(poplib.POP3_SSL)  # its constructor leaves the socket open when the greeting fails
            client.sock = client.file = None
            client.__init__("localhost", port, timeout=DEADLINE, context=site.trust())
        elif service == "pop3":
            client = poplib.POP3("localhost", port, timeout=DEADLINE)
            client.stls(site.trust())
        elif service == "smtps":
            client = smtplib.SMTP_SSL("localhost", port, timeout=DEADLINE, context=site.trust(), local_hostname="c.test")
        else:
            client = smtplib.SMTP("localhost", port, timeout=DEADLINE, local_hostname="c.test")
            code, text = client.starttls(context=site.trust())
            if code != 220:  # smtplib gives the reply back and raises nothing
                raise smtplib.SMTPResponseException(code, text)
        if isinstance(client, poplib.POP3):
            client.user(ANN)
            client.pass_(PASSWORD)
        else:
            client.login(ANN, PASSWORD)
        client.quit()
        return "ok"
    except (OSError, smtplib.SMTPException, poplib.error_proto) as error:
        return in_a_word(error)
    finally:
        if client is not None:
            with contextlib.suppress(OSError):
                client.close()


def memory(site: Site, service: str) -> str:
    """The engine's providers with no socket."""
    return _provider(site, service, WorldConnector(site.world), SERVICES[service])


def engine(site: Site, service: str) -> str:
    """The engine's providers over TCP, as it runs: what a check of the mailbox says."""
    return _provider(site, service, SocketConnector(site.trust), site.port(service))


def _provider(site: Site, service: str, net: Any, port: int) -> str:
    config: dict[str, Any] = {"host": "localhost", "port": port, "user": ANN, "password": Secret(PASSWORD)}
    config["tls"] = "implicit" if service.endswith("s") else "starttls"
    state: Any = MailboxState() if service.startswith("pop3") else SmtpState()
    provider: Any = (
        Pop3Provider(Pop3Config(**config), ProviderEnv("i", mailbox=ANN))
        if service.startswith("pop3")
        else SmtpProvider(SmtpConfig(**config), ProviderEnv("i", mailbox=ANN))
    )
    try:
        provider.check(make_context(state, net=net, clock=site.world.clock))
        return "ok"
    except ProviderError as error:
        return f"{type(error).__name__} {error.code or ''}".strip()
    finally:
        provider.close()


def curl(site: Site, service: str, path: str) -> str:
    """Its exit code (curl(1), "EXIT CODES")."""
    text = site.home / "message"
    text.write_bytes(b"Subject: x\r\n\r\ny\r\n")
    scheme = {"submission": "smtp"}.get(service, service)
    upgrade = [] if service.endswith("s") else ["--ssl-reqd"]
    send = [] if service.startswith("pop3") else ["--mail-from", ANN, "--mail-rcpt", ANN, "--upload-file", text]
    url = f"{scheme}://localhost:{site.port(service)}/"
    command = [path, "-sS", "-4", "--user", f"{ANN}:{PASSWORD}", "--cacert", site.authority, *upgrade, *send, url]
    done = _run(site, command)
    return "ok" if done.returncode == 0 else f"{done.returncode}"


def fetchmail(site: Site, service: str, path: str) -> str:
    """Its exit code (fetchmail(1), "EXIT CODES"), and what of its text tells the reason."""
    trust = f'sslcertck sslcertfile "{site.authority}"'
    tls = f"ssl {trust}" if service == "pop3s" else f"sslproto TLS1.2+ {trust}"
    settings = site.home / "fetchmailrc"
    settings.write_text(
        f"set invisible\npoll localhost protocol pop3 port {site.port(service)} "
        f'user "{ANN}" password "{PASSWORD}" {tls} mda "/bin/cat"\n'
    )
    settings.chmod(0o600)
    done = _run(site, [path, "-f", settings, "--nodetach", "--nosyslog", "--pidfile", site.home / "pid"])
    said = done.stdout.decode() + done.stderr.decode()
    told = "certificate" if "certificate verify failed" in said else ""
    return "ok" if done.returncode in (0, 1) else f"{done.returncode} {told}".strip()


def _run(site: Site, command: list[Any]) -> subprocess.CompletedProcess[bytes]:
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(site.home),
        "FETCHMAILHOME": str(site.home),
        "LC_ALL": "C",
        "TMPDIR": str(site.home),
    }
    words = [str(word) for word in command]
    return subprocess.run(words, capture_output=True, timeout=DEADLINE, env=environment, cwd=site.home, check=False)
