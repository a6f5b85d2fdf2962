"""Event patterns and input transformers as EventBridge documents them."""

import pytest

from rehearsal.emulator.patterns import matched, transformed

EVENT = {
    "source": "aws.s3",
    "detail": {"bucket": {"name": "dev-ecsdef"}, "object": {"key": "api/x.zip", "size": 3}, "list": ["a", "b"]},
}


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ({"source": ["aws.s3"]}, True),
        ({"source": ["aws.ec2"]}, False),
        ({"source": ["aws.ec2", "aws.s3"]}, True),
        ({"detail": {"bucket": {"name": ["dev-ecsdef"]}, "object": {"key": ["api/x.zip"]}}}, True),
        ({"detail": {"bucket": {"name": ["dev-ecsdef"]}, "object": {"key": ["api/y.zip"]}}}, False),
        ({"detail": {"object": {"size": [3]}}}, True),
        ({"detail": {"object": {"size": ["3"]}}}, False),
        ({"detail": {"errorCode": [{"exists": False}]}}, True),
        ({"detail": {"bucket": {"name": [{"exists": False}]}}}, False),
        ({"detail": {"bucket": {"name": [{"exists": True}]}}}, True),
        ({"detail": {"bucket": {"owner": [{"exists": True}]}}}, False),
        ({"detail": {"bucket": {"name": [{"prefix": "dev-"}]}}}, True),
        ({"detail": {"bucket": {"name": [{"prefix": "prod-"}]}}}, False),
        ({"detail": {"bucket": {"owner": [{"prefix": "dev-"}]}}}, False),
        ({"detail": {"object": {"key": [{"suffix": ".zip"}]}}}, True),
        ({"detail": {"object": {"key": [{"wildcard": "api/*.zip"}]}}}, True),
        ({"detail": {"object": {"key": [{"wildcard": "worker/*.zip"}]}}}, False),
        ({"detail": {"object": {"key": [{"anything-but": ["api/x.zip"]}]}}}, False),
        ({"detail": {"object": {"key": [{"anything-but": "api/y.zip"}]}}}, True),
        ({"detail": {"bucket": {"name": [{"equals-ignore-case": "DEV-ECSDEF"}]}}}, True),
        ({"detail": {"list": ["b"]}}, True),
        ({"detail": {"list": ["c"]}}, False),
        ({"$or": [{"source": ["aws.ec2"]}, {"detail": {"object": {"size": [3]}}}]}, True),
        ({"missing": {"deep": ["x"]}}, False),
    ],
)
def test_a_pattern_matches_what_eventbridge_would_match(pattern, expected):
    assert matched(pattern, EVENT) is expected


def test_a_comparison_that_is_not_known_is_said_and_not_guessed():
    with pytest.raises(ValueError, match="does not know the comparison"):
        matched({"detail": {"object": {"size": [{"numeric": [">", 1]}]}}}, EVENT)


def test_without_a_transformer_the_target_gets_the_event():
    assert transformed({}, None, EVENT) == EVENT


def test_a_transformer_puts_the_values_of_its_paths_into_its_template():
    template = '{"revision": "<key>", "size": <size>}'

    made = transformed({"key": "$.detail.object.key", "size": "$.detail.object.size"}, template, EVENT)

    assert made == {"revision": "api/x.zip", "size": 3}
