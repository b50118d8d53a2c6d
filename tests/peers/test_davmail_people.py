"""DavMail in front of our Exchange: CardDAV, and the directory by LDAP."""

from __future__ import annotations

import re
import subprocess

import pytest
from davmail import dav
from foreign import DEADLINE, PASSWORD

from postroom_simulator.store.interface import Role

CARD = (
    "BEGIN:VCARD\r\nVERSION:3.0\r\nUID:carl\r\nFN:Carl Cedar\r\nN:Cedar;Carl;;;\r\nORG:Cedar & Sons\r\nTITLE:Carpenter\r\n"
    "EMAIL;TYPE=work:carl@cedar.test\r\nTEL;TYPE=cell:+45 1234\r\nADR;TYPE=work:;;Main St 1;Aarhus;;8000;DK\r\nBDAY:1980-05-17\r\n"
    "NOTE:knows wood\r\nEND:VCARD\r\n"
)


def test_a_contact_is_put_got_and_deleted(gateway):
    person = gateway.person()
    path = f"/users/{person}/contacts/carl.vcf"
    status, _, said = dav(gateway, person, "PUT", path, CARD, **{"Content-Type": "text/vcard; charset=utf-8"})
    assert status == 201, said
    status, headers, text = dav(gateway, person, "GET", path)
    assert status == 200, text
    assert headers["etag"]
    for piece in ("FN:Carl Cedar", "carl@cedar.test", "+45 1234", "Main St 1", "Carpenter", "knows wood"):
        assert piece in text, text
    changed = CARD.replace("Carpenter", "Joiner").replace("carl@cedar.test", "new@cedar.test")
    status, _, said = dav(gateway, person, "PUT", path, changed, **{"Content-Type": "text/vcard; charset=utf-8"})
    assert status in (200, 201, 204), said
    text = dav(gateway, person, "GET", path)[2]
    assert "Joiner" in text
    assert "new@cedar.test" in text
    assert "carl@cedar.test" not in text
    assert dav(gateway, person, "DELETE", path)[0] in (200, 204)
    assert dav(gateway, person, "GET", path)[0] == 404


def test_contacts_are_listed(gateway):
    person = gateway.person()
    path = f"/users/{person}/contacts/carl.vcf"
    assert dav(gateway, person, "PUT", path, CARD, **{"Content-Type": "text/vcard; charset=utf-8"})[0] == 201
    wanted = '<D:propfind xmlns:D="DAV:"><D:prop><D:getetag/></D:prop></D:propfind>'
    status, _, text = dav(gateway, person, "PROPFIND", f"/users/{person}/contacts/", wanted, Depth="1")
    assert status == 207
    (name,) = [one for one in re.findall(r"<D:href>([^<]*)</D:href>", text) if not one.endswith("/")]
    assert "FN:Carl Cedar" in dav(gateway, person, "GET", name)[2]


GROUP = (
    "BEGIN:VCARD\r\nVERSION:3.0\r\nUID:team\r\nFN:Team\r\nN:Team\r\nKIND:group\r\nMEMBER:mailto:bob@far.test\r\n"
    "MEMBER:mailto:carl@cedar.test\r\nEND:VCARD\r\n"
)


def test_a_list_of_contacts(gateway):
    person = gateway.person()
    path = f"/users/{person}/contacts/team.vcf"
    status, _, said = dav(gateway, person, "PUT", path, GROUP, **{"Content-Type": "text/vcard; charset=utf-8"})
    assert status == 201, said
    lines = dav(gateway, person, "GET", path)[2].splitlines()
    assert {"KIND:group", "FN:Team"} <= set(lines)
    assert sorted(line.rpartition(":")[2] for line in lines if line.startswith("MEMBER")) == ["bob@far.test", "carl@cedar.test"]
    (made,) = (item for item in gateway.world.store.items(gateway.world.store.folder(person, Role.CONTACTS).uid))
    assert made.item_class == "IPM.DistList"
    fewer = GROUP.replace("MEMBER:mailto:carl@cedar.test\r\n", "")
    status, _, said = dav(gateway, person, "PUT", path, fewer, **{"Content-Type": "text/vcard; charset=utf-8"})
    assert status in (200, 201, 204), said
    assert "carl@cedar.test" not in dav(gateway, person, "GET", path)[2]


# -- LDAP


def searched(
    program, gateway, user: str, query: str, wanted: str = "uid,cn,mail", password: str = PASSWORD
) -> list[dict[str, str]]:
    """What curl shows of each entry."""
    url = f"ldap://127.0.0.1:{gateway.ports['ldap']}/ou=people?{wanted}?sub?{query}"
    done = subprocess.run(
        [program("curl"), "-sS", "--max-time", str(DEADLINE), "-u", f"{user}:{password}", url],
        capture_output=True,
        text=True,
        check=False,
        timeout=DEADLINE * 2,
    )
    assert done.returncode == 0, done
    entries = done.stdout.split("DN: ")[1:]
    return [dict(re.findall(r"^\t(\w+): (.*)$", entry, re.MULTILINE)) for entry in entries]


@pytest.fixture(scope="module")
def zelda(gateway):
    gateway.world.add_account("zelda@sim.test", PASSWORD, name="Zelda Zimt")


@pytest.mark.parametrize("query", ["(cn=zel*)", "(mail=zelda*)", "(displayname=zelda*)", "(|(cn=zelda*)(mail=zelda*))"])
def test_the_directory_is_searched(gateway, program, zelda, query):
    (found,) = searched(program, gateway, gateway.person(), query)
    assert found == {"uid": "Zelda Zimt", "cn": "Zelda Zimt", "mail": "zelda@sim.test"}


def test_names_of_people_in_the_directory(gateway, program, zelda):
    """Nobody said which part of the name is which: see `people.book`."""
    (found,) = searched(program, gateway, gateway.person(), "(cn=zel*)", "cn,sn,givenName")
    assert {"cn": "Zelda Zimt", "sn": "Zimt", "givenname": "Zelda"}.items() <= found.items()


def test_the_directory_has_nobody_of_a_name(gateway, program):
    assert searched(program, gateway, gateway.person(), "(cn=nobody*)") == []


def test_own_contacts_are_in_the_directory(gateway, program):
    person = gateway.person()
    assert (
        dav(
            gateway, person, "PUT", f"/users/{person}/contacts/carl.vcf", CARD, **{"Content-Type": "text/vcard; charset=utf-8"}
        )[0]
        == 201
    )
    (found,) = searched(program, gateway, person, "(sn=Cedar*)", "cn,mail,sn,givenName,mobile,title,o")
    wanted = {
        "cn": "Carl Cedar",
        "sn": "Cedar",
        "givenname": "Carl",
        "mail": "carl@cedar.test",
        "mobile": "+45 1234",
        "title": "Carpenter",
    }
    assert wanted.items() <= found.items()


def test_the_directory_needs_the_right_password(gateway, program):
    url = f"ldap://127.0.0.1:{gateway.ports['ldap']}/ou=people?cn?sub?(cn=z*)"
    done = subprocess.run(
        [program("curl"), "-sS", "-u", f"{gateway.person()}:guess", url],
        capture_output=True,
        text=True,
        check=False,
        timeout=DEADLINE,
    )
    assert done.returncode == 67  # "login denied"
    assert done.stdout == ""
