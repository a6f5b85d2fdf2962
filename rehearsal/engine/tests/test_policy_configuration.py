"""A pack's configuration is put together and refused as the CLI does it."""

import pytest
from pulumi_rehearsal import UsageError

PACK = """
    from pulumi_policy import EnforcementLevel, PolicyConfigSchema, PolicyPack, ResourceValidationPolicy

    def told(args, report):
        if args.resource_type == "pulumi:pulumi:Stack":
            report(str(dict(sorted(args.get_config().items()))))

    schema = PolicyConfigSchema(
        properties={
            "limit": {"type": "integer", "default": 3, "minimum": 1, "maximum": 9},
            "names": {"type": "array", "items": {"type": "string", "pattern": "^[a-z]+$"}, "maxItems": 2},
            "kinds": {"type": ["array", "null"], "uniqueItems": True},
            "mode": {"type": "string", "enum": ["loose", "strict"]},
            "tags": {"type": "object", "required": ["team"], "properties": {"team": {"type": "string"}},
                     "additionalProperties": False},
        },
    )
    PolicyPack(
        "configured",
        enforcement_level=EnforcementLevel.ADVISORY,
        initial_config={"first": {"mode": "loose"}},
        policies=[
            ResourceValidationPolicy("first", "First.", told, config_schema=schema),
            ResourceValidationPolicy("second", "Second.", told,
                                     config_schema=PolicyConfigSchema({"who": {"type": "string"}}, ["who"]),
                                     enforcement_level=EnforcementLevel.DISABLED),
        ],
    )
"""


@pytest.fixture
def configured(project):
    project.pack("configured", PACK)
    return project


def rehearsed(project, content, **options):
    return project.rehearse(policy_configs=[project.write("policy.yaml", content)], **options)


def told(run, policy):
    return [(v.level, v.message) for v in run.violations_of(policy)]


@pytest.mark.parametrize("real", [False, True])
def test_defaults_come_first_then_the_packs_own_then_the_users(configured, real):
    untouched = configured.rehearse(real_analyzers=real)
    changed = rehearsed(configured, "first: {limit: 5, enforcementLevel: mandatory}\n", real_analyzers=real)

    assert told(untouched, "first") == [("advisory", "First.\n{'limit': 3.0, 'mode': 'loose'}")]
    assert told(changed, "first") == [("mandatory", "First.\n{'limit': 5.0, 'mode': 'loose'}")]


def test_a_level_for_all_is_overruled_by_one_for_a_policy(configured):
    run = rehearsed(configured, "all: mandatory\nfirst: advisory\nsecond: {who: me}\n")

    assert told(run, "first")[0][0] == "advisory"
    assert told(run, "second") == [("mandatory", "Second.\n{'who': 'me'}")]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("third: advisory\n", "there is no policy 'third'; the policies are first, second"),
        ("first: loud\n", "enforcementLevel 'loud'; allowed are advisory, mandatory, remediate, disabled"),
        ("first: [a]\n", "must be an enforcement level or a map"),
        ("first: {limit: many}\n", "limit of policy first must be of type integer; found 'many'"),
        ("first: {limit: 1.5}\n", "must be of type integer"),
        ("first: {limit: 0}\n", "must be at least 1"),
        ("first: {limit: 10}\n", "must be at most 9"),
        ("first: {names: [a, b, c]}\n", "must have at most 2 items"),
        ("first: {names: [A]}\n", "names[0] of policy first must match ^[a-z]+$; found 'A'"),
        ("first: {mode: other}\n", "must be one of loose, strict"),
        ("first: {tags: {}}\n", "needs team"),
        ("first: {tags: {team: a, other: b}}\n", "tags of policy first has no property other"),
        ("first: {tags: {team: 7}}\n", "tags.team of policy first must be of type string; found 7"),
        ("first: {kinds: [1, 1]}\n", "kinds of policy first is not allowed ([1, 1] has non-unique elements)"),
        ("all: {limit: 3}\n", "all takes an enforcementLevel only"),
        ("second: mandatory\n", "policy second needs who"),
        ("- first\n", "must be a map of policy names"),
    ],
)
def test_a_wrong_configuration_is_refused(configured, content, said):
    with pytest.raises(UsageError) as refused:
        rehearsed(configured, content)

    assert said in str(refused.value)
    assert "\n" not in str(refused.value)
    assert "policy.yaml" in str(refused.value)


def test_each_pack_has_its_own_file_or_none_has(configured):
    file = configured.write("policy.yaml", "{}\n")

    with pytest.raises(UsageError, match="was given 2 times for 1 policy packs"):
        configured.rehearse(policy_configs=[file, file])


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("runtime: nodejs\n", "the rehearsal runs python packs only"),
        ("runtime: {name: python, options: {virtualenv: nowhere}}\n", "has no bin/python"),
        ("runtime: python\nmain: nowhere\n", "has no __main__.py"),
        ("[a]\n", "must be a map with a runtime"),
    ],
)
def test_a_pack_that_cannot_be_run_is_refused(configured, content, said):
    configured.write("policies/configured/PulumiPolicy.yaml", content)

    with pytest.raises(UsageError, match=said):
        configured.rehearse()


def test_a_directory_that_is_no_pack_is_refused(configured):
    with pytest.raises(UsageError, match=r"has no PulumiPolicy\.yaml"):
        configured.rehearse(packs=[configured.root])


def test_a_pack_with_an_interpreter_of_its_own_runs_in_its_own_process(configured):
    configured.write("policies/configured/PulumiPolicy.yaml", "runtime: {name: python, options: {virtualenv: env}}\n")
    interpreter = configured.write(
        "policies/configured/env/bin/python",
        # Stands for another environment: says so, and goes on as this one.
        f'#!/bin/sh\ntouch "$0.used"\nexec "{__import__("sys").executable}" "$@"\n',
    )
    interpreter.chmod(0o755)

    run = configured.rehearse()

    assert told(run, "first")
    assert interpreter.with_name("python.used").exists()
