"""What makes a rehearsal fast changes nothing of its result."""

import importlib
import json
import subprocess
import sys
import textwrap

import pulumi
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pulumi.runtime import rpc
from pulumi_rehearsal.tuning import contains_unknowns
from sample_project import SHOP

MORE = """
    for index in range(30):
        topic = aws.sns.Topic(f"t{index}", name=f"t{index}" if index % 2 else None,
                              opts=pulumi.ResourceOptions(parent=shop if index % 3 else None))
        aws.sqs.Queue(f"q{index}", policy=pulumi.Output.all(topic.arn, shop.queue.url).apply(str),
                      opts=pulumi.ResourceOptions(depends_on=[topic] if index % 5 else None))
    pulumi.export("all", {"nested": [shop.topic.tags_all, shop.queue.delay_seconds, pulumi.Output.secret(topic.name)]})
"""


def by_urn(run):
    # Which lines are kept of a trace is the same, too.
    return {resource.urn: resource for resource in run.resources}


@pytest.mark.parametrize("mode", ["preview", "up"])
def test_a_tuned_run_gives_what_the_plain_sdk_gives(project, mode):
    project.program(SHOP + MORE)

    tuned, plain = project.rehearse(mode), project.rehearse(mode, tuned=False)

    assert tuned.ok
    assert by_urn(tuned) == by_urn(plain)
    assert tuned.exports == plain.exports
    assert tuned.diagnostics == plain.diagnostics


@pytest.mark.parametrize("tuned", [True, False])
@pytest.mark.parametrize("failing", ["topic.name.apply(lambda n: n['x'])", "raise_(topic)", "pulumi.Output.all(1 / 0)"])
def test_a_failure_is_the_same_tuned_or_not(project, failing, tuned):
    project.program(
        f"""
        import pulumi
        import pulumi_aws as aws

        def raise_(topic):
            def fail(_):
                raise ValueError("x")
            return aws.sqs.Queue("q", policy=topic.name.apply(fail)).arn.apply(str)

        topic = aws.sns.Topic("t", name="t")
        {failing}
        """
    )

    run = project.rehearse(tuned=tuned)

    assert [d.message.split(":")[1].strip() for d in run.errors] == [
        {"t": "TypeError", "r": "ValueError", "p": "ZeroDivisionError"}[failing[0]]
    ]


def test_the_sdk_is_as_it_was_after_a_run(project):
    before = [pulumi.log.debug, pulumi.runtime.resource._get_stack_trace, rpc.transfer_properties, sys.meta_path[:]]

    project.rehearse()

    assert before == [
        pulumi.log.debug,
        pulumi.runtime.resource._get_stack_trace,
        rpc.transfer_properties,
        sys.meta_path[:],
    ]


things = st.recursive(
    st.none() | st.text() | st.integers() | st.just(pulumi.UNKNOWN),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=15,
)


@given(things)
def test_the_look_for_unknowns_finds_what_the_sdks_own_finds(value):
    assert contains_unknowns(value) == rpc.contains_unknowns(value)


def test_the_look_for_unknowns_ends_in_a_circle():
    circle: list = []
    circle.append({"again": circle})

    assert not contains_unknowns(circle)


# -- leaf imports ---------------------------------------------------------------------------------------------

SERVICES = [
    "appautoscaling",
    "cloudtrail",
    "cloudwatch",
    "codedeploy",
    "codepipeline",
    "ecr",
    "ecs",
    "iam",
    "kms",
    "lambda_",
    "lb",
    "s3",
    "sns",
    "sqs",
]


def in_a_new_process(script: str):
    """What a script prints as JSON, in a process that has imported nothing of the SDK."""
    ended = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)],
        capture_output=True,
        check=False,
        text=True,
    )
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout)


def test_a_leaf_import_gives_every_name_of_a_service_the_very_same_thing():
    differing = in_a_new_process(
        f"""
        import importlib, json, sys
        from pulumi_rehearsal.leaf_imports import leaf_imports

        with leaf_imports():
            import pulumi_aws as aws
            differing = []
            for service in {SERVICES}:
                lazy = getattr(aws, service)
                if "__getattr__" not in lazy.__dict__:
                    getattr(lazy, "__nothing__", None)
                assert "__getattr__" in lazy.__dict__, service
                names = set()
                for line in open(lazy.__file__):
                    if line.startswith("from ."):
                        leaf = line.split()[1].lstrip(".")
                        if leaf and line.strip().endswith("*"):
                            names.update(importlib.import_module(f"pulumi_aws.{{service}}.{{leaf}}").__all__)
                found = {{name: getattr(lazy, name) for name in sorted(names)}}
                dir(lazy)
                assert "__getattr__" not in lazy.__dict__
                differing += [f"{{service}}.{{n}}" for n, v in found.items() if v is not lazy.__dict__[n]]
        print(json.dumps(differing))
        """
    )

    assert differing == []


def test_a_leaf_import_loads_the_leaf_and_not_the_service():
    loaded = in_a_new_process(
        """
        import json, sys
        from pulumi_rehearsal.leaf_imports import leaf_imports

        with leaf_imports():
            import pulumi_aws as aws
            aws.sns.Topic
            aws.sns.get_topic
        print(json.dumps(sorted(name for name in sys.modules if name.startswith("pulumi_aws.sns."))))
        """
    )

    assert loaded == ["pulumi_aws.sns.get_topic", "pulumi_aws.sns.topic"]


def test_the_name_of_a_function_is_not_hidden_by_its_module():
    kinds = in_a_new_process(
        """
        import json
        from pulumi_rehearsal.leaf_imports import leaf_imports

        with leaf_imports():
            import pulumi_aws as aws
            result, function = aws.sns.GetTopicResult, aws.sns.get_topic
            outputs, arguments = aws.ecs.outputs, aws.ecs.ServiceNetworkConfigurationArgs
            typed = aws.ecs.ServiceNetworkConfigurationArgsDict
        print(json.dumps([type(x).__name__ for x in (result, function, outputs, arguments)]))
        """
    )

    assert kinds == ["type", "function", "module", "type"]


def test_all_names_are_there_for_who_asks_for_all():
    counts = in_a_new_process(
        """
        import json
        from pulumi_rehearsal.leaf_imports import leaf_imports

        with leaf_imports():
            import pulumi_aws as aws
            exec("from pulumi_aws.sns import *")
            aws.sqs.Queue
            names = dir(aws.sqs)
            try:
                aws.ecr.Nonsense
            except AttributeError as problem:
                missing = str(problem)
        print(json.dumps(["Topic" in globals(), "QueuePolicy" in names, missing]))
        """
    )

    assert counts == [True, True, "module 'pulumi_aws.ecr' has no attribute 'Nonsense'"]


def test_packages_of_another_shape_are_left_alone():
    assert importlib.import_module("pulumi_rehearsal.leaf_imports")._leaves("x = 1\n") is None
    assert importlib.import_module("pulumi_rehearsal.leaf_imports")._leaves("from .a import *\n# c\n") == {"a"}
