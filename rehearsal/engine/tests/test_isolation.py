"""Many runs in one process do not see each other, nor anything of the process but what a program should."""

import asyncio
import gc
import os
import sys

import pulumi
from pulumi_rehearsal import rehearse
from sample_project import Project


def test_modules_are_loaded_anew_for_each_run(project):
    project.write("state.py", "count = 0\n")
    project.program("import pulumi, state\nstate.count += 1\npulumi.export('count', state.count)\n")

    counts = [project.rehearse().exports["count"] for _ in range(3)]

    assert counts == [1, 1, 1]
    assert "state" not in sys.modules


def test_projects_may_have_modules_of_the_same_name(tmp_path):
    projects = []
    for name in ("a", "b"):
        project = Project(tmp_path / name)
        project.write("common/__init__.py", "")
        project.write("common/names.py", f"name = {name!r}\n")
        project.program("import pulumi\nfrom common.names import name\npulumi.export('name', name)\n")
        projects.append(project)

    assert [project.rehearse().exports["name"] for project in projects] == ["a", "b"]


def test_a_module_that_a_test_has_imported_stays_the_same_module(project, monkeypatch):
    project.write("kept_by_test.py", "marks = []\n")
    project.program("import kept_by_test\nkept_by_test.marks.append(1)\n")
    monkeypatch.syspath_prepend(str(project.root))
    import kept_by_test  # noqa: PLC0415

    run = project.rehearse()

    assert run.ok
    assert sys.modules.pop("kept_by_test") is kept_by_test
    assert kept_by_test.marks == []


def test_nothing_of_a_run_is_left_in_the_process(project):
    project.program("import os, sys\nos.environ['LEFT'] = '1'\nsys.path.append('/left')\nsys.argv.append('left')\n")
    path, argv, loop_enabled = list(sys.path), list(sys.argv), gc.isenabled()

    project.rehearse()

    assert sys.path == path
    assert sys.argv == argv
    assert gc.isenabled() == loop_enabled
    assert "PULUMI_CONFIG" not in os.environ
    assert pulumi.runtime.settings.get_monitor() is None
    assert pulumi.runtime.settings.get_engine() is None
    assert "LEFT" not in os.environ


def test_classes_of_one_run_do_not_describe_the_next(project):
    def program(outputs):
        return f"""
        import pulumi

        class Thing(pulumi.CustomResource):
            pulumi_type = "shop:index:Thing"
            def __init__(self, name):
                super().__init__("shop:index:Thing", name, {{key: None for key in {outputs}}})
        {
            "".join(
                f'''
            @property
            @pulumi.getter
            def {key}(self) -> pulumi.Output[str]: ...
        '''
                for key in outputs
            )
        }
        Thing("t")
        """

    project.program(program(["first"]))
    first = project.rehearse("up").one("shop:index:Thing")
    project.program(program(["second"]))
    second = project.rehearse("up").one("shop:index:Thing")

    assert "first" in first.outputs
    assert "second" in second.outputs
    assert "first" not in second.outputs


def test_a_rehearsal_can_be_asked_for_while_a_loop_is_running(project):
    project.program("import pulumi, pulumi_aws as aws\npulumi.export('name', aws.sns.Topic('t', name='t').name)\n")

    async def asked():
        return project.rehearse()

    assert asyncio.run(asked()).exports == {"name": "t"}


def test_the_environment_has_the_configuration_as_the_language_host_gives_it(project):
    project.write("Pulumi.dev.yaml", "config:\n  size: 3\n")
    project.program("import json, os, pulumi\npulumi.export('c', json.loads(os.environ['PULUMI_CONFIG']))\n")

    assert project.rehearse().exports == {"c": {"shop:size": "3"}}


def test_a_run_says_what_stack_project_and_organization_it_is(project):
    project.program(
        "import pulumi\n"
        "pulumi.export('is', [pulumi.get_project(), pulumi.get_stack(), pulumi.get_organization(),"
        " pulumi.runtime.is_dry_run(), pulumi.runtime.get_root_directory()])\n"
    )

    preview = rehearse(project.root, "dev")

    assert preview.exports["is"] == ["shop", "dev", "organization", True, str(project.root)]
    assert project.rehearse("up").exports["is"][3] is False
