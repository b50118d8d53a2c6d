"""EWS through `responses`: clients that use requests (exchangelib) reach a world without socket, thread or port.

with mounted(world) as url:
    exchangelib ... Configuration(service_endpoint=url, ...)
"""

from __future__ import annotations

import io
import re
import types
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from postroom_simulator.ews.http import Request

if TYPE_CHECKING:
    from postroom_simulator.world import World

__all__ = ["mounted"]


class _Body(io.BytesIO):
    """requests_ntlm looks for a socket below the raw answer."""

    fp = types.SimpleNamespace(raw=types.SimpleNamespace(_sock=None))


@contextmanager
def mounted(world: World, *, host: str | None = None) -> Iterator[str]:
    """While it lasts, requests to `https://<host>/` (default: the world's) are answered by the world. Gives the endpoint's URL.

    `responses` patches requests for the whole process; requests to other hosts are refused with ConnectionError."""
    import responses
    import urllib3
    from urllib3._collections import HTTPHeaderDict

    name = host or world.hostname
    link: dict[str, Any] = {}

    class Mounted(responses.BaseResponse):
        def __init__(self, method: str) -> None:
            super().__init__(method, re.compile(rf"https?://{re.escape(name)}/.*"))

        def get_response(self, request: Any) -> urllib3.HTTPResponse:
            given: Any = request.body or b""
            body = given.encode() if isinstance(given, str) else bytes(given)
            headers = {key.lower(): str(value) for key, value in request.headers.items()}
            url = request.url or ""
            got = world.ews.respond(
                Request(
                    request.method or "GET", url, headers | {"host": name}, body, url.startswith("https"), "ews-memory", link
                )
            )
            mocked.calls.reset()
            octets = b"".join(got.stream) if got.stream is not None else got.body
            return urllib3.HTTPResponse(
                body=_Body(octets), headers=HTTPHeaderDict(got.headers), status=got.status, preload_content=False
            )

    mocked = responses.RequestsMock(assert_all_requests_are_fired=False, response_callback=_in_big_chunks)
    with mocked:
        for method in ("POST", "GET"):
            mocked.add(Mounted(method))
        yield f"https://{name}/EWS/Exchange.asmx"


def _in_big_chunks(response: Any) -> Any:
    """exchangelib reads in pieces of one octet by default: a loop for each octet (dependencies reference 3.3)."""
    whole = type(response).iter_content
    response.iter_content = types.MethodType(
        lambda self, size=1, decode_unicode=False: whole(self, 65536 if size == 1 else size, decode_unicode), response
    )
    return response
