"""Secrets by name: the ARN that a task definition takes, and the statements that read them."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from components import iam
from components.naming import Names


class Secret(Protocol):
    """What names a secret: `SecretName`, or the settings of one."""

    @property
    def ssm(self) -> str | None:
        """Name of an SSM parameter."""

    @property
    def secrets_manager(self) -> str | None:
        """Name of a Secrets Manager secret."""

    @property
    def json_key(self) -> str | None:
        """Key in the secret's JSON."""


@dataclass(frozen=True, kw_only=True)
class SecretName:
    """A secret by its name, in one of the two stores."""

    ssm: str | None = None
    """Name of an SSM SecureString parameter."""
    secrets_manager: str | None = None
    """Name of a Secrets Manager secret."""
    json_key: str | None = None
    """Key in the secret's JSON value; Secrets Manager only."""


def value_from(names: Names, secret: Secret) -> str:
    """ARN of a secret by its name, as a container definition's `valueFrom` takes it.

    A Secrets Manager ARN ends in six random characters; ECS and Secrets Manager accept it without them
    (Secrets Manager user guide, "What's in a secret": partial ARN), so it is known before the secret exists.
    """
    if secret.ssm is not None:
        return names.arn("ssm", f"parameter{secret.ssm}")
    arn = names.arn("secretsmanager", f"secret:{secret.secrets_manager}")
    return f"{arn}:{secret.json_key}::" if secret.json_key else arn


def read_statements(
    names: Names, secrets: Iterable[Secret], *, parameter_action: str, sid: str = "ReadIts{}"
) -> tuple[iam.Statement, ...]:
    """Permission to read exactly these.

    Args:
        names: the stack's names.
        secrets: what is read.
        parameter_action: the SSM action that the reader uses, `ssm:GetParameters` (ECS) or `ssm:GetParameter`.
        sid: the statements' Sid, `{}` standing for the store.
    """
    wanted = list(secrets)
    parameters = sorted({names.arn("ssm", f"parameter{s.ssm}") for s in wanted if s.ssm is not None})
    # Secrets Manager ends an ARN by a hyphen and six characters of its own; six ? match no longer name. Asked by the
    # ARN without them, as tasks do, it is the shorter one that has to be allowed (aws/aws-cdk issue 18555).
    stored = sorted(
        {
            names.arn("secretsmanager", f"secret:{s.secrets_manager}{end}")
            for s in wanted
            if s.secrets_manager
            for end in ("", "-??????")
        }
    )
    out = []
    if parameters:
        out.append(
            iam.Statement(sid=sid.format("Parameters"), actions=(parameter_action,), resources=tuple(parameters))
        )
    if stored:
        out.append(
            iam.Statement(
                sid=sid.format("Secrets"), actions=("secretsmanager:GetSecretValue",), resources=tuple(stored)
            )
        )
    return tuple(out)
