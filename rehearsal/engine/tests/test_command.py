"""The command line: what it prints, and the exit code it ends with."""

import json
import os
import subprocess
import sys

import pytest
from pulumi_rehearsal.cli import main

PROGRAM = """
    import pulumi
    import pulumi_aws as aws

    class Shop(pulumi.ComponentResource):
        def __init__(self, name):
            super().__init__("shop:index:Shop", name)
            aws.s3.Bucket("goods", bucket="goods", opts=pulumi.ResourceOptions(parent=self))
            aws.sns.Topic("orders", opts=pulumi.ResourceOptions(parent=self))
            self.register_outputs({})

    Shop("main")
    aws.sns.Topic("news")
    pulumi.export("name", "main")
    pulumi.export("token", pulumi.Output.secret("hush"))
"""

PACK = """
    from pulumi_policy import EnforcementLevel, PolicyPack, ResourceValidationPolicy, Severity

    def no_topic(args, report):
        if args.resource_type == "aws:sns/topic:Topic" and args.name == "news":
            report("the topic news is not wanted")

    PolicyPack("wants", [
        ResourceValidationPolicy("no-news", "No news.", no_topic, EnforcementLevel.MANDATORY,
                                 severity=Severity.HIGH, remediation_steps="Remove the topic.",
                                 url="https://example.com/news"),
        ResourceValidationPolicy("quiet", "Says nothing.", lambda args, report: None),
    ])
"""


@pytest.fixture
def command(project, capsys):
    """Runs the command for the project: exit code, what was printed, and what went to standard error."""
    project.program(PROGRAM)

    def run(*arguments):
        try:
            code = main([*arguments, "--project", str(project.root)])
        except SystemExit as ended:
            code = ended.code
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return run


def test_the_tree_is_laid_out_as_the_cli_does_it(command):
    code, out, _ = command("preview", "--no-color")

    assert code == 0
    assert out.split("\n\n")[:2] == [
        "Previewing update (dev), rehearsed",
        (
            "     Type                 Name      Plan\n"
            " +   pulumi:pulumi:Stack  shop-dev  create\n"
            " +   ├─ shop:index:Shop   main      create\n"
            " +   │  ├─ aws:s3:Bucket  goods     create\n"
            " +   │  └─ aws:sns:Topic  orders    create\n"
            " +   └─ aws:sns:Topic     news      create"
        ),
    ]


def test_types_are_counted_and_exports_are_shown_without_their_secrets(command):
    _, out, _ = command("preview", "--no-color")

    assert "Resources: 5 to create\n" in out
    assert "    2  aws:sns:Topic\n" in out
    assert '    name : "main"\n' in out
    assert '    token: "[secret]"\n' in out
    assert "hush" not in out
    assert "default_" not in out


def test_a_mandatory_violation_is_shown_with_its_remedy_and_ends_with_one(command, project):
    project.pack("wants", PACK)

    code, out, _ = command("preview", "--no-color")

    assert code == 1
    assert (
        "    ✗ wants@v1.2.3  1 mandatory, 0 advisory\n"
        "        [mandatory] no-news (high)\n"
        "            urn:pulumi:dev::shop::aws:sns/topic:Topic::news\n"
        "            No news.\n"
        "            the topic news is not wanted\n"
        "            Remedy: Remove the topic.\n"
        "            See https://example.com/news\n"
    ) in out
    assert "1 mandatory violation" in next(line for line in out.splitlines() if " news " in line)
    assert "Next: fix the errors above" in out


def test_when_all_is_allowed_it_says_what_to_do_next(command, project):
    project.pack("wants", PACK.replace('args.name == "news"', "False"))

    code, out, _ = command("preview", "--no-color")

    assert code == 0
    assert "✓ wants@v1.2.3  2 policies passed" in out
    assert "dev  allowed  5 resources, 2 policies of 1 pack, 0 mandatory and 0 advisory, 0 errors" in out
    assert "Next: pulumi up --stack dev --policy-pack " in out


def test_every_stack_on_disk_is_rehearsed_where_none_is_named(command, project):
    project.write("Pulumi.prod.yaml", "config: {}\n")
    project.write("Pulumi.stg.yaml", "config: {}\n")

    _, all_of_them, _ = command("preview", "--no-color")
    _, two, _ = command("preview", "--no-color", "--stack", "prod", "-s", "dev")

    headings = [line for line in all_of_them.splitlines() if line.startswith("Previewing")]
    assert headings == [f"Previewing update ({stack}), rehearsed" for stack in ("dev", "prod", "stg")]
    assert [line for line in two.splitlines() if line.startswith("Previewing")] == [
        "Previewing update (prod), rehearsed",
        "Previewing update (dev), rehearsed",
    ]


def test_up_fills_in_what_providers_compute(command, project):
    project.program(PROGRAM + "    \n    pulumi.export('arn', aws.sns.Topic('t', name='t').arn)\n")

    _, preview, _ = command("preview", "--no-color")
    code, up, _ = command("up", "--no-color")

    assert "arn  : [unknown]" in preview
    assert code == 0
    assert up.startswith("Updating (dev), rehearsed\n")
    assert 'arn  : "arn:aws:sns:us-east-1:123456789012:t"' in up


def test_an_error_of_the_program_ends_with_one(command, project):
    project.program("import pulumi\nraise ValueError('x')\n")

    code, out, _ = command("preview", "--no-color")

    assert code == 1
    assert "    error: the program failed: ValueError: x\n" in out
    assert "line 2, in <module>" in out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["preview", "--stack", "nowhere"], "stack 'nowhere' has no Pulumi.nowhere.yaml"),
        (["preview", "--policy-pack", "nowhere"], "nowhere has no PulumiPolicy.yaml"),
        (["preview", "--config", "size"], "--config 'size' is not KEY=VALUE"),
        (["preview", "--secret", "=x"], "--secret '=x' is not KEY=VALUE"),
        (["preview", "--answers", "nowhere.yaml"], "nowhere.yaml cannot be read"),
        (["preview", "--config-file", "nowhere.yaml"], "nowhere.yaml is not a file"),
        (["destroy"], "invalid choice: 'destroy'"),
        (["preview", "--nonsense"], "unrecognized arguments: --nonsense"),
        ([], "the following arguments are required"),
    ],
)
def test_a_usage_error_is_one_line_and_ends_with_two(command, arguments, said):
    code, out, err = command(*arguments)

    assert code == 2
    assert said in err
    assert "Traceback" not in err
    assert out == ""


def test_a_project_without_stacks_is_a_usage_error(command, project):
    (project.root / "Pulumi.dev.yaml").unlink()

    code, _, err = command("preview")

    assert code == 2
    assert "has no Pulumi.<stack>.yaml" in err


def test_json_is_one_document_that_says_it_all(command, project):
    project.pack("wants", PACK)
    project.write("Pulumi.prod.yaml", "config: {}\n")

    code, out, _ = command("preview", "--json")
    document = json.loads(out)

    assert code == 1
    assert document["ok"] is False
    assert [stack["stack"] for stack in document["stacks"]] == ["dev", "prod"]
    first = document["stacks"][0]
    assert first["counts"]["aws:sns/topic:Topic"] == 2
    assert first["exports"] == {"name": "main", "token": "[secret]"}
    assert [(v["policy"], v["level"]) for v in first["violations"]] == [("no-news", "mandatory")]
    news = next(r for r in first["resources"] if r["name"] == "news")
    assert news["outputs"]["arn"] == "[unknown]"
    assert news["source"] == [f"{project.root}/__main__.py:13"]
    assert news["parent"] == "urn:pulumi:dev::shop::pulumi:pulumi:Stack::shop-dev"


def test_prints_of_the_program_do_not_disturb_the_json(command, project):
    project.program("print('{not json')\n")

    _, out, _ = command("preview", "--json")

    assert json.loads(out)["stacks"][0]["diagnostics"][0]["message"] == "{not json"


def test_configuration_secrets_and_answers_come_from_options_and_files(command, project):
    project.write("Pulumi.dev.yaml", "config:\n  token: {secure: v1:x}\n  other: {secure: v1:y}\n  size: 1\n")
    project.write(
        "__main__.py",
        """
        import pulumi
        import pulumi_aws as aws

        config = pulumi.Config()
        pulumi.export("size", config.require("size"))
        pulumi.export("length", config.require_secret("token").apply(len))
        pulumi.export("other", config.require_secret("other").apply(len))
        pulumi.export("ami", aws.ec2.get_ami_output(owners=["self"]).id)
        pulumi.export("vpc", pulumi.StackReference("a/b/c").get_output("vpc"))
        """,
    )
    secrets = project.write("secrets.yaml", "other: hushhush\n")
    answers = project.write(
        "answers.yaml",
        "invokes: {'aws:ec2/getAmi:getAmi': {id: ami-1}}\nstacks: {a/b/c: {vpc: vpc-1}}\n",
    )

    code, out, _ = command(
        "preview", "--json", "-c", "size=7", "--secret", "token=hush", "--secrets", str(secrets),
        "--answers", str(answers),
    )  # fmt: skip

    assert code == 0, out
    assert json.loads(out)["stacks"][0]["exports"] == {
        "size": "7",
        "length": "[secret]",
        "other": "[secret]",
        "ami": "ami-1",
        "vpc": "vpc-1",
    }


def test_real_analyzers_print_the_same(command, project):
    project.pack("wants", PACK)

    assert command("preview", "--no-color") == command("preview", "--no-color", "--real-analyzers")


def test_no_policies_leaves_the_projects_packs_out(command, project):
    project.pack("wants", PACK)

    code, out, _ = command("preview", "--no-color", "--no-policies")

    assert code == 0
    assert "0 policies of 0 packs" in out


def test_colours_are_for_a_terminal_or_for_who_asks(command):
    _, piped, _ = command("preview")
    _, asked, _ = command("preview", "--color")

    assert "\x1b[" not in piped
    assert "\x1b[32mcreate\x1b[0m" in asked


@pytest.mark.parametrize(("program", "expected"), [("import pulumi", 0), ("raise ValueError('x')", 1)])
def test_the_process_writes_all_and_ends_with_its_code(project, program, expected):
    project.program(program)

    ended = subprocess.run(
        [sys.executable, "-m", "pulumi_rehearsal", "preview", "--project", str(project.root)],
        capture_output=True,
        check=False,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        text=True,
    )

    assert ended.returncode == expected
    assert "Next: " in ended.stdout.splitlines()[-1]
    assert ended.stderr == ""


# -- after ----------------------------------------------------------------------------------------------------


def test_a_second_run_of_the_same_program_has_nothing_to_change(command):
    code, out, err = command("preview", "--no-color", "--after", "up", "--expect-no-changes")

    assert (code, err) == (0, "")
    assert "Changes:\n    none: everything is as the program says\n" in out
    assert "Resources: 5 unchanged\n" in out


def test_a_change_is_told_in_words_and_ends_with_one_where_none_was_expected(command, project):
    project.program(
        PROGRAM + "    late = 30 if pulumi.runtime.is_dry_run() else 0\n    aws.sqs.Queue('q', delay_seconds=late)\n"
    )

    code, out, err = command("preview", "--no-color", "--after", "refresh")
    assert code == 0
    assert "Changes:\n    ~  update aws:sqs:Queue q\n        delaySeconds: 0 => 30\n" in out
    assert " ~   └─ aws:sqs:Queue" in out
    assert "aws:s3:Bucket" not in out
    assert "Resources: 1 to update, 5 unchanged\n" in out

    code, out, err = command("preview", "--json", "--after", "up", "--expect-no-changes")
    assert (code, err) == (1, "error: 1 changes are planned and none was expected; see Changes above\n")
    (step,) = json.loads(out)["stacks"][0]["steps"]
    assert (step["op"], step["changes"]) == (
        "update",
        [{"path": "delaySeconds", "old": 0, "new": 30, "replaces": False}],
    )


def test_to_expect_no_changes_something_has_to_stand(command):
    code, _, err = command("preview", "--expect-no-changes")

    assert code == 2
    assert "--expect-no-changes needs --after" in err


def test_what_comes_after_a_failed_up_is_a_usage_error(command, project):
    project.program("raise ValueError('broken')")

    code, _, err = command("preview", "--after", "up")

    assert code == 2
    assert "--after up: the first up of dev fails (the program failed: ValueError: broken); fix that first" in err


# -- what a plugin makes --------------------------------------------------------------------------------------

NETWORK = """
    import pulumi_awsx as awsx

    awsx.ec2.Vpc("net", number_of_availability_zones=2)
"""


def test_a_component_of_a_plugin_is_said_not_to_be_seen(command, project):
    project.pack("wants", PACK)
    project.program(NETWORK)

    code, out, _ = command("preview", "--no-color")

    assert code == 0
    assert "    ? wants@v1.2.3  2 policies passed, 1 component not seen\n" in out
    assert "[not seen] awsx:ec2:Vpc net: a plugin makes its resources" in out
    assert "dev  allowed, but 1 component not seen" in out

    code, _, err = command("preview", "--fail-on-unseen", "--no-policies")
    assert (code, err) == (1, "error: 1 components were not seen (--fail-on-unseen): their resources are not judged\n")
    _, out, _ = command("preview", "--json")
    assert [urn.rsplit("::", 1)[1] for urn in json.loads(out)["stacks"][0]["unseen"]] == ["net"]


def test_a_stack_without_plugins_components_is_wholly_seen(command):
    code, out, _ = command("preview", "--no-color", "--fail-on-unseen")

    assert code == 0
    assert "not seen" not in out
