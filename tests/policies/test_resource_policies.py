"""Which properties are read as the policy of a resource, whatever its type."""

from __future__ import annotations

import json

import pytest
from least_privilege.resource_policies import resource_policies
from policy_kit.documents import DocumentError
from policy_kit.resources import UNKNOWN, Resource
from policy_kit.stack import Stack

OPEN = json.dumps({"Statement": {"Effect": "Allow", "Principal": "*", "Action": "s3:*", "Resource": "*"}})


def policies(kind: str, **props):
    resource = Resource(type=f"aws:{kind}", name="one", urn="urn", read=lambda: props, read_declared=lambda: props)
    return resource_policies(Stack([resource]))


@pytest.mark.parametrize(
    ("kind", "props"),
    [
        ("s3/bucketPolicy:BucketPolicy", {"policy": OPEN}),
        ("s3/bucketPolicy:BucketPolicy", {"policy": json.loads(OPEN)}),
        ("ecr/repositoryCreationTemplate:RepositoryCreationTemplate", {"repositoryPolicy": OPEN}),
        ("organizations/resourcePolicy:ResourcePolicy", {"content": OPEN}),
        (
            "s3control/multiRegionAccessPointPolicy:MultiRegionAccessPointPolicy",
            {"details": {"name": "m", "policy": OPEN}},
        ),
        ("new/thing:Thing", {"resourcePolicy": OPEN}),
        ("new/thing:Thing", {"policy": OPEN.replace("Statement", "\\u0053tatement")}),
    ],
)
def test_a_document_is_read_wherever_a_resource_holds_it(kind, props):
    (source,) = policies(kind, **props)

    assert [s.principals.everyone for s in source.allows] == [True]


@pytest.mark.parametrize(
    ("kind", "props"),
    [
        (
            "cloudwatch/logDataProtectionPolicy:LogDataProtectionPolicy",
            {"policyDocument": '{"Statement": [{"Sid": "mask"}]}'},
        ),
        ("cloudwatch/logIndexPolicy:LogIndexPolicy", {"policyDocument": '{"Fields": ["requestId"]}'}),
        ("ecr/lifecyclePolicy:LifecyclePolicy", {"policy": '{"rules": []}'}),
        ("transfer/user:User", {"policy": OPEN}),
        ("organizations/policy:Policy", {"content": OPEN}),
        ("alb/loadBalancerPolicy:LoadBalancerPolicy", {"policy": "round-robin"}),
        ("new/thing:Thing", {"policy": None}),
    ],
)
def test_what_grants_nothing_to_whom_it_names_is_no_policy_of_a_resource(kind, props):
    assert policies(kind, **props) == []


def test_what_cannot_be_read_is_told_and_not_passed_over():
    (unknown,) = policies("new/thing:Thing", policy=UNKNOWN)
    (broken,) = policies("new/thing:Thing", policy='{"Statement": [}')

    assert unknown.unknown
    assert isinstance(broken.parsed, DocumentError)
