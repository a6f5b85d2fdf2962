"""The comparison of rehearsal and real engine, tried without the engine."""

import json
from dataclasses import replace
from types import SimpleNamespace

import pytest
from pulumi.runtime.proto import provider_pb2
from pulumi_rehearsal import Archive, Asset, Secret, wire
from pulumi_rehearsal.errors import UsageError
from pulumi_rehearsal.model import UNKNOWN

from tests.conformance import cases, cli, computed, known, observed, seeds
from tests.conformance.__main__ import main
from tests.conformance.compare import Difference, compared
from tests.conformance.observed import Planned, Seen, Verdict
from tests.conformance.provider import ProviderPlugin
from tests.conformance.workspace import EngineRun, copied
from tests.rehearsed import ROOT, rehearsed, stack_settings

VERDICT = Verdict(pack="p", version="1", policy="q", level="mandatory", severity="high", urn="u", message="no")
ROLE = "urn:pulumi:dev::ecs-release::aws:iam/role:Role::one"


@pytest.fixture(scope="module")
def pairs():
    """Every step that a seed is planted in, both sides alike."""
    preview = replace(observed.of_rehearsal(rehearsed("dev")), verdicts=(VERDICT,))
    left = observed.of_rehearsal(rehearsed("dev", "up"))
    seen = {
        "preview": ("preview", preview),
        "up": ("up", left),
        "again": ("preview", replace(preview, planned={})),
        "trespass": ("preview", Seen(verdicts=(VERDICT, replace(VERDICT, policy="r")))),
        "mistake 1": ("preview", Seen(errors=("memory must be 512 or more",), passed=False)),
    }
    return [cases.Pair(step=step, mode=mode, engine=s, rehearsal=s) for step, (mode, s) in seen.items()]


def test_what_is_alike_differs_in_nothing(pairs):
    for pair in pairs:
        assert compared(pair.engine, pair.rehearsal, stack="dev", step=pair.step, mode=pair.mode) == []


def test_every_planted_difference_is_found_and_nothing_else(pairs):
    assert len(seeds.SEEDS) >= 10
    assert seeds.unfound(pairs) == []


def test_a_seed_that_plants_nothing_counts_as_not_found(pairs, monkeypatch):
    monkeypatch.setattr(seeds, "SEEDS", (seeds.Seed("nothing", "preview", lambda seen: seen, "inputs"),))

    assert seeds.unfound(pairs) == ["nothing"]


def test_a_secret_that_an_event_hides_is_like_any_secret_but_not_like_a_plain_value(pairs):
    resource = pairs[0].engine.resources[-1]

    def told(one, other):
        sides = [Seen(resources=(replace(resource, inputs={"key": value}),)) for value in (one, other)]
        return [d.what for d in compared(*sides, stack="", step="", mode="preview")]

    assert told(Secret(observed.HIDDEN), Secret("x")) == []
    assert told(Secret(observed.HIDDEN), "x") == ["inputs.key"]
    assert told(Archive(assets={"a": Asset(text=observed.ELIDED)}), Archive(assets={"a": Asset(text="x")})) == []
    assert told(Archive(assets={"a": Asset(text="y")}), Archive(assets={"a": Asset(text="x")})) == ["inputs.key.a"]
    assert told(1, "1") == ["inputs.key"]


def test_an_outcome_that_differs_is_told_even_if_nothing_else_does():
    found = compared(Seen(passed=False), Seen(), stack="dev", step="up", mode="up")

    assert [(d.what, d.engine, d.rehearsal) for d in found] == [("outcome", "fails", "passes")]


# -- what the engine shows ------------------------------------------------------------------------------------


def engine_run(*events, calls=()):
    return EngineRun(code=0, seconds=0, text="", events=events, calls=calls)


def step(op, **details):
    changed = {path: {"diffKind": kind} for path, kind in details.items()}
    new = None if op.startswith("delete") else {"type": "aws:iam/role:Role", "parent": "", "custom": True}
    new = new and {**new, "inputs": {"name": "[secret]", "arn": wire.UNKNOWN_WIRE}, "outputs": {}, "provider": "a::b"}
    return {"resourcePreEvent": {"metadata": {"op": op, "urn": ROLE, "new": new, "detailedDiff": changed}}}


def test_a_preview_is_read_from_the_events():
    seen = observed.of_preview(engine_run(step("create")), began_from_nothing=True)

    (role,) = seen.resources
    assert (role.type, role.name, role.provider) == ("aws:iam/role:Role", "one", "a")
    assert role.inputs["arn"] is UNKNOWN
    assert isinstance(role.inputs["name"], Secret)
    assert seen.planned is None


@pytest.mark.parametrize(
    ("steps", "planned"),
    [
        ([step("update", tags="update")], Planned(op="update", changed=("tags",))),
        ([step("same")], None),
        (
            [step("create-replacement", name="update-replace"), step("replace"), step("delete-replaced")],
            Planned(op="replace", changed=("name!",)),
        ),
        (
            [step("delete-replaced"), step("replace", name="update-replace"), step("create-replacement")],
            Planned(op="replace", changed=("name!",), delete_first=True),
        ),
    ],
)
def test_the_engines_steps_for_one_resource_are_one_plan(steps, planned):
    seen = observed.of_preview(engine_run(*steps), began_from_nothing=False)

    assert seen.planned.get(ROLE) == planned


def test_a_state_tells_secrets_options_and_dependencies():
    state = {
        "urn": ROLE,
        "type": "aws:iam/role:Role",
        "custom": True,
        "id": "one",
        "inputs": {
            "__internal": {},
            "port": 443.0,
            "password": {wire.SIGNATURE: "1b47061264138c4ac30d75fd1eb44270", "plaintext": '"hidden"'},
        },
        "protect": True,
        "ignoreChanges": ["tags"],
        "resourceHooks": {"BeforeUpdate": ["look"]},
        "dependencies": ["b", "a"],
        "provider": "urn:aws::1234",
    }

    (role,) = observed.of_up(engine_run(), [state], began_from_nothing=True).resources

    assert role.inputs == {"port": 443, "password": Secret("hidden")}
    assert (role.options.protect, role.options.ignore_changes) == (True, ("tags",))
    assert role.options.hooks == ("before_update: look",)
    assert (role.dependencies, role.provider) == (("a", "b"), "urn:aws")


def test_that_a_run_failed_is_no_error_of_its_own():
    said = [
        {"diagnosticEvent": {"severity": "error", "message": f"{observed._EXITED}: 1\n"}},
        {"diagnosticEvent": {"severity": "error", "message": "the memory is wrong\n"}},
        {"diagnosticEvent": {"severity": "error", "message": "preview failed\n"}},
        {"diagnosticEvent": {"severity": "debug", "message": "registering\n"}},
    ]

    assert observed.of_preview(engine_run(*said), began_from_nothing=True).errors == ("the memory is wrong",)


# -- the model as a plugin ------------------------------------------------------------------------------------


@pytest.fixture
def asked():
    """The plugin, configured over one connection, and that connection."""
    plugin, connection = ProviderPlugin("aws", "7.0.0"), SimpleNamespace(peer=lambda: "ipv4:1")
    args = wire.struct_of({"region": "eu-west-1", "defaultTags": json.dumps({"tags": {"team": "a"}})})
    plugin.Configure(provider_pb2.ConfigureRequest(args=args), connection)
    return plugin, connection


def test_the_plugin_checks_and_creates_as_the_rehearsal_does(asked):
    plugin, connection = asked
    news = wire.struct_of({"name": "one", "assumeRolePolicy": "{}"})

    checked = plugin.Check(provider_pb2.CheckRequest(urn=ROLE, news=news), connection).inputs
    preview = plugin.Create(provider_pb2.CreateRequest(urn=ROLE, properties=checked, preview=True), connection)
    made = plugin.Create(provider_pb2.CreateRequest(urn=ROLE, properties=checked), connection)

    assert wire.wire_of(checked)["tagsAll"] == {"team": "a"}
    assert wire.wire_of(preview.properties)["arn"] == wire.UNKNOWN_WIRE
    assert wire.wire_of(made.properties)["arn"].endswith(":role/one")
    assert made.id == "one"
    assert [call.preview for call in plugin.calls] == [True, False]


def test_the_plugin_knows_what_replaces_and_what_goes_first(asked):
    plugin, connection = asked
    old, new = ({"name": "one", "path": path, "description": path} for path in ("/a/", "/b/"))

    answer = plugin.Diff(
        provider_pb2.DiffRequest(urn=ROLE, old_inputs=wire.struct_of(old), news=wire.struct_of(new)), connection
    )

    assert list(answer.replaces) == ["path"]
    assert answer.deleteBeforeReplace
    kinds = provider_pb2.PropertyDiff
    assert {path: diff.kind for path, diff in answer.detailedDiff.items()} == {
        "path": kinds.UPDATE_REPLACE,
        "description": kinds.UPDATE,
    }


def test_a_file_whose_contents_the_engine_leaves_out_is_told_by_its_hash(asked):
    plugin, connection = asked
    urn = ROLE.replace("iam/role:Role", "s3/bucketObjectv2:BucketObjectv2")

    def diff(old, new):
        sides = [wire.struct_of({"source": {wire.SIGNATURE: wire.ASSET, "hash": h, "text": ""}}) for h in (old, new)]
        return plugin.Diff(provider_pb2.DiffRequest(urn=urn, old_inputs=sides[0], news=sides[1]), connection)

    assert list(diff("a", "b").diffs) == ["source"]
    assert list(diff("a", "a").diffs) == []


def test_the_plugin_refuses_a_function_that_nobody_can_answer(asked):
    plugin, connection = asked

    answer = plugin.Invoke(provider_pb2.InvokeRequest(tok="aws:index/getIpRanges:getIpRanges"), connection)

    assert "getIpRanges" in answer.failures[0].reason


# -- what is explained ----------------------------------------------------------------------------------------


def difference(what, **more):
    return Difference(
        **{"stack": "dev", "step": "up", "urn": ROLE, "engine": "a", "rehearsal": "b", "what": what, **more}
    )


def test_a_difference_is_explained_by_an_entry_that_covers_it_and_an_entry_without_one_is_stale():
    entries = [
        known.Known(reason="because", what="outputs.arn", type="aws:iam/*"),
        known.Known(reason="gone", what="outputs.arn", step="preview"),
    ]

    assert known.reason(difference("outputs.arn"), entries) == "because"
    assert known.reason(difference("outputs.name"), entries) == ""
    assert known.stale([difference("outputs.arn")], entries) == entries[1:]


def test_a_table_of_computed_properties_is_compared_both_ways():
    table = {"aws:iam/role:Role": {"arn": "string", "description": "string"}, "aws:iam/nothing:Nothing": {}}

    found = {(d.type, d.what): why for d, why in computed.compared(table)}

    assert found["aws:iam/role:Role", "description"] == ""  # the model does not know it as computed: unexplained
    assert found["aws:iam/nothing:Nothing", "type"] == ""
    assert "only the provider" in found["aws:iam/role:Role", "uniqueId"]
    assert ("aws:iam/role:Role", "assumeRolePolicy") not in found  # required: nobody computes it
    assert ("aws:iam/role:Role", "arn") not in found


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"aws:iam/role:Role": 1}'])
def test_what_is_no_table_is_said_in_one_sentence(tmp_path, text):
    file = tmp_path / "table.json"
    file.write_text(text)

    with pytest.raises(UsageError, match=str(file)):
        computed.read(file)


# -- the command ----------------------------------------------------------------------------------------------


@pytest.fixture
def no_cli(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


@pytest.mark.usefixtures("no_cli")
def test_without_cli_and_go_the_check_says_loudly_that_it_was_skipped(capsys):
    assert main(["--json"]) == 0

    said = capsys.readouterr()
    assert "SKIPPED" in said.err
    assert json.loads(said.out)["result"] == "skipped"


@pytest.mark.usefixtures("no_cli")
def test_a_check_that_is_required_is_not_skipped(capsys):
    assert main(["--required"]) == 2

    assert "neither a Pulumi CLI on PATH nor Go" in capsys.readouterr().err


def test_the_cli_on_path_is_taken_with_the_exec_script_beside_it(monkeypatch, tmp_path):
    for name, text in (("pulumi", "#!/bin/sh\necho v3.250.0\n"), ("pulumi-language-python-exec", "")):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")

    found = cli.found(build=False)

    assert (found.pulumi, found.version) == (tmp_path / "pulumi", "3.250.0")
    assert found.exec_script == tmp_path / "pulumi-language-python-exec"


def test_a_stack_without_a_file_is_named(capsys, monkeypatch):
    monkeypatch.setattr(cli, "found", lambda **_: SimpleNamespace(version="3"))

    assert main(["--stack", "nowhere"]) == 2
    assert "Pulumi.nowhere.yaml" in capsys.readouterr().err


def test_the_copy_has_the_program_and_no_caches(tmp_path):
    copied(ROOT, tmp_path / "copy")

    assert (tmp_path / "copy" / "__main__.py").is_file()
    assert not (tmp_path / "copy" / ".venv").exists()


def test_the_cases_leave_the_settings_that_they_are_given_alone():
    settings = {"config": {f"ecs-release:{key}": value for key, value in stack_settings("dev").items()}}
    before = json.dumps(settings)

    others = [cases.changed(settings), cases.removed(settings), cases.renamed(settings), *cases.mistakes(settings)]

    assert json.dumps(settings) == before
    assert all(json.dumps(other) != before for other in others)
