"""What a program registers is recorded as the engine would record it."""

import pytest
from pulumi_rehearsal import UNKNOWN, Archive, Asset, LookupFailed, Secret, unknown_paths

BUCKET = "aws:s3/bucket:Bucket"
TOPIC = "aws:sns/topic:Topic"
QUEUE = "aws:sqs/queue:Queue"

COMPONENT = """
    import pulumi
    import pulumi_aws as aws

    class Shop(pulumi.ComponentResource):
        def __init__(self, name, opts=None):
            super().__init__("shop:index:Shop", name, {"colour": "red"}, opts)
            child = pulumi.ResourceOptions(parent=self)
            self.bucket = aws.s3.Bucket(f"{name}-goods", bucket="goods", opts=child)
            self.versioning = aws.s3.BucketVersioning(
                f"{name}-goods",
                bucket=self.bucket.bucket,
                versioning_configuration={"status": "Enabled"},
                opts=pulumi.ResourceOptions(parent=self.bucket),
            )
            self.register_outputs({"arn": self.bucket.arn, "name": self.bucket.bucket})
"""


def test_urns_are_qualified_by_all_parents_but_the_stack(project):
    project.program(COMPONENT + "    \n    Shop('main')\n")

    run = project.rehearse()

    assert [r.urn for r in run.resources if not r.type.startswith("pulumi:providers:")] == [
        "urn:pulumi:dev::shop::pulumi:pulumi:Stack::shop-dev",
        "urn:pulumi:dev::shop::shop:index:Shop::main",
        "urn:pulumi:dev::shop::shop:index:Shop$aws:s3/bucket:Bucket::main-goods",
        (
            "urn:pulumi:dev::shop::shop:index:Shop$aws:s3/bucket:Bucket$"
            "aws:s3/bucketVersioning:BucketVersioning::main-goods"
        ),
    ]


def test_parents_children_and_descendants_are_found(project):
    project.program(COMPONENT + "    \n    Shop('main')\n")

    run = project.rehearse()
    shop = run.one("shop:index:Shop")

    assert shop.parent == run.root.urn
    assert [r.type for r in run.children(shop)] == [BUCKET]
    assert [r.name for r in run.descendants(shop)] == ["main-goods", "main-goods"]
    assert not shop.custom


def test_at_preview_only_what_the_program_gave_is_known(project):
    project.program(COMPONENT + "    \n    Shop('main')\n")

    run = project.rehearse()
    bucket = run.one(BUCKET)

    assert bucket.id is UNKNOWN
    assert bucket.outputs["bucket"] == "goods"
    assert bucket.outputs["arn"] is UNKNOWN
    assert run.one("shop:index:Shop").outputs == {"arn": UNKNOWN, "name": "goods"}


def test_a_components_inputs_are_kept(project):
    project.program(COMPONENT + "    \n    Shop('main')\n")

    assert project.rehearse().one("shop:index:Shop").inputs == {"colour": "red"}


def test_an_unknown_stays_unknown_wherever_it_is_nested(project):
    project.program(
        """
        import json
        import pulumi
        import pulumi_aws as aws

        topic = aws.sns.Topic("t", name="t")
        aws.sqs.Queue("joined", policy=pulumi.Output.all(topic.arn, "x").apply(lambda v: json.dumps(v)))
        aws.sqs.Queue("dumped", policy=pulumi.Output.json_dumps({"a": [topic.arn]}))
        aws.sqs.Queue("formatted", policy=pulumi.Output.format("{0}!", topic.arn))
        aws.sqs.Queue("named", policy=pulumi.Output.format("{0}!", topic.name))
        aws.ecs.Service("s", network_configuration={"subnets": ["a", topic.arn], "security_groups": ["b"]})
        aws.sqs.Queue("tagged", tags={"known": "a", "unknown": topic.arn})
        pulumi.export("deep", {"list": [1, topic.arn, {"x": topic.id}]})
        """
    )

    run = project.rehearse()

    assert run.one(QUEUE, "joined").inputs["policy"] is UNKNOWN
    assert run.one(QUEUE, "dumped").inputs["policy"] is UNKNOWN
    assert run.one(QUEUE, "formatted").inputs["policy"] is UNKNOWN
    assert run.one(QUEUE, "named").inputs["policy"] == "t!"
    assert unknown_paths(run.one("aws:ecs/service:Service").inputs) == ["networkConfiguration.subnets.1"]
    assert run.one(QUEUE, "tagged").inputs["tags"] == {"known": "a", "unknown": UNKNOWN}
    assert run.one(QUEUE, "tagged").inputs["tagsAll"] is UNKNOWN
    assert run.exports["deep"] == {"list": [1, UNKNOWN, {"x": UNKNOWN}]}


def test_apply_does_not_run_on_an_unknown_and_runs_on_a_known_value(project):
    project.program(
        """
        import pulumi
        import pulumi_aws as aws

        topic = aws.sns.Topic("t", name="t")
        topic.arn.apply(lambda arn: pulumi.log.info(f"arn {arn}"))
        topic.name.apply(lambda name: pulumi.log.info(f"name {name}"))
        """
    )

    assert [d.message for d in project.rehearse("preview").diagnostics] == ["name t"]
    assert [d.message for d in project.rehearse("up").diagnostics] == [
        "arn arn:aws:sns:us-east-1:123456789012:t",
        "name t",
    ]


def test_an_unknown_is_neither_true_nor_false():
    with pytest.raises(TypeError, match="is UNKNOWN"):
        bool(UNKNOWN)


def test_secrets_arrive_wrapped_in_inputs_outputs_and_exports(project):
    project.program(
        """
        import pulumi
        import pulumi_aws as aws

        secret = pulumi.Output.secret("hush")
        topic = aws.sns.Topic("t", display_name=secret, tags={"a": secret})
        pulumi.export("plain", topic.display_name)
        pulumi.export("inside", {"a": [secret]})
        """
    )

    run = project.rehearse()
    topic = run.one(TOPIC)

    assert topic.inputs["displayName"] == Secret("hush")
    assert topic.inputs["tags"] == {"a": Secret("hush")}
    assert topic.outputs["displayName"] == Secret("hush")
    assert run.exports == {"plain": Secret("hush"), "inside": {"a": [Secret("hush")]}}
    assert "hush" not in repr(run.exports)


def test_additional_secret_outputs_are_secret_when_they_are_known(project):
    project.program(
        """
        import pulumi
        import pulumi_aws as aws

        aws.sns.Topic("t", opts=pulumi.ResourceOptions(additional_secret_outputs=["arn"]))
        """
    )

    topic = project.rehearse("up").one(TOPIC)

    assert isinstance(topic.outputs["arn"], Secret)
    assert topic.options.additional_secret_outputs == ("arn",)


def test_options_are_kept_in_the_providers_names(project):
    project.program(
        """
        import pulumi
        import pulumi_aws as aws

        first = aws.sns.Topic("first")
        aws.ecs.Service(
            "s",
            name="s",
            opts=pulumi.ResourceOptions(
                protect=True,
                ignore_changes=["task_definition", "loadBalancers"],
                delete_before_replace=False,
                replace_on_changes=["cluster"],
                retain_on_delete=True,
                custom_timeouts=pulumi.CustomTimeouts(create="1h30m", delete="90s"),
                depends_on=[first],
                aliases=[pulumi.Alias(name="old"), "urn:pulumi:dev::shop::a:b:C::d"],
            ),
        )
        """
    )

    run = project.rehearse()
    service = run.one("aws:ecs/service:Service")

    assert service.options.protect
    assert service.options.ignore_changes == ("taskDefinition", "loadBalancers")
    assert service.options.delete_before_replace is False
    assert service.options.replace_on_changes == ("cluster",)
    assert service.options.retain_on_delete
    assert service.options.custom_timeouts.create == 5400
    assert service.options.custom_timeouts.delete == 90
    assert service.options.aliases == (
        "urn:pulumi:dev::shop::aws:ecs/service:Service::old",
        "urn:pulumi:dev::shop::a:b:C::d",
    )
    assert service.dependencies == (run.one(TOPIC).urn,)


def test_a_parents_alias_is_inherited_by_its_children(project):
    project.program(
        COMPONENT
        + """
    Shop("main", pulumi.ResourceOptions(aliases=[pulumi.Alias(name="old")]))
    """
    )

    bucket = project.rehearse().one(BUCKET)

    # The type of a component is part of a child's URN, its name is not.
    # The provider's SDK adds an alias of its own, for the type that buckets had before.
    assert set(bucket.options.aliases) == {
        f"urn:pulumi:dev::shop::shop:index:Shop$aws:s3/{type_}::{name}-goods"
        for type_, name in (("bucket:Bucket", "old"), ("bucketV2:BucketV2", "main"), ("bucketV2:BucketV2", "old"))
    }


def test_dependencies_are_known_by_property(project):
    project.program(
        """
        import pulumi
        import pulumi_aws as aws

        topic = aws.sns.Topic("t", name="t")
        aws.sqs.Queue("q", name="q", policy=topic.name.apply(lambda n: n))
        """
    )

    run = project.rehearse()
    queue = run.one(QUEUE)

    assert queue.dependencies == (run.one(TOPIC).urn,)
    assert queue.property_dependencies["policy"] == (run.one(TOPIC).urn,)
    assert queue.property_dependencies["name"] == ()


def test_where_the_program_made_a_resource_is_kept(project):
    project.program(COMPONENT + "    \n    Shop('main')\n")

    source = project.rehearse().one(BUCKET).source

    assert [(line.file, line.line) for line in source] == [
        (str(project.root / "__main__.py"), 9),
        (str(project.root / "__main__.py"), 18),
    ]


def test_the_explicit_provider_is_inherited_by_the_children_of_a_component(project):
    project.program(
        COMPONENT
        + """
    provider = aws.Provider("mine", region="eu-west-1")
    Shop("main", pulumi.ResourceOptions(providers=[provider]))
    """
    )

    run = project.rehearse()

    assert run.one(BUCKET).provider == run.one("pulumi:providers:aws").urn
    assert run.one("pulumi:providers:aws").name == "mine"


def test_an_explicit_provider_carries_its_plugins_version_as_a_default_one_does(project):
    project.program(
        """
        import pulumi
        import pulumi_aws as aws
        aws.sns.Topic("a", opts=pulumi.ResourceOptions(provider=aws.Provider("mine", region="eu-west-1")))
        aws.sns.Topic("b")
        """
    )

    versions = {provider.inputs["version"] for provider in project.rehearse().all("pulumi:providers:aws")}

    assert len(versions) == 1


def test_a_resource_without_a_provider_gets_the_packages_default_one(project):
    project.write("Pulumi.dev.yaml", "config:\n  aws:region: eu-west-1\n")
    project.program("import pulumi_aws as aws\naws.sns.Topic('a', name='a')\naws.sns.Topic('b')\n")

    run = project.rehearse("up")
    provider = run.one("pulumi:providers:aws")

    assert provider.name.startswith("default_7_")
    assert provider.parent == ""
    assert provider.inputs["region"] == "eu-west-1"
    assert {topic.provider for topic in run.all(TOPIC)} == {provider.urn}
    assert run.one(TOPIC, "a").outputs["arn"] == "arn:aws:sns:eu-west-1:123456789012:a"


def test_default_tags_of_the_provider_reach_tags_all_but_not_tags(project):
    project.program(
        """
        import pulumi
        import pulumi_aws as aws

        provider = aws.Provider("mine", region="eu-west-1", default_tags={"tags": {"team": "a", "stage": "x"}})
        opts = pulumi.ResourceOptions(provider=provider)
        aws.sns.Topic("own", tags={"stage": "y"}, opts=opts)
        aws.sns.Topic("none", opts=opts)
        aws.s3.BucketVersioning("v", bucket="b", versioning_configuration={"status": "Enabled"}, opts=opts)
        """
    )

    run = project.rehearse()

    assert run.one(TOPIC, "own").inputs["tagsAll"] == {"team": "a", "stage": "y"}
    assert run.one(TOPIC, "own").inputs["tags"] == {"stage": "y"}
    assert run.one(TOPIC, "none").inputs["tagsAll"] == {"team": "a", "stage": "x"}
    assert "tagsAll" not in run.one("aws:s3/bucketVersioning:BucketVersioning").inputs


def test_resources_stand_in_the_order_in_which_the_program_made_them(project):
    project.program(
        """
        import pulumi
        import pulumi_aws as aws

        late = aws.sns.Topic("late", name="late")
        for index in range(20):
            aws.sns.Topic(f"t{index}", opts=pulumi.ResourceOptions(depends_on=[late] if index % 3 else None))
        """
    )

    run = project.rehearse()

    assert [r.name for r in run.all(TOPIC)] == ["late", *(f"t{index}" for index in range(20))]


def test_archives_and_assets_are_plain_data(project):
    project.write("code/handler.py", "x = 1\n")
    project.program(
        """
        import pulumi
        import pulumi_aws as aws

        code = pulumi.AssetArchive({"a.py": pulumi.FileAsset("code/handler.py"), "b.txt": pulumi.StringAsset("b")})
        aws.lambda_.Function("f", role="arn:aws:iam::123456789012:role/r", code=code)
        aws.s3.BucketObjectv2("o", bucket="b", key="k", source=pulumi.FileArchive("code"))
        """
    )

    run = project.rehearse()

    assert run.one("aws:lambda/function:Function").inputs["code"] == Archive(
        assets={"a.py": Asset(path="code/handler.py"), "b.txt": Asset(text="b")}
    )
    assert run.one("aws:s3/bucketObjectv2:BucketObjectv2").inputs["source"] == Archive(path="code")


def test_numbers_that_are_whole_read_as_integers(project):
    project.program("import pulumi_aws as aws\naws.sqs.Queue('q', delay_seconds=5)\n")

    value = project.rehearse().one(QUEUE).inputs["delaySeconds"]

    assert value == 5
    assert isinstance(value, int)


def test_a_reference_to_a_resource_is_its_id(project):
    project.program(
        """
        import pulumi
        import pulumi_aws as aws

        topic = aws.sns.Topic("t", name="t")
        class Holder(pulumi.ComponentResource):
            def __init__(self):
                super().__init__("shop:index:Holder", "h", {"held": topic})
                self.register_outputs({})
        Holder()
        """
    )

    assert project.rehearse("preview").one("shop:index:Holder").inputs == {"held": UNKNOWN}
    assert project.rehearse("up").one("shop:index:Holder").inputs == {"held": "arn:aws:sns:us-east-1:123456789012:t"}


def test_what_is_only_looked_up_is_marked_and_known_at_preview(project):
    project.program(
        """
        import pulumi
        import pulumi_aws as aws

        topic = aws.sns.Topic.get("t", "arn:aws:sns:eu-west-1:111111111111:there")
        pulumi.export("arn", topic.arn)
        """
    )

    run = project.rehearse()

    assert run.one(TOPIC).read
    assert run.one(TOPIC).id == "arn:aws:sns:eu-west-1:111111111111:there"
    assert run.exports == {"arn": "arn:aws:sns:eu-west-1:111111111111:there"}


def test_what_is_looked_up_by_an_unknown_id_is_unknown(project):
    project.program(
        """
        import pulumi
        import pulumi_aws as aws

        first = aws.sns.Topic("first")
        found = aws.sns.Topic.get("found", first.arn)
        pulumi.export("name", found.name)
        """
    )

    assert project.rehearse().exports == {"name": UNKNOWN}


@pytest.mark.filterwarnings("ignore:coroutine 'Output")  # what the SDK leaves of the read that is refused
def test_the_outputs_of_another_stack_are_those_that_were_given(project):
    project.program(
        """
        import pulumi

        other = pulumi.StackReference("acme/network/dev")
        pulumi.export("vpc", other.get_output("vpcId"))
        """
    )

    run = project.rehearse(stack_outputs={"acme/network/dev": {"vpcId": "vpc-1"}})
    refused = project.rehearse()

    assert run.exports == {"vpc": "vpc-1"}
    assert "reads the outputs of stack acme/network/dev" in refused.errors[0].message
    assert "--answers" in refused.errors[0].message


def test_messages_of_the_program_are_diagnostics(project):
    project.program(
        """
        import pulumi
        import pulumi_aws as aws

        topic = aws.sns.Topic("t")
        print("printed")
        pulumi.log.debug("not shown")
        pulumi.info("said")
        pulumi.warn("warned", topic)
        """
    )

    run = project.rehearse()

    assert [(d.severity, d.message, d.urn) for d in run.diagnostics] == [
        ("info", "printed", ""),
        ("info", "said", ""),
        ("warning", "warned", run.one(TOPIC).urn),
    ]
    assert run.ok


def test_a_message_of_severity_error_makes_the_run_fail(project):
    project.program("import pulumi\npulumi.log.error('broken')\n")

    run = project.rehearse()

    assert not run.ok
    assert [d.message for d in run.errors] == ["broken"]


def test_a_remote_component_has_well_formed_outputs(project):
    project.program(
        """
        import pulumi
        import pulumi_aws as aws
        import pulumi_awsx as awsx

        vpc = awsx.ec2.Vpc("v", number_of_availability_zones=2, cidr_block="10.1.0.0/16")
        pulumi.export("vpc", vpc.vpc_id)
        pulumi.export("subnets", vpc.private_subnet_ids)
        """
    )

    preview, up = project.rehearse("preview"), project.rehearse("up")

    assert preview.exports == {"vpc": UNKNOWN, "subnets": UNKNOWN}
    assert preview.one("awsx:ec2:Vpc").remote
    assert up.exports["vpc"].startswith("vpc-")
    assert len(up.exports["subnets"]) == 2
    assert all(subnet.startswith("subnet-") for subnet in up.exports["subnets"])


def test_stack_transforms_are_run(project):
    project.program(
        """
        import pulumi
        import pulumi_aws as aws

        def add_tag(args):
            if args.type_ == "aws:sns/topic:Topic":
                return pulumi.ResourceTransformResult(
                    props={**args.props, "tags": {"added": "yes"}},
                    opts=pulumi.ResourceOptions.merge(args.opts, pulumi.ResourceOptions(protect=True)),
                )

        pulumi.runtime.register_resource_transform(add_tag)
        aws.sns.Topic("t", name="t")
        aws.sqs.Queue("q")
        """
    )

    run = project.rehearse()

    assert not run.diagnostics
    assert run.one(TOPIC).inputs["tags"] == {"added": "yes"}
    assert run.one(TOPIC).options.protect
    assert not run.one(QUEUE).options.protect


def test_a_resources_own_transforms_are_run_before_its_parents(project):
    project.program(
        """
        import pulumi
        import pulumi_aws as aws

        def adds(word):
            def transform(args):
                if args.type_ != "aws:sns/topic:Topic":
                    return None
                name = args.props.get("displayName", "") + word
                return pulumi.ResourceTransformResult(props={**args.props, "displayName": name}, opts=args.opts)
            return transform

        class Holder(pulumi.ComponentResource):
            def __init__(self):
                super().__init__("shop:index:Holder", "h", {}, pulumi.ResourceOptions(transforms=[adds("parent")]))
                opts = pulumi.ResourceOptions(parent=self, transforms=[adds("own ")])
                aws.sns.Topic("t", opts=opts)
                self.register_outputs({})

        Holder()
        """
    )

    run = project.rehearse()

    assert not run.diagnostics
    assert run.one(TOPIC).inputs["displayName"] == "own parent"


def test_an_async_program_is_run(project):
    project.program(
        """
        import asyncio
        import pulumi
        import pulumi_aws as aws

        async def main():
            await asyncio.sleep(0.01)
            topic = aws.sns.Topic("t", name="t")
            return {"name": topic.name}

        pulumi.run(main)
        """
    )

    run = project.rehearse()

    assert run.exports == {"name": "t"}


def test_what_the_program_gives_to_a_thread_runs_in_a_thread(project):
    project.program(
        """
        import asyncio
        import threading
        import pulumi

        async def where():
            return await asyncio.get_running_loop().run_in_executor(None, lambda: threading.current_thread().name)

        pulumi.export("main", pulumi.Output.from_input(where()).apply(lambda n: n == threading.main_thread().name))
        """
    )

    assert project.rehearse().exports == {"main": False}


def test_a_finder_that_finds_none_or_many_says_what_there_is(project):
    project.program("import pulumi_aws as aws\naws.sns.Topic('a')\naws.sns.Topic('b')\n")
    run = project.rehearse()

    with pytest.raises(LookupFailed, match=r"2 of aws:sns/topic:Topic where one was wanted: a .*, b "):
        run.one(TOPIC)
    with pytest.raises(LookupFailed, match=r"no aws:sns/topic:Topic named 'c'; there is a .*, b "):
        run.one(TOPIC, "c")
    with pytest.raises(LookupFailed, match=r"there is .*aws:sns/topic:Topic"):
        run.one(QUEUE)
