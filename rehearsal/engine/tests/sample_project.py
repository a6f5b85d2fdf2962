"""A Pulumi project that a test writes piece by piece, and a program with much of what programs do."""

from pathlib import Path
from textwrap import dedent

from pulumi_rehearsal import Rehearsal, rehearse


class Project:
    """A Pulumi project in a temporary directory, written piece by piece."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.write("Pulumi.yaml", "name: shop\nruntime: python\n")
        self.write("Pulumi.dev.yaml", "config: {}\n")
        self.program("import pulumi")

    def write(self, path: str, content: str) -> Path:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(dedent(content), encoding="utf-8")
        return file

    def program(self, content: str) -> None:
        self.write("__main__.py", content)

    def pack(self, name: str, policies: str, **files: str) -> Path:
        self.write(f"policies/{name}/PulumiPolicy.yaml", "runtime: python\nversion: 1.2.3\n")
        self.write(f"policies/{name}/__main__.py", policies)
        for file, content in files.items():
            self.write(f"policies/{name}/{file}.py", content)
        return self.root / "policies" / name

    def rehearse(self, mode: str = "preview", stack: str = "dev", **options) -> Rehearsal:
        return rehearse(self.root, stack, mode, **options)


SHOP = """
    import json
    import pulumi
    import pulumi_aws as aws

    provider = aws.Provider(
        "mine", region="eu-west-1", allowed_account_ids=["111111111111"], default_tags={"tags": {"team": "a"}}
    )

    class Shop(pulumi.ComponentResource):
        def __init__(self, name, opts=None):
            super().__init__("shop:index:Shop", name, {"colour": "red"}, opts)
            child = pulumi.ResourceOptions(
                parent=self,
                protect=True,
                ignore_changes=["tags"],
                aliases=[pulumi.Alias(name="old")],
                additional_secret_outputs=["arn"],
                custom_timeouts=pulumi.CustomTimeouts(create="10m"),
            )
            self.topic = aws.sns.Topic(f"{name}-topic", name="orders", tags={"a": "b"}, opts=child)
            self.queue = aws.sqs.Queue(
                f"{name}-queue",
                delay_seconds=5,
                policy=self.topic.arn.apply(lambda arn: json.dumps({"Resource": arn})),
                tags={"secret": pulumi.Output.secret("hush"), "name": self.topic.name},
                opts=pulumi.ResourceOptions(parent=self, depends_on=[self.topic], delete_before_replace=True),
            )
            self.register_outputs({"topic": self.topic.arn})

    shop = Shop("main", pulumi.ResourceOptions(providers=[provider]))
    aws.lambda_.Function(
        "f",
        role="arn:aws:iam::111111111111:role/r",
        code=pulumi.AssetArchive({"a.py": pulumi.StringAsset("x = 1")}),
        memory_size=128,
        opts=pulumi.ResourceOptions(provider=provider),
    )
    aws.sns.Topic.get("there", "arn:aws:sns:eu-west-1:111111111111:there",
                      opts=pulumi.ResourceOptions(provider=provider))
    aws.ecs.Cluster("plain")
    pulumi.export("arn", shop.topic.arn)
"""
