"""Policy packs are asked as the engine asks them, and answer the same in process as in their own process."""

import dataclasses
import sys

import pytest
from pulumi_rehearsal import Rehearsal
from sample_project import SHOP

# Everything that a policy can see, told as text: what differs between two ways to run it shows.
TELL_ALL = """
    import pulumi
    from pulumi_policy import (
        EnforcementLevel, PolicyPack, PolicyConfigSchema, ResourceValidationPolicy, Severity, StackValidationPolicy,
        PolicyComplianceFramework,
    )

    def told(value):
        if hasattr(value, "keys"):
            inside = []
            for key in sorted(value):
                try:
                    inside.append(f"{key}={told(value[key])}")
                except Exception as problem:
                    inside.append(f"{key}!{type(problem).__name__}:{problem.message}")
            return "{" + ", ".join(inside) + "}"
        if isinstance(value, (pulumi.Asset, pulumi.Archive)):
            inside = {k: v for k, v in vars(value).items() if k in ("text", "path", "assets")}
            return f"{type(value).__name__}({told(inside)})"
        if not isinstance(value, str) and hasattr(value, "__getitem__"):
            return "[" + ", ".join(told(value[i]) for i in range(len(value))) + "]"
        return f"{type(value).__name__}:{value}"

    def options(opts):
        timeouts = opts.custom_timeouts
        return " ".join(map(str, [
            opts.protect, list(opts.ignore_changes), opts.delete_before_replace, list(opts.aliases),
            timeouts.create_seconds, timeouts.update_seconds, timeouts.delete_seconds,
            list(opts.additional_secret_outputs), opts.parent,
        ]))

    def provider(p):
        return "no provider" if p is None else f"{p.resource_type} {p.urn} {p.name} {told(p.props)}"

    def inputs(args, report):
        report(f"{args.resource_type} {args.name} {told(args.props)} / {options(args.opts)} / "
               f"{provider(args.provider)} / {dict(args.get_config())} / {dict(args.stack_tags)}")

    def runtime(args, report):
        if args.resource_type == "pulumi:pulumi:Stack":
            report(f"{pulumi.get_project()} {pulumi.get_stack()} {pulumi.get_organization()} "
                   f"{pulumi.runtime.is_dry_run()} {pulumi.Config().get('size')}")

    def needs_policy(args, report):
        if args.resource_type == "aws:sqs/queue:Queue" and "x" not in args.props["policy"]:
            report("no x")

    def iterates(args, report):
        for key, value in args.props.items():
            if value == "orders":
                report(key)

    def not_for_all(args, report):
        if not args.resource_type.startswith("aws:"):
            args.not_applicable("not of AWS")

    async def later(args, report):
        if args.resource_type == "aws:sns/topic:Topic":
            report("later " + args.props["name"])

    def changes(args, report):
        if "delaySeconds" in args.props:
            args.props["delaySeconds"] = 99

    def sees_change(args, report):
        if args.props.get("delaySeconds") is not None:
            report(f"delay {args.props['delaySeconds']}")

    def stack(args, report):
        for r in args.resources:
            report(
                f"{r.resource_type} {r.name} {told(r.props)} / {options(r.opts)} / {provider(r.provider)} / "
                f"{r.parent and r.parent.urn} / {sorted(d.urn for d in r.dependencies)} / "
                f"{sorted((k, [d.urn for d in v]) for k, v in r.property_dependencies.items())}",
                r.urn,
            )
        report("of the stack")
        report("of nobody", "urn:pulumi:dev::shop::a:b:C::d")

    def unknown_in_stack(args, report):
        for r in args.resources:
            if r.resource_type == "aws:sns/topic:Topic":
                report(r.props["arn"], r.urn)

    async def stack_later(args, report):
        report(f"{len(args.resources)} resources")

    PolicyPack(
        "tell-all",
        enforcement_level=EnforcementLevel.MANDATORY,
        policies=[
            ResourceValidationPolicy("inputs", "Tells the inputs.", inputs, EnforcementLevel.ADVISORY,
                                     PolicyConfigSchema({"limit": {"type": "integer", "default": 3}}),
                                     severity=Severity.HIGH),
            ResourceValidationPolicy("runtime", "Tells the runtime.", runtime),
            ResourceValidationPolicy("needs-policy", "Needs the policy.", needs_policy,
                                     remediation_steps="Put an x in it.", url="https://example.com/x",
                                     framework=PolicyComplianceFramework("CIS", "1", "r", "s"), severity=Severity.CRITICAL),
            ResourceValidationPolicy("iterates", "Goes through all.", iterates, EnforcementLevel.ADVISORY),
            ResourceValidationPolicy("not-for-all", "Of AWS.", not_for_all),
            ResourceValidationPolicy("later", "Answers later.", [later, later], EnforcementLevel.ADVISORY),
            ResourceValidationPolicy("changes", "Changes what it got.", changes),
            ResourceValidationPolicy("sees-change", "Looks at it.", sees_change, EnforcementLevel.ADVISORY),
            ResourceValidationPolicy("off", "Says nothing.", inputs, EnforcementLevel.DISABLED),
            StackValidationPolicy("stack", "Tells the outputs.", stack, EnforcementLevel.ADVISORY),
            StackValidationPolicy("unknown-in-stack", "Needs the ARNs.", unknown_in_stack,
                                  EnforcementLevel.ADVISORY),
            StackValidationPolicy("stack-later", "Answers later.", stack_later, EnforcementLevel.REMEDIATE),
        ],
    )
"""

REMEDIES = """
    from pulumi_policy import EnforcementLevel, PolicyPack, ResourceValidationPolicy, Secret

    def lowers(args):
        if args.resource_type == "aws:sqs/queue:Queue":
            return {**args.props, "delaySeconds": 1}

    def hides(args):
        if args.resource_type == "aws:sqs/queue:Queue":
            args.props["delaySeconds"] = Secret(args.props["delaySeconds"] + 1)
            return args.props

    async def tags(args):
        if args.resource_type == "aws:sns/topic:Topic":
            return {**args.props, "tags": {"remedied": "yes"}}

    def still_wrong(args, report):
        if args.resource_type == "aws:sqs/queue:Queue":
            report(f"delay {args.props['delaySeconds']}")

    def needs(args):
        if args.resource_type == "aws:sqs/queue:Queue":
            raise_if_unknown = args.props["policy"]

    PolicyPack(
        "remedies",
        enforcement_level=EnforcementLevel.REMEDIATE,
        policies=[
            ResourceValidationPolicy("lowers", "Lowers the delay.", remediate=lowers),
            ResourceValidationPolicy("hides", "Hides the delay.", remediate=hides),
            ResourceValidationPolicy("tags", "Adds a tag.", remediate=tags),
            ResourceValidationPolicy("needs", "Needs the policy.", remediate=needs),
            ResourceValidationPolicy("still-wrong", "Is still wrong.", validate=still_wrong),
        ],
    )
"""


def findings(run: Rehearsal):
    return {
        "violations": run.violations,
        "remediations": run.remediations,
        "not applicable": run.not_applicable,
        "packs": run.packs,
        "resources": run.resources,
        "diagnostics": run.diagnostics,
    }


def same_both_ways(project, mode="preview", **options) -> Rehearsal:
    in_process = project.rehearse(mode, **options)
    in_its_own = project.rehearse(mode, real_analyzers=True, **options)
    for what, value in findings(in_process).items():
        assert value == findings(in_its_own)[what], what
    return in_process


def messages(run: Rehearsal, policy: str) -> list[str]:
    return [violation.message for violation in run.violations_of(policy)]


@pytest.fixture
def shop(project):
    project.write("Pulumi.dev.yaml", "config:\n  size: 3\n  aws:region: eu-north-1\n")
    project.program(SHOP)
    return project


@pytest.mark.parametrize("mode", ["preview", "up"])
def test_a_pack_sees_and_says_the_same_in_process_as_in_its_own_process(shop, mode):
    shop.pack("tell-all", TELL_ALL)

    # At `up` a mandatory violation ends the run; the pack's own levels are lowered to see all of it.
    levels = shop.write("levels.yaml", "all: advisory\noff: disabled\n")
    run = same_both_ways(shop, mode, policy_configs=[levels])

    assert len(run.violations_of("inputs")) == len(run.resources) - len(run.all("aws:sns/topic:Topic", "there"))
    assert len(run.violations_of("stack")) == len(run.resources) + 2
    assert run.violations_of("off") == []
    assert len(run.not_applicable) == 4


def test_a_pack_says_the_same_at_its_own_levels(shop):
    shop.pack("tell-all", TELL_ALL)

    run = same_both_ways(shop)

    assert [(v.level, v.severity) for v in run.violations_of("runtime")] == [("mandatory", "")]
    assert {v.level for v in run.violations_of("stack-later")} == {"mandatory"}
    assert {v.severity for v in run.violations_of("inputs")} == {"high"}


@pytest.mark.parametrize("mode", ["preview", "up"])
def test_remediations_change_what_the_provider_gets_both_ways(shop, mode):
    shop.pack("a-remedies", REMEDIES)
    shop.pack("b-tell-all", TELL_ALL)
    levels = [shop.write("own.yaml", "still-wrong: advisory\n"), shop.write("all.yaml", "all: advisory\n")]

    run = same_both_ways(shop, mode, policy_configs=levels)

    queue = run.one("aws:sqs/queue:Queue")
    assert queue.inputs["delaySeconds"].value == 2
    assert run.one("aws:sns/topic:Topic", "main-topic").inputs["tags"] == {"remedied": "yes"}
    assert [r.policy for r in run.remediations if r.urn == queue.urn] == ["lowers", "hides"]
    # The second pack sees what the first one changed.
    assert any("delaySeconds=float:2.0" in m for m in messages(run, "inputs"))


def test_a_violation_after_a_remediation_is_mandatory(shop):
    shop.pack("remedies", REMEDIES)

    run = same_both_ways(shop)

    assert [v.level for v in run.violations_of("still-wrong")] == ["mandatory"]


def test_an_unknown_at_preview_makes_a_mandatory_policy_advisory(shop):
    shop.pack("tell-all", TELL_ALL)

    [violation] = same_both_ways(shop).violations_of("needs-policy")

    assert (violation.level, violation.severity) == ("advisory", "critical")  # it says none: its policy's own
    assert violation.message == (
        "can't run policy 'needs-policy' from policy pack 'tell-all@v0.0.1' during preview: "
        "string value at .policy can't be known during preview"
    )


def test_at_up_the_run_stops_before_what_a_mandatory_policy_forbids(shop):
    shop.pack("tell-all", TELL_ALL)

    run = shop.rehearse("up", policy_configs=[shop.write("l.yaml", "runtime: disabled\n")])

    assert not run.ok
    assert [v.policy for v in run.mandatory] == ["needs-policy"]
    assert run.all("aws:sqs/queue:Queue") == []
    assert run.errors == ()
    assert any("the update stops here" in d.message for d in run.diagnostics)


def test_a_violation_carries_its_remedy(shop):
    shop.pack("tell-all", TELL_ALL)

    [violation] = shop.rehearse().violations_of("needs-policy")

    assert violation.remediation_steps == "Put an x in it."
    assert violation.url == "https://example.com/x"
    assert (violation.pack, violation.pack_version) == ("tell-all", "1.2.3")


def test_a_stack_violation_of_no_resource_is_the_stacks(shop):
    shop.pack("tell-all", TELL_ALL)

    run = shop.rehearse()

    assert [v.urn for v in run.violations_of("stack") if "of nobody" in v.message] == [run.root.urn]
    assert [v.urn for v in run.violations_of("stack") if "of the stack" in v.message] == [run.root.urn]


def test_packs_may_have_modules_of_the_same_name_as_each_other_and_as_the_program(project):
    pack = """
        from pulumi_policy import PolicyPack, ResourceValidationPolicy
        import rules

        def late(args, report):
            import lately
            report(f"{rules.name} {lately.name}")

        PolicyPack("NAME", [ResourceValidationPolicy("late", "Late.", late)])
    """
    for name in ("a", "b"):
        project.pack(
            name,
            pack.replace("NAME", name),
            rules=f"name = 'rules of {name}'\n",
            lately=f"name = 'lately of {name}'\n",
        )
    project.write("rules.py", "name = 'rules of the program'\n")
    project.program("import pulumi, rules\npulumi.export('name', rules.name)\n")

    run = same_both_ways(project)

    assert messages(run, "late") == ["Late.\nrules of a lately of a", "Late.\nrules of b lately of b"]
    assert run.exports == {"name": "rules of the program"}


@pytest.mark.parametrize("of_the_pack", [True, False], ids=["the pack's own, installed", "another one of that name"])
def test_a_module_that_somebody_imported_before_is_not_the_packs_and_stays_theirs(project, monkeypatch, of_the_pack):
    pack = project.pack(
        "a",
        """
        from pulumi_policy import PolicyPack, StackValidationPolicy
        import imported_before

        imported_before.marks.append("the pack's")
        PolicyPack("a", [StackValidationPolicy("say", "Say.", lambda args, report: report(str(imported_before.marks)))])
        """,
        imported_before="marks = []\n",
    )
    project.write("elsewhere/imported_before.py", "marks = ['elsewhere']\n")
    project.program("")
    monkeypatch.syspath_prepend(str(pack if of_the_pack else project.root / "elsewhere"))
    import imported_before  # noqa: PLC0415

    found = messages(project.rehearse(), "say")

    assert sys.modules.pop("imported_before") is imported_before
    assert "the pack's" not in imported_before.marks
    assert found == ['Say.\n["the pack\'s"]']


def test_a_policy_that_breaks_ends_the_run_the_same_way(project):
    project.pack(
        "breaks",
        """
        from pulumi_policy import PolicyPack, ResourceValidationPolicy, StackValidationPolicy

        def breaks(args, report):
            if args.resource_type.startswith("aws:"):
                raise KeyError("no such thing")

        PolicyPack("breaks", [ResourceValidationPolicy("breaks", "Breaks.", breaks)])
        """,
    )
    project.program("import pulumi_aws as aws\naws.sns.Topic('t')\n")

    run = same_both_ways(project)

    assert not run.ok
    assert run.errors[0].message == (
        "policy pack breaks broke for urn:pulumi:dev::shop::aws:sns/topic:Topic::t: "
        "Exception calling application: 'no such thing'"
    )


def test_a_stack_policy_that_breaks_is_an_error_the_same_way(project):
    project.pack(
        "breaks",
        """
        from pulumi_policy import PolicyPack, StackValidationPolicy

        PolicyPack("breaks", [StackValidationPolicy("breaks", "Breaks.", lambda args, report: 1 / 0)])
        """,
    )

    run = same_both_ways(project)

    assert "policy pack breaks broke: Exception calling application: division by zero" in run.errors[0].message


@pytest.mark.parametrize("real", [False, True])
@pytest.mark.parametrize(
    ("main", "in_process", "in_its_own"),
    [
        ("import nowhere_to_be_found", "No module named 'nowhere_to_be_found'", "ended with exit code 1"),
        ("x = 1", "made no PolicyPack", "ended with exit code 0"),
        (
            "from pulumi_policy import PolicyPack\nPolicyPack('a b', [])",
            "Invalid policy pack name",
            "ended with exit code 1",
        ),
    ],
)
def test_a_pack_that_does_not_start_is_an_error(project, main, in_process, in_its_own, real):
    project.pack("broken", main)

    run = project.rehearse(real_analyzers=real)

    assert "policy pack broken" in run.errors[0].message
    assert (in_its_own if real else in_process) in run.errors[0].message


def test_stack_policies_are_not_asked_after_an_error(shop):
    shop.pack("tell-all", TELL_ALL)
    shop.program(SHOP + "\n    raise ValueError('x')\n")

    run = shop.rehearse()

    assert run.violations_of("inputs")
    assert run.violations_of("stack") == []


def test_without_packs_nothing_is_judged(shop):
    shop.pack("tell-all", TELL_ALL)

    run = shop.rehearse(packs=[])

    assert run.packs == ()
    assert run.violations == ()


def test_every_pack_under_policies_takes_part_by_name(shop):
    shop.pack("b", TELL_ALL.replace('"tell-all"', '"second"'))
    shop.pack("a", TELL_ALL.replace('"tell-all"', '"first"'))
    shop.write("policies/README.md", "no pack")

    run = shop.rehearse()

    assert [dataclasses.astuple(p)[:2] for p in run.packs] == [("first", "1.2.3"), ("second", "1.2.3")]
    assert "needs-policy" in run.packs[0].policies
