"""The policy pack `release-safety`: a release is checked, approved where people depend on it, and can go back."""

from pulumi_policy import EnforcementLevel, PolicyPack
from release_safety.policies import PACK

PolicyPack(
    name="release-safety",
    description="The safety of releases: approved in production, checked before each deployment, able to roll back.",
    enforcement_level=EnforcementLevel.MANDATORY,
    policies=PACK.policies(),
)
