"""Configuration reaches a program as the Pulumi CLI would hand it over, or is refused in one sentence."""

import json
from pathlib import Path

import pytest
from pulumi_rehearsal import Secret, UsageError
from pulumi_rehearsal.config import load_project, load_stack

ECHO = """
    import json
    import pulumi
    from pulumi.runtime.config import CONFIG
    pulumi.export("config", pulumi.Output.secret(json.dumps(CONFIG.get())))
"""


def values(project, **options):
    return dict(load_stack(load_project(project.root), "dev", **options).values)


def refusal(project, **options) -> str:
    with pytest.raises(UsageError) as refused:
        load_stack(load_project(project.root), "dev", **options)
    text = str(refused.value)
    assert "\n" not in text
    return text


def test_a_key_without_a_prefix_belongs_to_the_project(project):
    project.write("Pulumi.dev.yaml", "config:\n  size: 3\n  aws:region: eu-west-1\n")

    assert values(project) == {"shop:size": "3", "aws:region": "eu-west-1"}


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("007", "007"),
        ("0123456789", "0123456789"),
        ("1.50", "1.50"),
        ("yes", "yes"),
        ("true", "true"),
        ("'true'", "true"),
        ("~", ""),
        ('"a b"', "a b"),
        ("0x1F", "0x1F"),
        ("2026-01-01", "2026-01-01"),
    ],
)
def test_a_scalar_keeps_the_text_it_was_written_as(project, written, read):
    project.write("Pulumi.dev.yaml", f"config:\n  key: {written}\n")

    assert values(project) == {"shop:key": read}


def test_lists_and_objects_are_json_with_the_types_that_yaml_gives_them(project):
    project.write(
        "Pulumi.dev.yaml",
        """
        config:
          shop:many:
            - {name: a, port: 80, on: true, off: no, ratio: 0.5, nothing: null, text: "80"}
        """,
    )

    assert json.loads(values(project)["shop:many"]) == [
        {"name": "a", "port": 80, "on": True, "off": "no", "ratio": 0.5, "nothing": None, "text": "80"}
    ]


def test_a_default_of_the_project_fills_what_the_stack_leaves_out(project):
    project.write(
        "Pulumi.yaml",
        """
        name: shop
        runtime: {name: python, options: {toolchain: uv}}
        config:
          size: {type: integer, default: 3, description: how many}
          loud: {type: boolean, default: false}
          names: {type: array, items: {type: string}, default: [a, b]}
          plain: text
          aws:region: {value: eu-west-1}
        """,
    )
    project.write("Pulumi.dev.yaml", "config:\n  size: 5\n")

    assert values(project) == {
        "shop:size": "5",
        "shop:loud": "false",
        "shop:names": '["a","b"]',
        "shop:plain": "text",
        "aws:region": "eu-west-1",
    }


def test_all_missing_keys_are_named_at_once(project):
    project.write(
        "Pulumi.yaml",
        "name: shop\nruntime: python\nconfig:\n  size: {type: integer}\n  name: {type: string}\n",
    )

    text = refusal(project)

    assert "missing the configuration values name, size" in text
    assert "Pulumi.dev.yaml" in text


@pytest.mark.parametrize(
    ("declared", "written", "wanted"),
    [
        ("{type: integer}", "three", "integer"),
        ("{type: integer}", "1.5", "integer"),
        ("{type: boolean}", "yes", "boolean"),
        ("{type: string}", "[a]", "string"),
        ("{type: object}", "[a]", "object"),
        ("{type: array, items: {type: string}}", "a", "array<string>"),
        ("{type: array, items: {type: integer}}", "[1, two]", "array<integer>"),
        ("{type: array, items: {type: array, items: {type: boolean}}}", "[[1]]", "array<array<boolean>>"),
    ],
)
def test_a_value_of_the_wrong_type_is_refused(project, declared, written, wanted):
    project.write("Pulumi.yaml", f"name: shop\nruntime: python\nconfig:\n  key: {declared}\n")
    project.write("Pulumi.dev.yaml", f"config:\n  key: {written}\n")

    text = refusal(project)

    assert f"key must be of type {wanted}; found" in text
    assert "Pulumi.dev.yaml" in text


@pytest.mark.parametrize(
    ("declared", "written"),
    [
        ("{type: integer}", "-3"),
        ("{type: integer}", '"3"'),
        ("{type: boolean}", "true"),
        ("{type: string}", "12"),
        ("{type: object}", "{a: 1}"),
        ("{type: array, items: {type: integer}}", "[1, 2]"),
    ],
)
def test_a_value_of_the_right_type_is_taken(project, declared, written):
    project.write("Pulumi.yaml", f"name: shop\nruntime: python\nconfig:\n  key: {declared}\n")
    project.write("Pulumi.dev.yaml", f"config:\n  key: {written}\n")

    assert "shop:key" in values(project)


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ("key: {type: text}", "allowed are string, integer, boolean, array, object"),
        ("key: {type: array}", "must say the type of its items"),
        ("key: {type: integer, default: many}", "the default of key must be of type integer"),
        ("aws:region: {type: string}", "belongs to another namespace"),
        ("a:b:c: 1", "is not a configuration key"),
    ],
)
def test_a_wrong_declaration_is_refused(project, config, said):
    project.write("Pulumi.yaml", f"name: shop\nruntime: python\nconfig:\n  {config}\n")

    assert said in refusal(project)


def test_an_encrypted_value_is_refused_with_the_way_to_stand_in_for_it(project):
    project.write("Pulumi.dev.yaml", "encryptionsalt: v1:abc\nconfig:\n  token:\n    secure: v1:xyz\n")

    text = refusal(project)

    assert "shop:token is encrypted" in text
    assert "--secret shop:token=VALUE" in text


def test_a_secret_given_in_plain_is_secret_to_the_program(project):
    project.write("Pulumi.dev.yaml", "config:\n  token:\n    secure: v1:xyz\n")
    project.program(
        "import pulumi\npulumi.export('token', pulumi.Config().require_secret('token'))\n"
        "pulumi.export('listed', sorted(pulumi.runtime.config._SECRET_KEYS.get()))\n"
    )

    run = project.rehearse(secrets={"token": "hush"})

    assert run.exports == {"token": Secret("hush"), "listed": ["shop:token"]}


def test_a_secret_inside_an_object_is_given_by_its_path(project):
    project.write("Pulumi.dev.yaml", "config:\n  db:\n    hosts:\n      - {name: a, password: {secure: v1:x}}\n")

    config = load_stack(load_project(project.root), "dev", secrets={"shop:db.hosts[0].password": "hush"})

    assert json.loads(config.values["shop:db"]) == {"hosts": [{"name": "a", "password": "hush"}]}
    assert config.secret_keys == {"shop:db"}


def test_a_secret_for_a_place_that_holds_none_is_refused(project):
    project.write("Pulumi.dev.yaml", "config:\n  db: {password: open}\n")

    assert "no encrypted value at shop:db.password" in refusal(project, secrets={"shop:db.password": "x"})


def test_a_key_declared_secret_must_be_encrypted(project):
    project.write("Pulumi.yaml", "name: shop\nruntime: python\nconfig:\n  token: {type: string, secret: true}\n")
    project.write("Pulumi.dev.yaml", "config:\n  token: open\n")

    assert "token must be encrypted" in refusal(project)


def test_an_override_stands_over_the_file_and_none_removes_a_key(project):
    project.write("Pulumi.dev.yaml", "config:\n  size: 3\n  gone: 1\n")

    assert values(project, overrides={"size": 4, "shop:gone": None, "many": [{"a": True}]}) == {
        "shop:size": "4",
        "shop:many": '[{"a":true}]',
    }


def test_a_stack_need_not_be_on_disk(project):
    project.program(ECHO)

    run = project.rehearse(stack="dev1", on_disk=False, config_overrides={"size": 1})

    assert run.ok
    assert run.root.name == "shop-dev1"
    assert json.loads(run.exports["config"].value) == {"shop:size": "1"}


def test_another_file_can_stand_for_the_stacks_own(project):
    file = project.write("elsewhere/some.yaml", "config:\n  size: 9\n")

    assert values(project, file=file) == {"shop:size": "9"}


def test_an_unknown_stack_is_refused_with_those_there_are(project):
    project.write("Pulumi.prod.yaml", "config: {}\n")

    with pytest.raises(UsageError, match="the stacks there are: dev, prod"):
        load_stack(load_project(project.root), "test")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("config: [a]\n", "config must be a map of keys; found a list"),
        ("values:\n  a: 1\n", "'values' is not a key of a stack file"),
        ("config:\n  a: 1\n  a: 2\n", "'a' is a duplicate key"),
        ("config: {a: [}\n", "is not YAML at line 1"),
        ("just text\n", "must be a map with a config key"),
    ],
)
def test_a_malformed_stack_file_is_refused(project, content, said):
    project.write("Pulumi.dev.yaml", content)

    assert said in refusal(project)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("runtime: python\n", "name is missing"),
        ("name: shop\nruntime: nodejs\n", "the rehearsal runs python projects only"),
        ("name: shop\nruntime: python\nmain: nowhere\n", "has no __main__.py"),
        ("name: shop\nruntime: python\nstackConfigDir: nowhere\n", "is not a directory"),
        ("name: shop\nruntime: python\nconfig: [a]\n", "config must be a map"),
    ],
)
def test_a_project_that_cannot_be_run_is_refused(project, content, said):
    project.write("Pulumi.yaml", content)

    with pytest.raises(UsageError, match=said):
        load_project(project.root)


def test_a_directory_without_a_project_is_refused(tmp_path):
    with pytest.raises(UsageError, match=r"has no Pulumi\.yaml"):
        load_project(tmp_path)


def test_the_program_and_the_stack_files_can_lie_elsewhere(project):
    project.write("Pulumi.yaml", "name: shop\nruntime: python\nmain: src\nstackConfigDir: stacks\n")
    project.write("src/__main__.py", "import os, pulumi\npulumi.export('here', os.getcwd())\n")
    project.write("stacks/Pulumi.prod.yaml", "config: {}\n")

    run = project.rehearse(stack="prod")

    assert load_project(project.root).stacks() == ["prod"]
    assert run.exports == {"here": str(project.root / "src")}


def test_stacks_are_listed_by_name(project):
    for stack in ("prod", "alpha", "stg", "dev1"):
        project.write(f"Pulumi.{stack}.yaml", "config: {}\n")

    assert load_project(project.root).stacks() == ["alpha", "dev", "dev1", "prod", "stg"]


def test_esc_environments_are_named_as_what_the_rehearsal_cannot_open(project):
    project.write("Pulumi.dev.yaml", "environment: [shared]\nconfig: {}\n")

    run = project.rehearse()

    assert [d.severity for d in run.diagnostics] == ["warning"]
    assert "ESC" in run.diagnostics[0].message


def test_the_working_directory_is_the_programs_and_is_restored(project):
    before = Path.cwd()
    project.program("import os, pulumi\npulumi.export('here', os.getcwd())")

    run = project.rehearse()

    assert run.exports == {"here": str(project.root)}
    assert Path.cwd() == before
