"""exchangelib's query sets: every operator, every way to consume one."""

from __future__ import annotations

from datetime import timedelta

import pytest
from exchange_times import at
from exchangelib import ExtendedProperty, FolderCollection, Message, Q
from exchangelib.errors import DoesNotExist, MultipleObjectsReturned
from exchangelib.folders import Messages
from exchangelib_scene import BOB

SUBJECTS = ("apple pie", "Apple Tart", "banana split", "cherry")


class Weight(ExtendedProperty):
    property_set_id = "7c1e5f6c-7f0c-49f5-8a5e-1c2d8cc9a002"
    property_name = "Weight"
    property_type = "Integer"


@pytest.fixture
def folder(exchange):
    """Four drafts: subjects as above, weights 1 to 4, importance of the last High, categories of the first two, one addressed."""
    Message.register("weight", Weight)
    ann = exchange.account()
    for number, subject in enumerate(SUBJECTS, start=1):
        Message(
            account=ann,
            folder=ann.drafts,
            subject=subject,
            body=f"body of {subject}",
            weight=number,
            importance="High" if number == 4 else "Normal",
            categories=["fruit", f"cat{number}"] if number < 3 else None,
            to_recipients=[BOB] if number == 1 else [],
            is_read=number % 2 == 0,
        ).save()
    yield ann.drafts
    Message.deregister("weight")


def names(query):
    return sorted(item.subject for item in query)


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ({"subject": "apple pie"}, {0}),
        ({"subject__exact": "apple pie"}, {0}),
        ({"subject__iexact": "APPLE pie"}, {0}),
        ({"subject__contains": "pp"}, {0, 1}),
        ({"subject__contains": "Apple"}, {1}),
        ({"subject__icontains": "APPLE"}, {0, 1}),
        ({"subject__startswith": "Apple"}, {1}),
        ({"subject__istartswith": "apple"}, {0, 1}),
        ({"subject__not": "cherry"}, {0, 1, 2}),
        ({"subject__in": ["cherry", "apple pie"]}, {0, 3}),
        ({"subject__gt": "banana"}, {2, 3}),
        ({"subject__lte": "banana split"}, {0, 1, 2}),
        ({"subject__exists": True}, {0, 1, 2, 3}),
        ({"categories__exists": False}, {2, 3}),
        ({"categories__contains": ["fruit"]}, {0, 1}),
        ({"categories__contains": ["cat1", "cat2"]}, set()),
        ({"categories__contains": "cat2"}, {1}),
        ({"importance": "High"}, {3}),
        ({"is_read": True}, {1, 3}),
        ({"weight": 2}, {1}),
        ({"weight__gt": 2}, {2, 3}),
        ({"weight__gte": 2, "weight__lt": 4}, {1, 2}),
        ({"weight__lte": 1}, {0}),
        ({"weight__range": (2, 3)}, {1, 2}),
        ({"weight__in": [1, 4]}, {0, 3}),
        ({"weight__not": 1}, {1, 2, 3}),
        ({"weight__exists": True}, {0, 1, 2, 3}),
        ({"has_attachments": False}, {0, 1, 2, 3}),
        ({"size__gt": 0}, {0, 1, 2, 3}),
        ({"item_class__startswith": "IPM.N"}, {0, 1, 2, 3}),
        ({"body__contains": "split"}, {2}),
    ],
    ids=str,
)
def test_operators(folder, given, wanted):
    assert names(folder.filter(**given)) == sorted(SUBJECTS[number] for number in wanted)


def test_moments(folder):
    (item,) = folder.filter(subject="cherry")
    created = item.datetime_created
    assert folder.filter(datetime_created__range=(created - timedelta(days=1), created + timedelta(days=1))).count() == 4
    assert folder.filter(datetime_created__gt=created + timedelta(days=1)).count() == 0
    assert folder.filter(datetime_created__lt=at(2000, 1, 1)).count() == 0


def test_q_and_exclude(folder):
    both = Q(subject__startswith="apple") | Q(subject="cherry")
    assert names(folder.filter(both)) == ["apple pie", "cherry"]
    assert names(folder.filter(~both)) == ["Apple Tart", "banana split"]
    assert names(folder.filter(both & Q(weight__gt=1))) == ["cherry"]
    assert names(folder.filter(both, weight=1)) == ["apple pie"]
    assert names(folder.exclude(subject="cherry")) == ["Apple Tart", "apple pie", "banana split"]
    assert names(folder.exclude(both).filter(weight=3)) == ["banana split"]
    assert names(folder.none()) == []
    assert names(folder.filter(weight__in=[])) == []


def test_query_strings(folder):
    assert names(folder.filter("subject:cherry")) == ["cherry"]
    assert names(folder.filter("subject:apple")) == ["Apple Tart", "apple pie"]


def test_order(folder):
    assert [item.weight for item in folder.all().order_by("weight")] == [1, 2, 3, 4]
    assert [item.weight for item in folder.all().order_by("-weight")] == [4, 3, 2, 1]
    assert next(iter(folder.all().order_by("-importance", "weight"))).weight == 4
    assert [item.weight for item in folder.all().order_by("weight").reverse()] == [4, 3, 2, 1]
    assert [item.subject.lower() for item in folder.all().order_by("subject")] == sorted(one.lower() for one in SUBJECTS)
    assert [item.weight for item in folder.all().order_by("-is_read", "-weight")] == [4, 2, 3, 1]


def test_shapes(folder):
    only = folder.all().only("subject").order_by("weight")
    assert next((item.subject, item.body, bool(item.id)) for item in only) == ("apple pie", None, True)
    assert next(iter(folder.all().order_by("weight").values("subject", "weight"))) == {"subject": "apple pie", "weight": 1}
    assert list(folder.all().order_by("weight").values_list("subject", "weight"))[3] == ("cherry", 4)
    assert list(folder.all().order_by("weight").values_list("subject", flat=True)) == list(SUBJECTS)
    assert set(folder.all().values_list("importance", flat=True)) == {"Normal", "High"}
    (one,) = folder.filter(weight=1).values("body", "to_recipients")
    assert "body of apple pie" in one["body"]
    assert [mailbox.email_address for mailbox in one["to_recipients"]] == [BOB]
    assert len(list(folder.all().values_list("id", "changekey"))) == 4


def test_single_items_and_slices(folder):
    assert folder.get(subject="cherry").weight == 4
    assert folder.all().get(weight=2).subject == "Apple Tart"
    with pytest.raises(DoesNotExist):
        folder.get(subject="plum")
    with pytest.raises(MultipleObjectsReturned):
        folder.get(importance="Normal")
    query = folder.all().order_by("weight")
    assert query[0].weight == 1
    assert query[3].weight == 4
    assert [item.weight for item in query[1:3]] == [2, 3]
    assert [item.weight for item in query[::2]] == [1, 3]
    with pytest.raises(IndexError):
        _ = query[7]


def test_counting(folder):
    assert folder.all().count() == 4
    assert folder.filter(weight__gt=1).count(page_size=1) == 3
    assert folder.filter(weight=4).exists()
    assert not folder.filter(weight=5).exists()


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5])
def test_pages_and_chunks(folder, exchange, size):
    query = folder.all().order_by("weight")
    query.page_size = size
    query.chunk_size = size
    before = exchange.operations().count("FindItem")
    assert [item.weight for item in query] == [1, 2, 3, 4]
    assert exchange.operations().count("FindItem") - before == -(-4 // size)


def test_most_items(folder):
    query = folder.all()
    query.page_size = query.max_items = 3
    assert len(list(query)) == 3


def test_several_folders_at_once(folder, exchange):
    ann = folder.account
    below = Messages(parent=folder, name="below").save()
    Message(account=ann, folder=below, subject="date", weight=5).save()
    both = FolderCollection(account=ann, folders=[folder, below])
    assert sorted(item.weight for item in both.all()) == [1, 2, 3, 4, 5]
    assert both.filter(weight__gt=3).count() == 2
    assert both.get(subject="date").weight == 5
    assert names(both.exclude(weight__lt=4)) == ["cherry", "date"]
    assert list(both.none()) == []
    assert len(list(both.find_items(Q(subject="date")))) == 1


def test_depths(folder):
    from exchangelib.items import ASSOCIATED, SHALLOW, SOFT_DELETED

    assert folder.all().depth(SHALLOW).count() == 4
    assert folder.all().depth(ASSOCIATED).count() == 0
    folder.get(subject="cherry").soft_delete()
    assert folder.all().count() == 3
    assert folder.all().depth(SOFT_DELETED).count() == 1


def test_what_is_done_to_all_that_match(folder, exchange):
    ann = folder.account
    folder.filter(weight=1).copy(ann.junk)
    assert ann.junk.all().count() == 1
    folder.filter(weight__lt=3).move(ann.junk)
    assert (folder.all().count(), ann.junk.all().count()) == (2, 3)
    folder.filter(weight=3).delete()
    assert names(folder.all()) == ["cherry"]
    ann.junk.filter(subject="apple pie").mark_as_junk(is_junk=False, move_item=True)
    assert ann.inbox.filter(subject="apple pie").count() == 2
    draft = folder.get(subject="cherry")
    draft.to_recipients = [BOB]
    draft.save()
    folder.filter(subject="cherry").send()
    assert exchange.account(BOB).inbox.filter(subject="cherry").count() == 1
    assert folder.all().count() == 0
