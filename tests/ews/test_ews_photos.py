"""Photos in their sizes, by the operation and by a plain GET (ews reference 15; MS-OXWSPHOTO 3.1.5.1.1)."""

from __future__ import annotations

import base64

import pytest
from people_scene import ANN, BOB, Office

from postroom_simulator.ews.http import Request, Response
from postroom_simulator.ews.people.photos import SIZES
from postroom_simulator.people import Profile

JPEG, SMALL, LARGE = b"\xff\xd8 as given", b"\x89PNG small", b"GIF8 large"


def asked(office: Office, address: str = BOB, size: str = "HR48x48") -> str:
    answer = office.ask("GetUserPhoto", f"<m:Email>{address}</m:Email><m:SizeRequested>{size}</m:SizeRequested>")
    return answer.one("PictureData") if answer.codes == ["NoError"] else answer.codes[0]


def page(office: Office, query: str, method: str = "GET", auth: bool = True, **headers: str) -> Response:
    account = office.world.directory.account(ANN)
    login = base64.b64encode(f"{ANN}:{account.password}".encode()).decode()
    shown = {"authorization": f"Basic {login}"} if auth else {}
    target = f"/EWS/Exchange.asmx/s/GetUserPhoto{query}"
    return office.world.ews.respond(
        Request(method, target, shown | {name.replace("_", "-"): one for name, one in headers.items()})
    )


def encoded(octets: bytes) -> str:
    return base64.b64encode(octets).decode()


def test_the_size_that_was_asked_else_the_largest(office: Office) -> None:
    profile = office.world.directory.account(BOB).profile = Profile(photos={"HR48x48": SMALL, "HR360x360": LARGE})
    assert asked(office, size="HR48x48") == encoded(SMALL)
    assert asked(office, size="HR360x360") == encoded(LARGE)
    for size in ("HR64x64", "HR648x648"):
        assert asked(office, size=size) == encoded(LARGE)
    profile.photo = JPEG
    assert asked(office, size="HR648x648") == encoded(JPEG)
    assert asked(office, size="HR48x48") == encoded(SMALL)


def test_every_size_of_the_schema_is_known(office: Office) -> None:
    office.world.directory.account(BOB).profile = Profile(photo=JPEG)
    assert {asked(office, size=size) for size in SIZES} == {encoded(JPEG)}
    assert asked(office, size="HR50x50") == "ErrorSchemaValidation"
    assert asked(office, ANN) == "ErrorItemNotFound"


def test_a_new_photo_replaces_all_sizes(office: Office) -> None:
    office.world.directory.account(ANN).profile = Profile(photos={"HR48x48": SMALL})
    office.ask("SetUserPhoto", f"<m:Email>{ANN}</m:Email><m:Content>/9g=</m:Content>")
    assert asked(office, ANN) == "/9g="


@pytest.mark.parametrize(("octets", "kind"), [(JPEG, "image/jpeg"), (SMALL, "image/png"), (LARGE, "image/gif")])
def test_a_plain_get(office: Office, octets: bytes, kind: str) -> None:
    office.world.directory.account(BOB).profile = Profile(photo=octets)
    answer = page(office, f"?email={BOB}&size=HR240x240")
    assert (answer.status, answer.body, dict(answer.headers)["Content-Type"]) == (200, octets, kind)


def test_a_photo_that_did_not_change_is_not_sent_again(office: Office) -> None:
    """The ETag stays until the photo is another; If-None-Match is answered 304."""
    profile = office.world.directory.account(BOB).profile = Profile(photo=JPEG)
    query = f"?email={BOB}&size=HR96x96"
    tag = dict(page(office, query).headers)["ETag"]
    again = page(office, query, if_none_match=f'"other", {tag}')
    assert (again.status, again.body, dict(again.headers)["ETag"]) == (304, b"", tag)
    profile.photo = LARGE
    changed = page(office, query, if_none_match=tag)
    assert (changed.status, changed.body) == (200, LARGE)
    assert dict(changed.headers)["ETag"] != tag


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("", 400),
        (f"?email={BOB}&size=HR1x1", 400),
        ("?" + "a=1&" * 30, 400),
        (f"?email={BOB}", 404),
        ("?email=nobody@sim.test&size=HR48x48", 404),
    ],
)
def test_requests_without_a_photo(office: Office, query: str, status: int) -> None:
    assert page(office, query).status == status


def test_a_login_is_needed_and_only_reading_is_possible(office: Office) -> None:
    office.world.directory.account(BOB).profile = Profile(photo=JPEG)
    query = f"?EMAIL={BOB}&Size=hr48X48"
    refused = page(office, query, auth=False)
    assert refused.status == 401
    assert "WWW-Authenticate" in dict(refused.headers)
    assert page(office, query, "POST").status == 405
    assert page(office, query, "HEAD").status == 200
