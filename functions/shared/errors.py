"""Errors of the functions: one sentence for a person, one word for the machine."""

from __future__ import annotations

from typing import Final, Literal

#: The failure types that CodePipeline knows and that are used here (API reference, FailureDetails).
Kind = Literal["JobFailed", "ConfigurationError", "PermissionError", "SystemUnavailable", "RevisionUnavailable"]
HANDOFF: Final = "JobFailed"
CONFIGURATION: Final = "ConfigurationError"
PERMISSION: Final = "PermissionError"
UNAVAILABLE: Final = "SystemUnavailable"
MISSING: Final = "RevisionUnavailable"

AWS_DENIED: Final = frozenset(
    {
        "AccessDenied",
        "AccessDeniedException",
        "UnauthorizedOperation",
        "KMSAccessDeniedException",
    }
)
AWS_CREDENTIALS: Final = frozenset(
    {
        "ExpiredToken",
        "ExpiredTokenException",
        "InvalidAccessKeyId",
        "InvalidToken",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
        "InvalidClientTokenId",
    }
)
AWS_BUSY: Final = frozenset(
    {
        "InternalError",
        "InternalServerError",
        "InternalServiceError",
        "RequestLimitExceeded",
        "RequestTimeout",
        "ServerException",
        "ServiceUnavailable",
        "ServiceUnavailableException",
        "SlowDown",
        "Throttling",
        "ThrottlingException",
        "ThrottledException",
        "TooManyRequestsException",
    }
)


class Refusal(Exception):  # noqa: N818  (nothing went wrong: it is an answer)
    """The release does not go on, for a reason that a person can act on.

    `str(refusal)` is one sentence: what was looked at, what was found, what is allowed or to be done.
    `kind` is the failure type that CodePipeline gets.
    """

    def __init__(self, sentence: str, kind: Kind = HANDOFF) -> None:
        super().__init__(sentence)
        self.kind = kind


def cut(text: str, cap: int) -> str:
    """The text in at most `cap` characters."""
    return text if len(text) <= cap else f"{text[: cap - 3]}..."


_READS = frozenset({"GetObject", "HeadObject"})


def of_aws(error: Exception) -> Refusal | None:
    """Turn a botocore error into a Refusal; None when `error` is of another family.

    The messages of refused credentials are left out: they describe the credentials.
    """
    # Imported here, so that the pure modules stay light.
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415

    if isinstance(error, ClientError):
        code = str(error.response.get("Error", {}).get("Code", "Unknown"))
        said = " ".join(str(error.response.get("Error", {}).get("Message", "")).split()).rstrip(".")[:300]
        call = error.operation_name
        if code in AWS_CREDENTIALS:
            return Refusal(f"AWS did not accept the credentials for {call} ({code}); retry the stage.", PERMISSION)
        if code in AWS_DENIED:
            # To whoever may not list the bucket S3 says of a missing object that it is denied (Amazon S3 API reference,
            # "GetObject").
            missing = "the object is missing and to be released again, or " if call in _READS else ""
            return Refusal(
                f"AWS denied {call} ({code}): {said}; {missing}the function's role must allow it.", PERMISSION
            )
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        if code in AWS_BUSY or status >= 500:  # noqa: PLR2004
            return Refusal(f"AWS could not answer {call} now ({code}); retry the stage.", UNAVAILABLE)
        return Refusal(f"AWS refused {call} ({code}): {said}.", HANDOFF)
    if isinstance(error, BotoCoreError):
        return Refusal(f"AWS could not be reached ({type(error).__name__}); retry the stage.", UNAVAILABLE)
    return None
