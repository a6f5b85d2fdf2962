"""What AWS answers, as the sentence that a person reads."""

import pytest
from botocore.exceptions import ClientError

from functions.shared.errors import of_aws


def answered(code, operation):
    return str(of_aws(ClientError({"Error": {"Code": code, "Message": "Access Denied"}}, operation)))


@pytest.mark.parametrize("operation", ["GetObject", "HeadObject"])
def test_a_denied_object_may_be_a_missing_one(operation):
    assert "the object is missing and to be released again, or the function's role must allow it" in answered(
        "AccessDenied", operation
    )


def test_another_denied_call_is_not():
    assert "missing" not in answered("AccessDeniedException", "DescribeServices")
