"""Policy documents as the AWS provider puts them together: `aws.iam.get_policy_document`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from .errors import Refused
from .model import UNKNOWN, unknown_paths

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .aws_values import Place

_SOURCES, _OVERRIDES = "sourcePolicyDocuments", "overridePolicyDocuments"


def policy_document(args: Mapping[str, Any], _: Place) -> dict[str, Any]:
    """The document of `aws.iam.get_policy_document`; its text is unknown where any part of it is.

    Sources come first, the statements given here replace those of the same Sid, overrides replace what is then
    there; a statement without a Sid is always added (terraform-provider-aws `internal/service/iam/
    policy_document_data_source.go` and `policy_model.go`).

    Raises:
        Refused: the provider would not take the arguments.
    """
    own: dict[str, Any] = {"Version": args.get("version") or "2012-10-17", "Statement": []}
    if args.get("policyId"):
        own["Id"] = args["policyId"]
    if unknown_paths(dict(args)):
        known = {} if unknown_paths(own) else {"version": own["Version"]}
        return {"id": UNKNOWN, "json": UNKNOWN, "minifiedJson": UNKNOWN, **known}
    own["Statement"] = [_statement(statement) for statement in args.get("statements") or []]
    _refuse_twins(own["Statement"], "statements")
    sources = [_read(text, _SOURCES) for text in args.get(_SOURCES) or [] if text]
    _refuse_twins([s for source in sources for s in source["Statement"]], _SOURCES)
    overrides = [_read(text, _OVERRIDES) for text in args.get(_OVERRIDES) or [] if text]
    document: dict[str, Any] = {"Version": "", "Statement": []}
    for part in (*sources, own, *overrides):
        document = _merged(document, part)
    ordered = {key: document[key] for key in ("Version", "Id", "Statement") if key in document}
    return {
        "id": "rehearsed",
        "json": json.dumps(ordered, indent=2),
        "minifiedJson": json.dumps(ordered, separators=(",", ":")),
        "version": ordered["Version"],
    }


def _merged(document: Mapping[str, Any], part: Mapping[str, Any]) -> dict[str, Any]:
    result = {**document, "Version": max(document["Version"], part["Version"])}
    if part.get("Id"):
        result["Id"] = part["Id"]
    statements = list(document["Statement"])
    for statement in part["Statement"]:
        sid = statement.get("Sid")
        at = next((i for i, other in enumerate(statements) if sid and other.get("Sid") == sid), None)
        if at is None:
            statements.append(statement)
        else:
            statements[at] = statement
    result["Statement"] = statements
    return result


def _read(text: str, where: str) -> dict[str, Any]:
    try:
        document = json.loads(text)
    except ValueError as problem:
        raise Refused(f"aws.iam.get_policy_document: one of {where} is not JSON ({problem}); give documents") from None
    if not isinstance(document, dict):
        raise Refused(f"aws.iam.get_policy_document: one of {where} is {text[:40]!r}; give policy documents")
    statements = document.get("Statement") or []
    listed = statements if isinstance(statements, list) else [statements]
    return {**document, "Version": document.get("Version") or "2008-10-17", "Statement": listed}


def _refuse_twins(statements: list[dict[str, Any]], where: str) -> None:
    sids = [statement["Sid"] for statement in statements if statement.get("Sid")]
    twin = next((sid for index, sid in enumerate(sids) if sid in sids[:index]), None)
    if twin is not None:
        raise Refused(
            f"aws.iam.get_policy_document: {where} has two statements with the Sid {twin!r}; give each its own"
        )


_STATEMENT_KEYS = frozenset(
    {
        "sid",
        "effect",
        "actions",
        "notActions",
        "resources",
        "notResources",
        "principals",
        "notPrincipals",
        "conditions",
    }
)


def _statement(given: Mapping[str, Any]) -> dict[str, Any]:
    unknown = sorted(set(given) - _STATEMENT_KEYS)
    if unknown:
        raise Refused(
            f"a statement of aws.iam.get_policy_document has {unknown[0]!r}, which the provider does not know: "
            "use GetPolicyDocumentStatementArgs, or the provider's own spelling"
        )
    statement: dict[str, Any] = {}
    if given.get("sid"):
        statement["Sid"] = given["sid"]
    statement["Effect"] = given.get("effect") or "Allow"
    for key, element in (
        ("actions", "Action"),
        ("notActions", "NotAction"),
        ("resources", "Resource"),
        ("notResources", "NotResource"),
    ):
        if given.get(key):
            statement[element] = _one_or_sorted(given[key])
    for key, element in (("principals", "Principal"), ("notPrincipals", "NotPrincipal")):
        if given.get(key):
            statement[element] = _principals(given[key])
    if given.get("conditions"):
        conditions: dict[str, dict[str, Any]] = {}
        for condition in given["conditions"]:
            values = list(condition["values"])
            conditions.setdefault(condition["test"], {})[condition["variable"]] = (
                values[0] if len(values) == 1 else values
            )
        statement["Condition"] = conditions
    return statement


def _principals(given: list[Mapping[str, Any]]) -> Any:
    if any(p["type"] == "*" for p in given):
        return "*"
    merged: dict[str, list[str]] = {}
    for principal in given:
        merged.setdefault(principal["type"], []).extend(principal["identifiers"])
    return {kind: _one_or_sorted(identifiers) for kind, identifiers in merged.items()}


def _one_or_sorted(values: list[str]) -> str | list[str]:
    return values[0] if len(values) == 1 else sorted(values, reverse=True)
