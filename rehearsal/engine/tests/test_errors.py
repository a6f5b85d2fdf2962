"""What goes wrong in a program is told once, and as briefly as its cause allows."""

import os
import sys
import time

import pytest


def only_error(run):
    assert not run.ok
    assert len(run.errors) == 1, run.errors
    return run.errors[0]


def test_an_exception_is_shown_with_the_programs_part_of_the_traceback(project):
    project.program("import pulumi\n\ndef build():\n    raise KeyError('size')\n\nbuild()\n")

    error = only_error(project.rehearse())

    assert error.message == "the program failed: KeyError: 'size'"
    assert "line 6, in <module>" in error.traceback
    assert "line 4, in build" in error.traceback
    assert "runpy" not in error.traceback
    assert "rehearsal/engine/pulumi_rehearsal/engine.py" not in error.traceback


def test_a_users_mistake_is_shown_without_a_traceback(project):
    project.program(
        """
        import sys
        import pulumi

        pulumi.log.error("size must be a number; found 'three'")
        sys.exit(32)
        """
    )

    error = only_error(project.rehearse())

    assert error.message == "size must be a number; found 'three'"
    assert not error.traceback


def test_only_a_run_error_is_a_users_mistake(project):
    """The exec script of the SDK shows a traceback of every other exception, whatever it says of itself."""
    project.program(
        """
        class SettingsError(Exception):
            user_error = True

        raise SettingsError("size must be a number")
        """
    )

    assert only_error(project.rehearse()).traceback


def test_a_run_error_is_shown_without_a_traceback(project):
    project.program("import pulumi\nraise pulumi.RunError('not today')\n")

    error = only_error(project.rehearse())

    assert (error.message, error.traceback) == ("not today", "")


def test_a_missing_configuration_value_of_the_program_is_told_as_the_sdk_tells_it(project):
    project.program("import pulumi\npulumi.Config().require('size')\n")

    error = only_error(project.rehearse())

    assert "Missing required configuration variable 'shop:size'" in error.message


def test_a_syntax_error_names_its_line(project):
    project.program("import pulumi\nx = = 1\n")

    error = only_error(project.rehearse())

    assert "SyntaxError" in error.message
    assert "line 2" in error.traceback


def test_a_failing_apply_is_an_error(project):
    project.program(
        "import pulumi_aws as aws\ntopic = aws.sns.Topic('t', name='t')\ntopic.name.apply(lambda n: n['x'])\n"
    )

    assert "TypeError" in only_error(project.rehearse()).message


def test_a_failing_input_is_an_error(project):
    project.program(
        """
        import pulumi
        import pulumi_aws as aws

        def fail(_):
            raise ValueError("no policy today")

        topic = aws.sns.Topic("t", name="t")
        aws.sqs.Queue("q", policy=topic.name.apply(fail))
        """
    )

    run = project.rehearse()

    assert "no policy today" in only_error(run).message
    assert run.all("aws:sqs/queue:Queue") == []


def test_a_urn_that_is_registered_twice_is_an_error_as_in_the_engine(project):
    project.program("import pulumi_aws as aws\naws.sns.Topic('t')\naws.sns.Topic('t')\n")

    assert only_error(project.rehearse()).message == (
        "Duplicate resource URN 'urn:pulumi:dev::shop::aws:sns/topic:Topic::t'; try giving it a unique name"
    )


def test_a_file_that_does_not_exist_is_an_error(project):
    project.program(
        "import pulumi, pulumi_aws as aws\n"
        "aws.s3.BucketObjectv2('o', bucket='b', key='k', source=pulumi.FileAsset('nowhere.txt'))\n"
    )

    assert "the file nowhere.txt does not exist" in only_error(project.rehearse()).message


def test_a_timeout_that_is_no_duration_is_an_error(project):
    project.program(
        "import pulumi, pulumi_aws as aws\n"
        "opts = pulumi.ResourceOptions(custom_timeouts=pulumi.CustomTimeouts(create='soon'))\n"
        "aws.sns.Topic('t', opts=opts)\n"
    )

    assert "custom timeout 'soon' is not a duration" in only_error(project.rehearse()).message


def test_a_circle_of_dependencies_is_an_error(project):
    project.program(
        """
        import pulumi
        import pulumi_aws as aws

        class A(pulumi.ComponentResource):
            def __init__(self):
                super().__init__("shop:index:A", "a")
                child = aws.sns.Topic("t", opts=pulumi.ResourceOptions(parent=self, depends_on=[self]))
                self.register_outputs({})

        A()
        """
    )

    assert "circular dependency" in only_error(project.rehearse()).message


def test_a_program_that_waits_for_what_never_comes_is_told_so(project):
    project.program(
        """
        import asyncio
        import pulumi

        async def never():
            await asyncio.get_running_loop().create_future()

        pulumi.export("never", pulumi.Output.from_input(never()))
        """
    )

    assert "waits for a value that nothing will ever give" in only_error(project.rehearse()).message


def test_a_program_that_waits_for_a_thread_or_a_timer_is_waited_for(project):
    project.program(
        """
        import asyncio
        import threading
        import time
        import pulumi

        async def slow():
            loop = asyncio.get_running_loop()
            answer = loop.create_future()

            def later():
                time.sleep(0.05)
                loop.call_soon_threadsafe(answer.set_result, "late")

            threading.Thread(target=later).start()
            await asyncio.sleep(0.01)
            process = await asyncio.create_subprocess_exec("true")
            return await answer + str(await process.wait())

        pulumi.export("slow", pulumi.Output.from_input(slow()))
        """
    )

    run = project.rehearse()

    assert run.exports == {"slow": "late0"}, run.errors


@pytest.mark.parametrize("writes_none", [True, False])
def test_a_program_that_changed_within_a_second_is_run_as_it_is_now(project, monkeypatch, writes_none):
    monkeypatch.setattr(sys, "dont_write_bytecode", writes_none)
    same_second = time.time() + 3600
    seen = []

    for text in ("one", "two"):
        module = project.write("parts/size.py", f"SIZE = {text!r}\n")
        project.program(f"import pulumi\nfrom parts.size import SIZE\npulumi.export('size', [SIZE, {text!r}])\n")
        for file in (module, project.root / "__main__.py"):
            os.utime(file, (same_second, same_second))
        seen.append(project.rehearse().exports["size"])

    assert seen == [["one", "one"], ["two", "two"]]


def test_a_status_that_says_it_was_told_is_an_error_where_nothing_was(project):
    project.program("import sys\nsys.exit(32)\n")

    assert only_error(project.rehearse()).message == "the program ended itself with exit code 32"


def test_an_exit_of_the_program_is_an_error_unless_it_is_zero(project):
    project.program("import sys\nsys.exit(3)\n")
    failed = project.rehearse()
    project.program("import sys\nsys.exit(0)\n")
    ended = project.rehearse()

    assert only_error(failed).message == "the program ended itself with exit code 3"
    assert ended.ok


@pytest.mark.parametrize("mode", ["preview", "up"])
def test_a_run_after_a_failed_one_starts_afresh(project, mode):
    project.program("import pulumi_aws as aws\naws.sns.Topic('t')\nraise ValueError('x')\n")
    failed = project.rehearse(mode)
    project.program("import pulumi, pulumi_aws as aws\naws.sns.Topic('t')\npulumi.export('a', 1)\n")
    run = project.rehearse(mode)

    assert not failed.ok
    assert run.ok
    assert run.exports == {"a": 1}
    assert len(run.all("aws:sns/topic:Topic")) == 1
