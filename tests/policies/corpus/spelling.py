"""Documents that cannot be understood, beside the same document well written."""

from __future__ import annotations

import json
from collections.abc import Iterator

from tests.policies.corpus import Case
from tests.policies.corpus.parts import DATA, on_role
from tests.policies.world import document

POLICY = "iam-documents-are-valid"
GOOD = document(DATA)
S = json.dumps(DATA)

BAD = {
    "not JSON": "{Version: 2012-10-17}",
    "cut off": GOOD[:-3],
    "an empty text": " ",
    "a list": f"[{GOOD}]",
    "a number": "1",
    "no statement": '{"Version": "2012-10-17"}',
    "an empty list of statements": '{"Version": "2012-10-17", "Statement": []}',
    "a statement that is text": '{"Statement": "Allow"}',
    "another version": GOOD.replace("2012-10-17", "2020-01-01"),
    "an unknown element": json.dumps({"Version": "2012-10-17", "Statement": DATA, "Note": "x"}),
    "an unknown element of a statement": document({**DATA, "Comment": "x"}),
    "an element in lower case": GOOD.replace('"Action"', '"action"'),
    "no effect": document({k: v for k, v in DATA.items() if k != "Effect"}),
    "an effect in lower case": GOOD.replace('"Allow"', '"allow"'),
    "no action": document({k: v for k, v in DATA.items() if k != "Action"}),
    "no resource": document({k: v for k, v in DATA.items() if k != "Resource"}),
    "an action and its opposite": document({**DATA, "NotAction": "s3:GetObject"}),
    "a resource and its opposite": document({**DATA, "NotResource": "*"}),
    "a principal in a role's policy": document({**DATA, "Principal": "*"}),
    "an action without a service": document({**DATA, "Action": "GetItem"}),
    "an empty action": document({**DATA, "Action": ""}),
    "an empty list of resources": document({**DATA, "Resource": []}),
    "an action that is a number": document({**DATA, "Action": 1}),
    "the action twice": S.join(['{"Statement": [', "]}"]).replace('"Effect"', '"Action": "*", "Effect"'),
    "the resource twice": S.join(['{"Statement": [', "]}"]).replace('"Effect"', '"Resource": "*", "Effect"'),
    "the effect twice": S.join(['{"Statement": [', "]}"]).replace('"Effect"', '"Effect": "Deny", "Effect"'),
    "the statement twice": f'{{"Statement": [{S}], "Statement": {{"Effect": "Allow", "Action": "*", "Resource": "*"}}}}',
    "an unknown operator": document({**DATA, "Condition": {"StringMatches": {"aws:userid": "x"}}}),
    "an operator without keys": document({**DATA, "Condition": {"StringEquals": {}}}),
    "a condition that is text": document({**DATA, "Condition": "x"}),
    "a condition key in two cases": document({**DATA, "Condition": {"StringEquals": {"aws:userid": "x", "AWS:UserId": "y"}}}),
    "a condition that holds an object": document({**DATA, "Condition": {"StringEquals": {"aws:userid": {"x": 1}}}}),
    "null that may be absent": document({**DATA, "Condition": {"NullIfExists": {"aws:userid": "true"}}}),
}  # fmt: skip
CLEAN = [
    GOOD,
    json.dumps({"Version": "2012-10-17", "Id": "x", "Statement": DATA}),
    json.dumps(json.loads(GOOD), indent=2),
    document({"Sid": "One", **DATA, "Condition": {"DateGreaterThan": {"aws:CurrentTime": "2026-01-01T00:00:00Z"}}}),
    document({**DATA, "Condition": {"ForAllValues:StringEquals": {"dynamodb:LeadingKeys": ["${www.amazon.com:user_id}"]}}}),
    document({**DATA, "Condition": {"NumericLessThanEquals": {"aws:MultiFactorAuthAge": 10}, "Null": {"aws:TokenIssueTime": False}}}),
    document(DATA, {"Effect": "Deny", "NotAction": ["dynamodb:*"], "Resource": ["*"]}),
]  # fmt: skip


def cases() -> Iterator[Case]:
    for number, (words, text) in enumerate(BAD.items()):
        yield on_role(f"a document with {words}", POLICY, "task", text, CLEAN[number % len(CLEAN)])
