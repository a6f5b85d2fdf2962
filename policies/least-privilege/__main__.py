"""The policy pack `least-privilege`: CI hands a release over and can do nothing else."""

from least_privilege.policies import PACK
from pulumi_policy import EnforcementLevel, PolicyPack

PolicyPack(
    name="least-privilege",
    description="Least privilege of a release system on ECS: CI can hand over a release and do nothing else.",
    enforcement_level=EnforcementLevel.MANDATORY,
    policies=PACK.policies(),
)
