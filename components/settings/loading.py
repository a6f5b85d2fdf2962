"""Loads a stack's config into the model, or reports one line for every problem."""

from __future__ import annotations

import difflib
import json
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import pulumi
from pydantic import ValidationError

from components.settings.stack import Settings, SettingsRules
from components.settings.values import NAMESPACE, SettingsModel


class SettingsError(pulumi.RunError):
    """Invalid settings; the text lists every problem, one a line. Raised before any resource is registered.

    The Pulumi engine shows a `RunError`, and no other exception, without a traceback.
    """

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        if len(problems) == 1:
            super().__init__(f"1 invalid setting; nothing was changed: {problems[0]}")
        else:
            head = f"{len(problems)} invalid settings; nothing was changed:"
            super().__init__("\n".join([head, *(f"  {p}" for p in problems)]))


_ALREADY_REPORTED: Final = 32
"""Exit status of a program that has reported its error; the engine adds nothing: `pulumi-language-python-exec`."""
_NO_ACCOUNT = "0" * 12


def of_stack(strategies: Mapping[str, SettingsRules]) -> Settings:
    """The settings of the current stack; invalid ones are reported and end the program."""
    try:
        return load(stack_config(), strategies, stack=pulumi.get_stack())
    except SettingsError as problem:
        pulumi.log.error(str(problem))
        sys.exit(_ALREADY_REPORTED)


def stack_config() -> dict[str, str]:
    """The stack's own config as Pulumi passes it on, keys without the project's name.

    Raises:
        SettingsError: a value is encrypted. Every setting ends in plain text in documents that AWS stores and shows,
            and in the state.
    """
    prefix = f"{pulumi.get_project()}:"
    config = {k: v for k, v in pulumi.runtime.config.CONFIG.get().items() if k.startswith(prefix)}
    if secret := sorted(key for key in config if pulumi.runtime.is_config_secret(key)):
        raise SettingsError(
            [
                f"{key}: found an encrypted value; allowed: plain text, because AWS shows settings as they are; store "
                "the value in SSM or Secrets Manager and name it under secrets: of its container."
                for key in secret
            ]
        )
    return {key.removeprefix(prefix): value for key, value in config.items()}


def load(values: Mapping[str, object], strategies: Mapping[str, SettingsRules], stack: str | None = None) -> Settings:
    """The validated settings of a stack.

    Args:
        values: config keys without the project's name, to values as YAML has them, or as Pulumi passes them on: text,
            with JSON for lists and objects. `${environment}`, `${account}` and `${region}` in any text become the
            stack's own.
        strategies: deployment strategies by name, each of which checks the settings of its services.
        stack: the stack's name, which environment or stackName must equal; None skips that check.

    Raises:
        SettingsError: with one line for every problem.
    """
    parsed = {key: _parsed(value) for key, value in values.items()}
    problems = list(_of_another_stack(parsed, stack))
    try:
        settings = Settings.model_validate(_substituted(parsed, _own(parsed)), context={"strategies": strategies})
    except ValidationError as error:
        raise SettingsError(list(dict.fromkeys([*problems, *_messages(error, parsed)]))) from None
    if problems:
        raise SettingsError(problems)
    return settings


def _of_another_stack(values: Mapping[str, object], stack: str | None) -> Iterable[str]:
    """A copied file that still has the other stack's environment, and so all of its resource names."""
    environment, named = values.get("environment"), values.get("stackName")
    if stack is None or not isinstance(environment, str):
        return
    if named is None and environment != stack:
        yield (
            f"{NAMESPACE}:environment: found {json.dumps(environment)} in stack {stack}; allowed: {stack}, because two "
            f"stacks of one environment overwrite and delete each other's resources; if the difference is intended, "
            f"add stackName: {stack}."
        )
    elif named is not None and named != stack:
        yield _message(f"{NAMESPACE}:stackName", named, f"{stack}, the name of the stack")


def _parsed(value: object) -> object:
    if isinstance(value, str) and value[:1] in ("{", "["):
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value


def _own(values: Mapping[str, object]) -> dict[str, str]:
    """Placeholders of a stack file. An invalid account is one problem, not one more for every ARN."""
    account = str(values.get("account"))
    own = {
        "${environment}": values.get("environment"),
        "${account}": account if re.fullmatch("[0-9]{12}", account) else _NO_ACCOUNT,
        "${region}": values.get("region", Settings.model_fields["region"].default),
    }
    return {placeholder: value for placeholder, value in own.items() if isinstance(value, str)}


def _substituted(value: object, own: Mapping[str, str]) -> Any:
    if isinstance(value, str):
        for placeholder, text in own.items():
            value = value.replace(placeholder, text)
        return value
    if isinstance(value, Mapping):
        return {k: _substituted(v, own) for k, v in value.items()}
    if isinstance(value, list):
        return [_substituted(v, own) for v in value]
    return value


def _messages(error: ValidationError, values: Mapping[str, object]) -> Iterable[str]:
    items = error.errors(include_url=False)
    deeper = {item["loc"][:n] for item in items for n in range(len(item["loc"]))}
    for item in items:
        loc = item["loc"]
        if item["type"] == "too_short" and loc in deeper:
            continue  # the list is not empty: its items are wrong, and have their own lines
        if item["type"] == "validation_errors":
            for key, found, allowed in item["ctx"]["problems"]:
                yield _message(_key(loc, values, key), found, allowed)
        elif item["type"] == "missing":
            yield f"{_key(loc, values)}: missing. {_description(loc)}".rstrip()
        elif item["type"] == "extra_forbidden":
            yield _unknown(loc, values)
        elif loc[-2:-1] == ("secrets",) and isinstance(item["input"], str):
            yield f"{_key(loc, values)}: found a plain-text value, which is not shown here; allowed: {_allowed(item)}."
        else:
            yield _message(_key(loc, values), item["input"], _allowed(item))


def _message(key: str, found: object, allowed: str) -> str:
    text = (
        "nothing"
        if found is None
        else found
        if isinstance(found, str) and " " in found
        else json.dumps(found, default=str)
    )
    return f"{key}: found {text}; allowed: {allowed}."


def _key(loc: Sequence[int | str], values: object, below: str = "") -> str:
    """`ecs-release:services[api].containers[nginx].ports`: items of a list go by their name where they have one."""
    out = f"{NAMESPACE}:"
    for step in loc:
        if isinstance(step, int):
            values = values[step] if isinstance(values, list) and step < len(values) else None
            out += f"[{values['name'] if isinstance(values, dict) and 'name' in values else step}]"
        else:
            values = values.get(step) if isinstance(values, Mapping) else None
            out += step if out.endswith(":") else f".{step}"
    return f"{out}.{below}" if below and not out.endswith(":") else out + below


def _model_of(loc: Sequence[int | str]) -> type[SettingsModel]:
    """The model that the last key of `loc` belongs to."""
    part: type[SettingsModel] = Settings
    for step in loc[:-1]:
        field = next((f for f in part.model_fields.values() if f.alias == step), None)
        nested = _nested(field.annotation) if field else None
        part = nested or part
    return part


def _nested(annotation: Any) -> type[SettingsModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, SettingsModel):
        return annotation
    return next((n for a in getattr(annotation, "__args__", ()) if (n := _nested(a))), None)


def _description(loc: Sequence[int | str]) -> str:
    field = next((f for f in _model_of(loc).model_fields.values() if f.alias == loc[-1]), None)
    return " ".join((field.description or "").split()) if field else ""


def _unknown(loc: Sequence[int | str], values: object) -> str:
    known = sorted(str(f.alias) for f in _model_of(loc).model_fields.values())
    near = difflib.get_close_matches(str(loc[-1]), known, n=1)
    hint = f"did you mean {near[0]}?" if near else f"known there: {', '.join(known)}."
    return f"{_key(loc, values)}: no such key; {hint}"


_TYPES = {
    "bool": "true or false", "int": "a whole number", "float": "a number", "string": "text (a number in quotes)",
    "model": "an object with keys of its own", "dict": "an object of names and values", "tuple": "a list",
}  # fmt: skip


def _allowed(item: Any) -> str:
    kind, ctx = item["type"], item.get("ctx", {})
    if kind == "allowed":
        return str(ctx.get("allowed", item["msg"]))
    if kind == "literal_error":
        return str(ctx["expected"]).replace("'", "")
    bounds = {
        "greater_than_equal": ("ge", "{} or more"),
        "less_than_equal": ("le", "{} or less"),
        "greater_than": ("gt", "more than {}"),
        "less_than": ("lt", "less than {}"),
    }
    if kind in bounds:
        limit, words = bounds[kind]
        return words.format(ctx[limit])
    if kind == "too_short":
        return f"{ctx['min_length']} item or more"
    if kind == "too_long":
        return f"{ctx['max_length']} items or fewer"
    return next((text for prefix, text in _TYPES.items() if kind.startswith(prefix)), str(item["msg"]))
