"""Types of value, and the base class of the settings' models."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationInfo,
    model_validator,
)
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError

from components.naming import ENVIRONMENT, NAME
from contract.regions import AS_OF, REGIONS

NAMESPACE = "ecs-release"

InvalidSetting = tuple[str, object, str]
"""(key below the model, what was found, what is allowed)"""


@dataclass(frozen=True)
class Check:
    """A condition on a value, and a phrase that says what is allowed."""

    holds: Callable[[Any], object]
    allowed: str

    def __call__(self, value: Any) -> Any:
        """The value itself, or pydantic's error with that phrase."""
        if not self.holds(value):
            raise PydanticCustomError("allowed", "{allowed}", {"allowed": self.allowed})
        return value


def text(pattern: str, allowed: str) -> AfterValidator:
    """Text that a regular expression matches as a whole."""
    return AfterValidator(Check(re.compile(pattern).fullmatch, allowed))


def _is_ipv4_range(value: str) -> bool:
    try:
        IPv4Network(value)
    except ValueError:
        return False
    return "/" in value


_LOG_RETENTION_DAYS = (
    1,
    3,
    5,
    7,
    14,
    30,
    60,
    90,
    120,
    150,
    180,
    365,
    400,
    545,
    731,
    1096,
    1827,
    2192,
    2557,
    2922,
    3288,
    3653,
)  # fmt: skip  (CloudWatch Logs API, PutRetentionPolicy, retentionInDays)


Name = Annotated[
    str,
    text(NAME, "lower-case letters, digits and single hyphens, a letter first"),
]
Environment = Annotated[
    str,
    text(
        ENVIRONMENT,
        "lower-case letters and digits without a hyphen, a letter first, such as dev1; not sg, internal or aws",
    ),
]
AccountId = Annotated[str, text(r"[0-9]{12}", "twelve digits, in quotes")]
Region = Annotated[
    str,
    AfterValidator(
        Check(REGIONS.__contains__, f"a region of the AWS partition aws as of {AS_OF}, such as ap-northeast-1")
    ),
]
Cidr = Annotated[str, AfterValidator(Check(_is_ipv4_range, "an IPv4 range such as 10.0.0.0/16, its host bits zero"))]
VpcId = Annotated[str, text(r"vpc-[0-9a-f]{8,17}", "a VPC id such as vpc-0a1b2c3d4e5f60718")]
SubnetId = Annotated[str, text(r"subnet-[0-9a-f]{8,17}", "a subnet id such as subnet-0a1b2c3d4e5f60718")]
CertificateArn = Annotated[
    str,
    text(
        r"arn:aws:acm:[a-z0-9-]+:[0-9]{12}:certificate/[0-9a-f-]+",
        "the ARN of an ACM certificate in the region",
    ),
]
Uuid = Annotated[str, text(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "a UUID in lower case")]
Repository = Annotated[str, text(r"[A-Za-z0-9-]+/[A-Za-z0-9._-]+", "OWNER/REPOSITORY")]
Email = Annotated[str, text(r"[^@\s]+@[^@\s]+\.[^@\s]+", "an e-mail address")]
HostName = Annotated[str, text(r"[a-z0-9-]+(\.[a-z0-9-]+)+", "a host name such as api.example.com")]
FunctionArn = Annotated[
    str, text(r"arn:aws:lambda:[a-z0-9-]+:[0-9]{12}:function:[A-Za-z0-9_-]+", "the ARN of a Lambda function")
]
Path = Annotated[str, text(r"/[^\s?#]*", "a path that begins with /")]
Action = Annotated[str, text(r"[a-z0-9-]+:[A-Za-z]+", "one action without a wildcard, such as dynamodb:GetItem")]
Port = Annotated[int, Field(ge=1, le=65535)]
Percent = Annotated[float, Field(gt=0, le=100)]
LogRetentionDays = Annotated[
    int,
    AfterValidator(Check(_LOG_RETENTION_DAYS.__contains__, f"one of {', '.join(map(str, _LOG_RETENTION_DAYS))} days")),
]
Architecture = Literal["ARM64", "X86_64"]
TrailName = Annotated[str, StringConstraints(min_length=3, max_length=128)]


def _known_strategy(value: str, info: ValidationInfo) -> str:
    known = sorted((info.context or {}).get("strategies", {value}))
    return Check(known.__contains__, f"one of {', '.join(known)}")(value)  # type: ignore[no-any-return]


StrategyName = Annotated[str, AfterValidator(_known_strategy)]


class SettingsModel(BaseModel):
    """Base of every settings model: keys in camelCase, unknown keys refused, frozen."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        extra="forbid",
        frozen=True,
        populate_by_name=False,
        use_attribute_docstrings=True,
    )

    @model_validator(mode="after")
    def _consistent(self, info: ValidationInfo) -> Self:
        problems = [*self.validation_errors(), *self.strategy_errors((info.context or {}).get("strategies", {}))]
        if problems:
            raise PydanticCustomError("validation_errors", "validation_errors", {"problems": problems})
        return self

    def validation_errors(self) -> Iterable[InvalidSetting]:
        """Rules across fields that are not met."""
        return ()

    def strategy_errors(self, strategies: Mapping[str, Any]) -> Iterable[InvalidSetting]:  # noqa: ARG002
        """What they say against the strategies, by name, that the settings are loaded with."""
        return ()


def repeated(key: str, names: Iterable[str], kind: str) -> Iterable[InvalidSetting]:
    """Names that occur more than once."""
    for name, times in Counter(names).items():
        if times > 1:
            yield key, name, f"unique names; this {kind} occurs {times} times"
