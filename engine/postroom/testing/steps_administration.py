"""The phrases about explanations: why a message became what it became."""

from __future__ import annotations

from weakref import WeakKeyDictionary

from pytest_bdd import parsers, then, when

from postroom.organization import SYSTEM
from postroom.organization.explain import MailExplanation
from postroom.testing.scene import Scene


def _explanation(scene: Scene, subject: str) -> MailExplanation:
    """Of the newest mail with that subject; `its` means the one that was asked for last."""
    rows = scene.organization.find_mail(SYSTEM, subject)
    assert rows, f"the ledger knows no mail {subject!r}"
    _ASKED[scene] = subject
    return scene.organization.explain_mail(SYSTEM, rows[0].number)


_ASKED: WeakKeyDictionary[Scene, str] = WeakKeyDictionary()


def _its(scene: Scene) -> MailExplanation:
    return _explanation(scene, _ASKED[scene])


@when(parsers.parse('the settings that the explanation of "{subject}" names are changed'))
def changed(postroom_scene: Scene, subject: str) -> None:
    for one in _explanation(postroom_scene, subject).settings:
        if one.wanted is not None and one.entity == "organization":
            postroom_scene.organization.update_settings(SYSTEM, **{one.name: one.wanted})
        elif one.wanted is not None:
            postroom_scene.organization.update(SYSTEM, one.entity, one.record, **{one.name: one.wanted})


@then(parsers.parse('the mail "{subject}" is explained as "{text}"'))
def explained(postroom_scene: Scene, subject: str, text: str) -> None:
    assert _explanation(postroom_scene, subject).text == text


@then(parsers.parse('its explanation says "{text}" of "{what}"'))
def saw(postroom_scene: Scene, text: str, what: str) -> None:
    assert _its(postroom_scene).saw[what] == text


@then(parsers.parse('its explanation says "{text}" of today'))
def today(postroom_scene: Scene, text: str) -> None:
    assert _its(postroom_scene).now == text


@then(parsers.parse('the explanation of "{subject}" says "{text}" of today'))
def today_of(postroom_scene: Scene, subject: str, text: str) -> None:
    assert _explanation(postroom_scene, subject).now == text


@then(parsers.parse('its explanation names the setting "{name}"'))
def names_setting(postroom_scene: Scene, name: str) -> None:
    assert name in {one.name for one in _its(postroom_scene).settings}
