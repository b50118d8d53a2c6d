"""Photos by a plain GET: /ews/exchange.asmx/s/GetUserPhoto?email=...&size=... (MS-OXWSPHOTO 3.1.5.1.1)."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from postroom_simulator.directory import Account
from postroom_simulator.ews.http import HTML, Response
from postroom_simulator.ews.people.photos import SIZES, photo_of

if TYPE_CHECKING:
    from postroom_simulator.ews.exchange import Exchange

__all__ = ["PATH", "answer", "entity_tag"]

PATH = "/ews/exchange.asmx/s/getuserphoto"
_KINDS = ((b"\xff\xd8", "image/jpeg"), (b"\x89PNG", "image/png"), (b"GIF8", "image/gif"), (b"BM", "image/bmp"))


def entity_tag(octets: bytes) -> str:
    """It changes with the photo, and with nothing else."""
    return f'"{hashlib.sha256(octets).hexdigest()[:32]}"'


def answer(exchange: Exchange) -> Response:
    """The image; 304 where the client has it, 404 where there is none, 400 for a request that names no address or no size that there is (our choice: the
    document leaves it open)."""
    request = exchange.request
    if request.method not in ("GET", "HEAD"):
        return Response(405, [("Allow", "GET, HEAD"), ("Content-Type", HTML)])
    try:
        fields = parse_qs(request.target.partition("?")[2], max_num_fields=20)
    except ValueError:  # more than anybody needs
        return Response(400, [("Content-Type", HTML)])
    asked = {name.lower(): values[0] for name, values in fields.items()}
    size = next((one for one in SIZES if one.lower() == asked.get("size", SIZES[-1]).lower()), None)
    if not asked.get("email") or size is None:
        return Response(400, [("Content-Type", HTML)])
    exchange.hear("GetUserPhoto", size)
    found = exchange.service.world.directory.get(asked["email"])
    octets = photo_of(found.profile, size) if isinstance(found, Account) else b""
    if not octets:
        return Response(404, [("Content-Type", HTML)])
    tag = entity_tag(octets)
    headers = [("ETag", tag), ("Cache-Control", "private")]
    known = [one.strip().removeprefix("W/") for one in request.headers.get("if-none-match", "").split(",")]
    if tag in known or "*" in known:
        return Response(304, headers)
    kind = next((kind for head, kind in _KINDS if octets.startswith(head)), "application/octet-stream")
    return Response(200, [("Content-Type", kind), *headers], octets)
