"""What becomes of a request: its path, who asks, and the operation in its envelope."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from lxml import etree

from postroom_simulator.ews import identity, photo_page
from postroom_simulator.ews.call import Call
from postroom_simulator.ews.codec import NAMESPACES, NewerThanVersion, SchemaViolation, read, write
from postroom_simulator.ews.envelope import Envelope, fault, open_envelope, violation, wrap
from postroom_simulator.ews.errors import EwsError, Fault
from postroom_simulator.ews.exchange import AFFINITY, Exchange, Instead, as_response
from postroom_simulator.ews.http import HTML, XML, Response
from postroom_simulator.ews.operations import OPERATIONS, find_operation
from postroom_simulator.ews.schema import element_type
from postroom_simulator.ews.throttling import Refused

if TYPE_CHECKING:
    from postroom_simulator.ews.http import Request

__all__ = ["ENDPOINT", "answer"]

ENDPOINT = "/ews/exchange.asmx"
STREAMED = "GetStreamingEvents"
"""Its envelopes are written without a prefix, in errors too: clients look for the literal tags (ews reference 14)."""
_DESCRIPTIONS = ("/ews/services.wsdl", "/ews/messages.xsd", "/ews/types.xsd")


def answer(exchange: Exchange) -> Response:
    """May be called again after a Halted: what was done is not done twice. Raises Halted only: a mistake of ours must neither end the server nor
    look like success."""
    try:
        exchange.pass_step("request", exchange.address)
        response = _route(exchange)
        if exchange.link.last_token:
            response.headers.append(("WWW-Authenticate", exchange.link.last_token))
            exchange.link.last_token = ""
        return response
    except Instead as instead:
        return as_response(instead.reply, exchange.service.world.hostname)
    except (identity.Unauthorized, Refused) as refused:
        return refused.response
    except Exception as problem:
        error = exchange.service.failed(exchange, problem)
        return Response(500, headers(exchange.request), fault(error), codes=[error.code])


def _route(exchange: Exchange) -> Response:
    request, path = exchange.request, exchange.request.path
    if path.startswith("/autodiscover/"):
        from postroom_simulator.ews import autodiscover

        return autodiscover.answer(exchange)
    if path in _DESCRIPTIONS:
        from postroom_simulator.ews import wsdl

        return wsdl.answer(exchange)
    if path == photo_page.PATH:
        log_in(exchange)
        return photo_page.answer(exchange)
    if path != ENDPOINT:
        return Response(404, [("Content-Type", HTML)], b"<html><body>404 - File or directory not found.</body></html>")
    if request.method not in ("GET", "HEAD", "POST"):
        return Response(405, [("Allow", "GET, HEAD, POST"), ("Content-Type", HTML)])
    log_in(exchange)
    if request.method != "POST":
        return Response(200, [("Content-Type", HTML)])
    return _soap(exchange)


def log_in(exchange: Exchange) -> None:
    """Find out who asks, once. Raises Unauthorized, Halted, Instead."""
    if not exchange.identified:
        exchange.principal = exchange.account = identity.identify(exchange)
        exchange.identified = True


def _soap(exchange: Exchange) -> Response:
    request, service = exchange.request, exchange.service
    call: Call | None = None
    try:
        exchange.pass_step("envelope", exchange.address)
        envelope = open_envelope(request.body)
        call = _call(exchange, envelope)
        value = _operate(exchange, call, envelope)
    except Fault as problem:
        return Response(500, headers(request), fault(problem), codes=[problem.code])
    bare = call.operation == STREAMED
    written = wrap(_written(call, value), service.server, bare=bare)
    response = Response(200, headers(request), codes=_codes(value))
    if call.stream is not None:
        call.stream.push(written)
        response.stream = call.stream
        return response
    response.body = written
    if call.operation == "GetItem":
        response.offered = list(_handed_out(value))
    if call.operation == "Subscribe" and request.headers.get("x-preferserveraffinity", "").lower() == "true":
        response.headers.append(("Set-Cookie", f"{AFFINITY}={service.world.hostname}~1; path=/; HttpOnly"))
    return response


def headers(request: Request) -> list[tuple[str, str]]:
    """Of an XML answer."""
    found = [("Content-Type", XML)]
    asked = request.headers.get("client-request-id")
    if asked and request.headers.get("return-client-request-id", "").lower() == "true":
        safe = "".join(c for c in asked[:200] if c.isascii() and c.isprintable())
        found += [("request-id", safe), ("client-request-id", safe)]
    return found


# -- the operation


def _call(exchange: Exchange, envelope: Envelope) -> Call:
    """Raises Fault; Unauthorized for an application's token that is not good."""
    service, request = exchange.service, exchange.request
    name = etree.QName(envelope.operation)
    operation = name.localname.removesuffix("Request")
    known = operation in OPERATIONS and name.namespace == NAMESPACES["m"]
    if not known:
        exchange.hear(exchange.verb, f"unknown operation {name.localname[:60]}")
    version = service.server.schema(envelope.version)
    if version is None:
        raise Fault("ErrorInvalidServerVersion")
    if exchange.principal is None:
        account = principal = identity.of_application(exchange, envelope.impersonate)
    else:
        principal = exchange.principal
        account = identity.acting_as(service, principal, envelope.impersonate, envelope.security, envelope.roles)
    exchange.account = account
    call = Call(service.world, service, principal, account, version, service.server)
    call.operation = operation
    call.time_zone = envelope.time_zone
    call.zone_definition = envelope.zone_definition
    call.connection = exchange.link.context.connection
    call.base_url = request.base_url(service.world.hostname)
    call.headers = request.headers
    call.exchange = exchange
    if not known:
        raise Fault("ErrorInvalidOperation", f"{operation[:60]} is no operation of this service.")
    return call


def _operate(exchange: Exchange, call: Call, envelope: Envelope) -> dict[str, Any]:
    """Raises Fault, Halted, Instead, Refused."""
    throttling = exchange.service.throttling
    if not exchange.admitted:
        throttling.enter(call.account, exchange.link)
        throttling.spend(call.account, call.operation)
        exchange.admitted = True
    operation = find_operation(call)
    asked = _read(exchange, call, envelope)
    exchange.hear(call.operation, facts(asked))
    exchange.pass_step(call.operation, exchange.address)
    try:
        value: dict[str, Any] = operation.handle(call, asked)
    except Fault:
        raise
    except NewerThanVersion as problem:
        raise Fault("ErrorIncorrectSchemaVersion", f"{problem}.") from None
    except SchemaViolation as problem:
        raise violation(problem, exchange.request.body) from None
    except EwsError as error:
        raise Fault(error.code, error.text, values=error.values) from None
    throttling.cap_found(value)
    return value


def _read(exchange: Exchange, call: Call, envelope: Envelope) -> Any:
    """Nothing of an operation that the schema does not have."""
    if element_type(etree.QName(envelope.operation).localname) is None:
        return {}
    try:
        return read(envelope.operation, call.version)
    except NewerThanVersion as problem:
        exchange.hear(call.operation)
        raise Fault("ErrorIncorrectSchemaVersion", f"{problem}.") from None
    except SchemaViolation as problem:
        exchange.hear(call.operation)
        raise violation(problem, exchange.request.body) from None


def _written(call: Call, value: Any) -> str:
    name = OPERATIONS[call.operation].response
    return write(name, element_type(name) or "", value, call.version)


def stream_writer(call: Call) -> Any:
    """What makes an envelope of each value that a stream sends."""
    return lambda value: wrap(_written(call, value), call.server, bare=True)


# -- what the journal knows


_TOLD = (
    "@Traversal",
    "@MessageDisposition",
    "@DeleteType",
    "@ConflictResolution",
    "@SendMeetingInvitations",
    "@SendMeetingCancellations",
)


def facts(value: Any) -> str:
    """Of a request, for the journal: which folders, how many of what; nothing that anybody wrote. "inbox, 2 ItemId, HardDelete"."""
    found: list[str] = []
    if isinstance(value, Mapping):
        for one in value.values():
            found += _counts(one)
        found += [str(value[name]) for name in _TOLD if name in value]
    return ", ".join(found)[:300]


def _counts(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping) and len(value) <= 2:  # ParentFolderId, SyncFolderId: an element in an element
        value = list(value.items())
    if not isinstance(value, list):
        return
    counts: dict[str, int] = {}
    for one in value:
        if isinstance(one, tuple) and len(one) == 2:
            name, inner = one
            if name == "DistinguishedFolderId" and isinstance(inner, Mapping):
                yield str(inner.get("@Id", ""))[:60]
            elif isinstance(inner, Mapping):
                counts[name] = counts.get(name, 0) + 1
    for name, count in counts.items():
        yield f"{count} {name}"


_NESTED = (
    "ResponseMessages",
    "ResponseMessage",
    "FreeBusyResponseArray",
    "FreeBusyResponse",
    "DelegateUserResponseMessageType",
)


def _codes(value: Any, depth: int = 0) -> list[str]:
    """The response codes of an answer, in their order."""
    found: list[str] = []
    if depth > 4:
        return found
    if isinstance(value, Mapping):
        if "ResponseCode" in value:
            found.append(str(value["ResponseCode"]))
        for name in _NESTED:
            if name in value:
                found += _codes(value[name], depth + 1)
    elif isinstance(value, list | tuple):
        for one in value:
            inner = one[1] if isinstance(one, tuple) and len(one) == 2 else one
            found += _codes(inner, depth + 1)
    return found


def _handed_out(value: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Of each item whose MIME or body is in the answer whole: uid, the name under which it was handed out (as POP3's unique id is one), octets
    and how."""
    from postroom_simulator.ews.ids import parse_id

    for _, message in value.get("ResponseMessages") or ():
        for _, item in message.get("Items") or ():
            named = (item.get("ItemId") or {}).get("@Id")
            mime, body = item.get("MimeContent"), item.get("Body")
            if not named or not (mime or body):
                continue
            try:
                uid = parse_id(named).uid
            except EwsError:
                continue
            if mime:
                yield {"uid": uid, "uidl": named, "octets": _length(mime), "way": "mime"}
            elif not (isinstance(body, Mapping) and body.get("@IsTruncated")):
                yield {"uid": uid, "uidl": named, "octets": _length(body), "way": "body"}


def _length(value: Any) -> int:
    content = value.get("", "") if isinstance(value, Mapping) else value
    if isinstance(content, bytes):
        return len(content)
    text = str(content)
    if isinstance(value, Mapping) and "@CharacterSet" in value:
        return len(base64.b64decode(text))
    return len(text.encode("utf-8", "surrogatepass"))
