"""Mail that nobody should write, with every method of correlation switched on: tracked, filtered or parked, and nothing raised."""

from __future__ import annotations

import pytest
from organization_house import House, message

from postroom.model import Lookup
from postroom.organization import SYSTEM
from postroom.providers.contract import Disposition
from postroom.rules.tracking_header import TRACKING_HEADER

EVERYTHING = "<OrgSettings><PostroomUseReferencesForCorrelation>true</PostroomUseReferencesForCorrelation></OrgSettings>"
MANY = ", ".join(f"n{n}@else.test" for n in range(10_000)) + ", ada@alder.test"

MAIL = {
    "nothing": b"",
    "no header": b"\r\n\r\nhello",
    "no From": message(1, From=""),
    "an empty From": message(1, From="<>"),
    "three From addresses": message(1, From="a@x.test, b@x.test, c@x.test"),
    "three From fields": message(1, X="1\r\nFrom: b@x.test\r\nFrom: c@x.test"),
    "ten thousand recipients": message(1, To=MANY),
    "a subject of 100 KiB": message(1, Subject="re: " * 25_600),
    "a subject of tokens": message(1, Subject="CRM:0001001 " * 8_000),
    "a subject of one word": message(1, Subject="x" * 100_000),
    "a date before all": message(1, Date="Mon, 01 Jan 0001 00:00:00 +1400"),
    "a date after all": message(1, Date="Fri, 31 Dec 9999 23:59:59 -1200"),
    "no date": message(1, Date=""),
    "nonsense for a date": message(1, Date="yesterday"),
    "an answer to itself": message(1, In_Reply_To="<1@birch.test>", References="<1@birch.test> <1@birch.test>"),
    "long references": message(1, References=" ".join(f"<{n}@x.test>" for n in range(5_000))),
    "a false header of ours": message(1, **{TRACKING_HEADER: "../../etc/passwd"}),
    "a false conversation": message(1, Thread_Index="=" * 4_000),
    "a winmail.dat": message(
        1,
        Content_Type='multipart/mixed; boundary="b"',
        body='--b\r\nContent-Type: application/ms-tnef; name="winmail.dat"\r\n\r\n\x78\x9f\x3e\x22\r\n--b--',
    ),
    "surrogates and NULs": message(1, Subject="=?utf-8?b?7aCA?= \x00", To="ada@alder.test, \x00@x.test"),
}


@pytest.mark.parametrize("name", MAIL)
@pytest.mark.parametrize("filter_", [0, 1, 3])
def test_it_ends_somewhere(house: House, name: str, filter_: int) -> None:
    house.settings(enablesmartmatching=True, hashminaddresscount=0, hashdeltasubjectcount=1, orgdborgsettings=EVERYTHING)
    ada = house.user("ada", filter_=filter_)
    house.organization.update(SYSTEM, "usersettings", ada.id, autocreatecontactonpromote=True)
    gateway, offer = house.gateway(ada), house.offer(1, raw=MAIL[name])
    verdict = gateway.check_incoming(offer)
    with gateway.batch():
        if verdict.deliver:
            gateway.deliver_incoming(offer, verdict)
        else:
            gateway.settle(offer, Disposition.FILTERED, verdict)
    [row] = house.organization.books().incoming
    assert row.disposition == ("tracked" if verdict.deliver else "filtered")
    assert row.reason
    assert not house.gateway(ada).check_incoming(offer).deliver or not verdict.deliver


def test_a_cycle_of_answers(house: House) -> None:
    """Each answers the other; neither look-up walks further than one step."""
    ada = house.user("ada")
    one = house.take_in(ada, house.offer(1, In_Reply_To="<2@birch.test>"))
    two = house.take_in(ada, house.offer(2, In_Reply_To="<1@birch.test>"))
    assert house.email(one).parentactivityid is None
    assert house.email(two).parentactivityid == Lookup("email", one)
    assert house.email(house.take_in(ada, house.offer(3, In_Reply_To="<2@birch.test>"))).parentactivityid == Lookup(
        "email", two
    )
