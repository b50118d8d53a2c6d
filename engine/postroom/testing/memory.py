"""A connector whose other end is a simulated world: no socket, no thread, no waiting."""

from __future__ import annotations

import ssl
from collections.abc import Mapping

from postroom.errors import ConnectionFailed, ServerTimeout
from postroom.providers.connectors import GuardedConnection, mapped_errors, plain_line
from postroom.providers.contract import Connection
from postroom_simulator.net.memory import MemorySocket, wrap_tls
from postroom_simulator.world import SERVICES, World

__all__ = ["WorldConnector"]


class WorldConnector:
    """Connections to the services of a world, by the ports they have in memory (`postroom_simulator.world.SERVICES`).

    hosts  names under which the world is reached; default: its host name and localhost. Any other name is unknown, so that a
           provider that goes where it was not sent is found out.
    """

    def __init__(self, world: World, hosts: Mapping[str, World] | None = None) -> None:
        self._hosts = dict(hosts) if hosts is not None else dict.fromkeys((world.hostname, "localhost", "127.0.0.1"), world)
        self._context: dict[int, ssl.SSLContext] = {}

    def connect(self, host: str, port: int, *, timeout: float, tls: bool = False) -> GuardedConnection:
        """As over TCP: an unknown host or port is a lost connection, a service that expects TLS does not understand clear text."""
        where = f"{host}:{port}"
        if timeout <= 0:
            raise ServerTimeout(f"{where}: no time left to connect")
        world = self._hosts.get(host.lower())
        if world is None:
            raise ConnectionFailed(f"{where}: host name unknown", code="dns")
        service = next((name for name, number in SERVICES.items() if number == port), None)
        if service is None:
            raise ConnectionFailed(f"{where}: refused", code="refused")
        with mapped_errors(where):
            raw = world.connect(service, timeout=timeout)
        return self._handshake(raw, world, host, where) if tls else GuardedConnection(raw, where)

    def start_tls(self, connection: Connection, host: str) -> GuardedConnection:
        guarded = plain_line(connection)
        raw = guarded.detach()
        if not isinstance(raw, MemorySocket):
            raise TypeError("start_tls needs a connection that this connector made")
        return self._handshake(raw, self._hosts[host.lower()], host, host)

    def _handshake(self, raw: MemorySocket, world: World, host: str, where: str) -> GuardedConnection:
        try:
            with mapped_errors(where):
                return GuardedConnection(wrap_tls(raw, self._trust(world), host), where)
        except BaseException:
            raw.close()
            raise

    def _trust(self, world: World) -> ssl.SSLContext:
        """One context a world: loading the authority takes longer than the rest of a conversation."""
        if id(world) not in self._context:
            self._context[id(world)] = world.authority.client_context()
        return self._context[id(world)]
