"""EWS through `responses`: clients that use requests (exchangelib) reach a world without socket, thread or port.

with mounted(world) as url:
    exchangelib ... Configuration(service_endpoint=url, ...)

Below it are connections in memory, so faults, logins, throttling and the journal are those of any other connection, and a read that
waits moves the world's clock.
"""

from __future__ import annotations

import io
import re
import threading
import types
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import h11

if TYPE_CHECKING:
    from postroom_simulator.net.memory import MemorySocket
    from postroom_simulator.world import World

__all__ = ["mounted"]

_PIECE = 1 << 20
_OURS = ("connection", "transfer-encoding", "content-length", "host", "x-forwarded-proto")
_METHODS = ("POST", "GET", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH")


class _Body(io.BytesIO):
    """requests_ntlm looks for a socket below the raw answer."""

    fp = types.SimpleNamespace(raw=types.SimpleNamespace(_sock=None))


class _Line:
    """A client's connection that is kept, and made again when it has ended, as a pool of connections does."""

    def __init__(self, world: World, host: str) -> None:
        self._world = world
        self._host = host
        self._lock = threading.Lock()
        self._sock: MemorySocket | None = None
        self._http = h11.Connection(h11.CLIENT)

    def ask(self, request: Any, timeout: float | None) -> tuple[h11.Response, bytes]:
        """The answer and its body. Raises OSError for what faults do to the line."""
        with self._lock:
            try:
                return self._converse(self._opened(timeout), request)
            except h11.RemoteProtocolError as wrong:
                self.close()
                raise ConnectionResetError(str(wrong)) from None
            except BaseException:
                self.close()
                raise

    def _opened(self, timeout: float | None) -> MemorySocket:
        if self._sock is not None and self._sock.can_receive():  # nothing is due: it has ended
            self.close()
        if self._sock is None:
            self._sock = self._world.connect("ews")
            self._http = h11.Connection(h11.CLIENT)
        self._sock.settimeout(timeout)
        return self._sock

    def _converse(self, sock: MemorySocket, request: Any) -> tuple[h11.Response, bytes]:
        http = self._http
        given: Any = request.body or b""
        body = given.encode() if isinstance(given, str) else bytes(given)
        scheme, _, rest = str(request.url).partition("://")
        headers = [(name, str(value)) for name, value in request.headers.items() if name.lower() not in _OURS]
        headers += [("Host", self._host), ("X-Forwarded-Proto", scheme), ("Content-Length", str(len(body)))]
        head = h11.Request(method=request.method or "GET", target="/" + rest.partition("/")[2], headers=headers)
        sock.sendall(
            (http.send(head) or b"") + (http.send(h11.Data(data=body)) or b"") + (http.send(h11.EndOfMessage()) or b"")
        )
        answer: h11.Response | None = None
        found: list[bytes] = []
        while True:
            event = http.next_event()
            if event is h11.NEED_DATA:
                http.receive_data(sock.recv(_PIECE))
            elif isinstance(event, h11.Response):
                answer = event
            elif isinstance(event, h11.Data):
                found.append(bytes(event.data))
            elif isinstance(event, h11.EndOfMessage):
                break
            elif isinstance(event, h11.ConnectionClosed):
                raise ConnectionResetError("Remote end closed connection without response")
        assert answer is not None
        if http.our_state is h11.DONE and http.their_state is h11.DONE:
            http.start_next_cycle()
        else:
            self.close()
        return answer, b"".join(found)

    def close(self) -> None:
        sock, self._sock = self._sock, None
        if sock is not None:
            sock.close()


@contextmanager
def mounted(world: World, *, host: str | None = None) -> Iterator[str]:
    """While it lasts, requests to `https://<host>/` (default: the world's) are answered by the world. Gives the endpoint's URL.

    Each session of requests has a connection of its own. `responses` patches requests for the whole process; requests to other hosts are
    refused with ConnectionError. A streamed answer is read to its end."""
    import responses
    import urllib3
    from requests import exceptions
    from urllib3._collections import HTTPHeaderDict

    name = host or world.hostname
    lines: weakref.WeakKeyDictionary[Any, _Line] = weakref.WeakKeyDictionary()
    every: list[_Line] = []
    current = threading.local()

    class Mounted(responses.BaseResponse):
        def __init__(self, method: str) -> None:
            super().__init__(method, re.compile(rf"https?://{re.escape(name)}(:\d+)?/.*", re.IGNORECASE))

        def get_response(self, request: Any) -> urllib3.HTTPResponse:
            adapter = current.adapter
            if adapter not in lines:
                lines[adapter] = _Line(world, name)
                every.append(lines[adapter])
            timeout = request.req_kwargs.get("timeout")
            try:
                got, octets = lines[adapter].ask(request, timeout[1] if isinstance(timeout, tuple) else timeout)
            except TimeoutError as late:
                raise exceptions.ReadTimeout(str(late), request=request) from None
            except OSError as lost:
                raise exceptions.ConnectionError(str(lost), request=request) from None
            mocked.calls.reset()
            named = [(key.decode("latin-1"), value.decode("latin-1")) for key, value in got.headers.raw_items()]
            headers = HTTPHeaderDict(
                (key, value) for key, value in named if key.lower() != "transfer-encoding"
            )  # it is read already
            return urllib3.HTTPResponse(
                body=_Body(octets), headers=headers, status=got.status_code, reason=got.reason.decode(), preload_content=False
            )

    class Mock(responses.RequestsMock):
        def _on_request(self, adapter: Any, request: Any, **kwargs: Any) -> Any:
            current.adapter = adapter
            return super()._on_request(adapter, request, **kwargs)

    mocked = Mock(assert_all_requests_are_fired=False, response_callback=_in_big_chunks)
    try:
        with mocked:
            for method in _METHODS:
                mocked.add(Mounted(method))
            yield f"https://{name}/EWS/Exchange.asmx"
    finally:
        for line in every:
            line.close()


def _in_big_chunks(response: Any) -> Any:
    """exchangelib reads in pieces of one octet by default: a loop for each octet (dependencies reference 3.3). Of a stream it needs them so."""
    asked = response.request.body or b""
    if b"GetStreamingEvents" in (asked.encode() if isinstance(asked, str) else asked):
        return response
    if b"GetStreamingEvents" in (response.request.body or b""):  # looks for tags octet by octet
        return response
    whole = type(response).iter_content
    response.iter_content = types.MethodType(
        lambda self, size=1, decode_unicode=False: whole(self, 65536 if size == 1 else size, decode_unicode), response
    )
    return response
