"""The bench makes larger stacks of a real one, measures whole processes, and knows its targets."""

import json
import re
from textwrap import dedent

import pytest
from pulumi_rehearsal import UsageError
from pulumi_rehearsal.config import load_project

from tests.rehearsed import ROOT, stack_file

from .__main__ import PLAIN, REHEARSED, Measured, _missed, _table, main, services_config

PROGRAM = """
    import pulumi
    import pulumi_aws as aws

    for service in pulumi.Config().require_object("services"):
        topic = aws.sns.Topic(service["name"], name=service["name"])
        pulumi.export(service["name"], topic.name)
"""


@pytest.fixture
def shop(tmp_path):
    (tmp_path / "Pulumi.yaml").write_text("name: shop\nruntime: python\n")
    (tmp_path / "Pulumi.dev.yaml").write_text(
        "config:\n  shop:services: [{name: api, size: 3}, {name: worker}]\n  other: 007\n"
    )
    (tmp_path / "__main__.py").write_text(dedent(PROGRAM))
    return tmp_path


def test_services_are_repeated_with_names_of_their_own(shop):
    content = services_config(load_project(shop), shop / "Pulumi.dev.yaml", 5)

    assert content["config"]["shop:services"] == [
        {"name": "api", "size": 3},
        {"name": "worker"},
        {"name": "api2", "size": 3},
        {"name": "worker2"},
        {"name": "api3", "size": 3},
    ]


def test_fewer_services_are_the_first_ones(shop):
    content = services_config(load_project(shop), shop / "Pulumi.dev.yaml", 1)

    assert content["config"]["shop:services"] == [{"name": "api", "size": 3}]


def test_a_stack_without_such_a_list_is_refused(shop):
    (shop / "Pulumi.dev.yaml").write_text("config:\n  shop:teams: [{name: api}]\n")

    with pytest.raises(UsageError, match="has no list of services with names"):
        services_config(load_project(shop), shop / "Pulumi.dev.yaml", 2)


def test_both_ways_are_measured_and_compared(shop, capsys):
    code = main(["--project", str(shop), "--services", "1", "3", "--repeat", "1"])

    out = capsys.readouterr().out
    assert code == 0
    rows = [line.split() for line in out.splitlines() if re.match(r" +[13]  ", line)]
    assert [len(row) for row in rows] == [10, 10, 8, 8]
    assert [row[0] for row in rows] == ["1", "3", "1", "3"]
    assert all(float(cell) > 0 for cell in rows[0])
    assert "1 to   3 services: rehearsal" in out


def test_a_program_that_fails_is_told_and_not_measured(shop, capsys):
    (shop / "__main__.py").write_text("raise ValueError('x')")

    code = main(["--project", str(shop), "--services", "1", "--repeat", "1"])

    assert code == 2
    assert "the rehearsal of Pulumi.bench1 ended with exit code 1" in capsys.readouterr().err


def measured(wall, peak=100.0):
    return Measured(wall=wall, cpu=wall, peak=peak, phases={"program": wall})


def test_targets_that_are_missed_are_named():
    results = {
        (1, REHEARSED): measured(0.7),
        (1, PLAIN): measured(1.0),
        (50, REHEARSED): measured(2.0),
        (50, PLAIN): measured(4.0),
        (100, REHEARSED): measured(5.0, peak=460),
        (100, PLAIN): measured(8.0),
    }

    missed = _missed(results)

    assert [line.split(";")[0] for line in missed] == [
        "0.70 times the plain mocks at 1 services",
        "460 MB at 100 services",
        "2.50 times as long for 100 as for 50 services",
    ]
    assert "0.70" in _table(results)


def test_this_projects_stack_can_be_made_larger():
    content = services_config(load_project(ROOT), stack_file("dev"), 7)

    names = [service["name"] for service in content["config"]["ecs-release:services"]]
    assert len(set(names)) == 7
    json.dumps(content)
