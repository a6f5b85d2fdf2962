"""A project and its stacks' configuration, read from disk as the Pulumi CLI reads them.

The rules are those of the CLI (`sdk/go/common/workspace`, `sdk/go/common/resource/config`): a key without a
namespace belongs to the project, a scalar in a stack file keeps the text it was written as, lists and objects
reach the program as JSON, a default of `Pulumi.yaml` fills what the stack leaves out, and a value must have the
type that `Pulumi.yaml` declares.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from .errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_STACK_FILE = re.compile(r"^Pulumi\.(?P<stack>.+)\.ya?ml$")
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _PlainText(str):
    """A scalar of a YAML file as it was written, with what it means when it is not taken as text."""

    __slots__ = ("meaning",)
    meaning: Any


@dataclass(frozen=True, kw_only=True)
class Project:
    """A `Pulumi.yaml` with a Python runtime.

    `program` is the directory that holds `__main__.py` and is the program's working directory; `stack_files`
    the one that holds the `Pulumi.<stack>.yaml` files. `declared` has the `config:` block's entries by full key.
    """

    name: str
    root: Path
    program: Path
    stack_files: Path
    declared: Mapping[str, Declaration]

    def stacks(self) -> list[str]:
        """The names of the stacks that have a file, sorted."""
        return sorted({m["stack"] for f in self.stack_files.iterdir() if (m := _STACK_FILE.match(f.name))})

    def stack_file(self, stack: str) -> Path:
        """Where a stack's configuration stands, or would stand."""
        short = stack.rsplit("/", 1)[-1]
        found = [
            path for ending in ("yaml", "yml") if (path := self.stack_files / f"Pulumi.{short}.{ending}").is_file()
        ]
        return found[0] if found else self.stack_files / f"Pulumi.{short}.yaml"


@dataclass(frozen=True, kw_only=True)
class Declaration:
    """One entry of `Pulumi.yaml`'s `config:` block; `default` is None where there is none."""

    key: str
    """As it stands in the file, for messages."""
    type: str | None = None
    items: Mapping[str, Any] | None = None
    default: Any = None
    secret: bool = False


@dataclass(frozen=True, kw_only=True)
class StackConfig:
    """What a program's configuration is for one stack: full keys, values as the text the engine would send."""

    values: Mapping[str, str] = field(default_factory=dict)
    secret_keys: frozenset[str] = frozenset()
    notes: tuple[str, ...] = ()
    """What a person should know of how it was read."""


def load_project(directory: Path) -> Project:
    """Read the `Pulumi.yaml` of a directory.

    Raises:
        UsageError: there is none, or it is not a Python project that the rehearsal can run.
    """
    root = directory.resolve()
    path = next((p for n in ("Pulumi.yaml", "Pulumi.yml") if (p := root / n).is_file()), None)
    if path is None:
        raise UsageError(f"{directory} has no Pulumi.yaml; give a Pulumi project's directory with --project")
    content = _plain(_compose(path))
    if not isinstance(content, dict):
        raise UsageError(f"{path.name} must be a map with name and runtime; found {_kind(content)}")
    name = content.get("name")
    if not isinstance(name, str) or not name:
        raise UsageError(f"{path.name}: name is missing; give the project's name")
    runtime = content.get("runtime")
    runtime_name = runtime.get("name") if isinstance(runtime, dict) else runtime
    if runtime_name != "python":
        raise UsageError(f"{path.name}: runtime is {runtime_name!r}; the rehearsal runs python projects only")
    stack_files = (root / str(content.get("stackConfigDir") or ".")).resolve()
    if not stack_files.is_dir():
        raise UsageError(f"{path.name}: stackConfigDir {content['stackConfigDir']!r} is not a directory")
    program = (root / str(content.get("main") or ".")).resolve()
    program = program.parent if program.is_file() and program.name == "__main__.py" else program
    if not (program / "__main__.py").is_file():
        raise UsageError(f"{program} has no __main__.py; a Python program for Pulumi begins there")
    declared = _declarations(content.get("config"), name, path.name)
    return Project(name=name, root=root, program=program, stack_files=stack_files, declared=declared)


def load_stack(
    project: Project,
    stack: str,
    *,
    overrides: Mapping[str, Any] | None = None,
    secrets: Mapping[str, str] | None = None,
    on_disk: bool = True,
    file: Path | None = None,
) -> StackConfig:
    """The configuration of one stack.

    `overrides` (values by key, with or without the project's prefix; None removes the key) stand over what the
    stack's file says. `secrets` gives, in plain, what stands encrypted in the file, by key or, inside an object,
    by path (`app:db.password`, `app:hosts[0].token`); it may also give secret keys that the file lacks.
    `file` is read in place of the stack's own; with `on_disk` False there need not be one.

    Raises:
        UsageError: the file is missing or malformed, a required key is missing, a value has the wrong type, or
            a secret is encrypted and was not given.
    """
    path = project.stack_file(stack) if file is None else file
    notes: list[str] = []
    values: dict[str, Any] = {}
    if path.is_file():
        values = _stack_values(project, path, notes)
    elif file is not None:
        raise UsageError(f"{file} is not a file; give a stack's configuration with --config-file")
    elif on_disk:
        known = ", ".join(project.stacks()) or "none"
        raise UsageError(f"stack {stack!r} has no {path.name} in {path.parent}; the stacks there are: {known}")
    for key, value in (overrides or {}).items():
        full = _full_key(key, project.name, "the overrides")
        if value is None:
            values.pop(full, None)
        else:
            values[full] = value
    given = {_full_key(k, project.name, "the given secrets"): v for k, v in (secrets or {}).items()}
    opened, secret_keys = _open_secrets(values, given, path.name)
    return StackConfig(
        values=_finished(project, stack, opened, secret_keys, path.name),
        secret_keys=frozenset(secret_keys),
        notes=tuple(notes),
    )


def _stack_values(project: Project, path: Path, notes: list[str]) -> dict[str, Any]:
    content = _compose(path)
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise UsageError(f"{path.name} must be a map with a config key; found {_kind(content)}")
    unknown = sorted(
        set(content).difference(
            ("config", "environment", "encryptionsalt", "encryptedkey", "secretsprovider", "import")
        )
    )
    if unknown:
        raise UsageError(
            f"{path.name}: {unknown[0]!r} is not a key of a stack file; put the program's values under config:"
        )
    if content.get("environment"):
        notes.append(
            f"{path.name} imports Pulumi ESC environments, which the rehearsal cannot open: "
            "give their values with --config"
        )
    config = content.get("config") or {}
    if not isinstance(config, dict):
        raise UsageError(f"{path.name}: config must be a map of keys; found {_kind(config)}")
    return {_full_key(str(key), project.name, path.name): value for key, value in config.items()}


def _full_key(key: str, project: str, where: str) -> str:
    parts = key.split(":")
    if len(parts) == 3 and parts[1] == "config":  # noqa: PLR2004  the old form, project:config:name
        parts = [parts[0], parts[2]]
    if len(parts) == 1:
        return f"{project}:{key}"
    if len(parts) != 2 or not all(parts):  # noqa: PLR2004  namespace and name
        raise UsageError(f"{where}: {key!r} is not a configuration key; write name or namespace:name")
    return ":".join(parts)


# -- secrets --------------------------------------------------------------------------------------------------


def _open_secrets(values: Mapping[str, Any], given: Mapping[str, str], file: str) -> tuple[dict[str, Any], set[str]]:
    closed: list[str] = []
    secret_keys: set[str] = set()
    used: set[str] = set()

    def opened(value: Any, path: str, key: str) -> Any:
        if isinstance(value, dict):
            if set(value) == {"secure"} and isinstance(value["secure"], str):
                secret_keys.add(key)
                if path in given:
                    used.add(path)
                    return given[path]
                closed.append(path)
                return ""
            return {k: opened(v, f"{path}.{k}", key) for k, v in value.items()}
        if isinstance(value, list):
            return [opened(v, f"{path}[{i}]", key) for i, v in enumerate(value)]
        return value

    result = {key: opened(value, key, key) for key, value in values.items()}
    if closed:
        raise UsageError(
            f"{file}: {', '.join(closed)} {'is' if len(closed) == 1 else 'are'} encrypted, and the rehearsal holds "
            f"no keys; give a stand-in with --secret {closed[0]}=VALUE or in a file with --secrets"
        )
    for key, value in given.items():
        if key not in used:
            if "." in key or "[" in key:
                raise UsageError(f"{file}: no encrypted value at {key}; see the secure: entries of the file")
            result[key] = value
            secret_keys.add(key)
    return result, secret_keys


# -- types, defaults, text ------------------------------------------------------------------------------------


def _finished(
    project: Project, stack: str, values: Mapping[str, Any], secret_keys: Iterable[str], file: str
) -> dict[str, str]:
    missing: list[str] = []
    merged: dict[str, Any] = dict(values)
    for full, declaration in sorted(project.declared.items()):
        if full in merged:
            continue
        if declaration.default is not None:
            merged[full] = declaration.default
        elif full.startswith(f"{project.name}:"):
            missing.append(declaration.key)
    if missing:
        keys = ", ".join(missing)
        raise UsageError(
            f"stack {stack!r} is missing the configuration {'value' if len(missing) == 1 else 'values'} {keys}, "
            f"which Pulumi.yaml declares without a default; set {'it' if len(missing) == 1 else 'them'} in {file}"
        )
    for full, declaration in sorted(project.declared.items()):
        if declaration.type is None or full not in merged:
            continue
        value = merged[full]
        if declaration.secret and full in values and full not in set(secret_keys):
            raise UsageError(
                f"{file}: {declaration.key} must be encrypted, for Pulumi.yaml says that it is a secret; "
                f"set it with `pulumi config set --secret {declaration.key}`"
            )
        if not _has_type(value, declaration.type, declaration.items):
            wanted = _type_name(declaration.type, declaration.items)
            raise UsageError(f"{file}: {declaration.key} must be of type {wanted}; found {_shown(value)}")
    return {key: _text(value) for key, value in merged.items()}


def _has_type(value: Any, wanted: str, items: Mapping[str, Any] | None) -> bool:
    if wanted == "string":
        return not isinstance(value, dict | list)
    if wanted == "integer":
        # A list's or an object's items have their YAML type; a scalar of the stack file is text.
        return not isinstance(value, bool) and re.fullmatch(r"[+-]?\d+", _text(value)) is not None
    if wanted == "boolean":
        return isinstance(value, bool) or _text(value) in ("true", "false")
    if wanted == "object":
        return isinstance(value, dict)
    if not isinstance(value, list) or items is None:
        return False
    return all(_has_type(item, str(items.get("type")), items.get("items")) for item in value)


def _type_name(name: str, items: Mapping[str, Any] | None) -> str:
    if name == "array" and items is not None:
        return f"array<{_type_name(str(items.get('type')), items.get('items'))}>"
    return name


def _text(value: Any) -> str:
    """The text by which the engine hands a value to the program."""
    if isinstance(value, str):
        return "" if isinstance(value, _PlainText) and value.meaning is None else str(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:
        return ""
    if isinstance(value, dict | list):
        return json.dumps(_plain(value), separators=(",", ":"), ensure_ascii=False)
    return str(value)


def _shown(value: Any) -> str:
    text = _text(value)
    return repr(text if len(text) <= 60 else f"{text[:57]}...")  # noqa: PLR2004  what fits a line


# -- Pulumi.yaml's config block -------------------------------------------------------------------------------

_TYPES = ("string", "integer", "boolean", "array", "object")
_DECLARATION_KEYS = {"type", "description", "items", "default", "value", "secret"}


def _declarations(config: Any, project: str, file: str) -> dict[str, Declaration]:
    if config is None or isinstance(config, str):  # a string is the old spelling of stackConfigDir
        return {}
    if not isinstance(config, dict):
        raise UsageError(f"{file}: config must be a map of keys; found {_kind(config)}")
    return {
        _full_key(str(key), project, file): _declaration(str(key), entry, project, file)
        for key, entry in config.items()
    }


def _declaration(key: str, entry: Any, project: str, file: str) -> Declaration:
    described = isinstance(entry, dict) and bool(entry) and set(entry) <= _DECLARATION_KEYS
    if not described:
        return Declaration(key=key, default=entry)
    own = _full_key(key, project, file).startswith(f"{project}:")
    kind = entry.get("type")
    if not own and (kind is not None or "default" in entry):
        raise UsageError(f"{file}: {key} belongs to another namespace and can only be given a value there")
    if kind is not None and kind not in _TYPES:
        raise UsageError(f"{file}: {key} has type {kind!r}; allowed are {', '.join(_TYPES)}")
    items = entry.get("items")
    if kind == "array" and not isinstance(items, dict):
        raise UsageError(f"{file}: {key} is an array and must say the type of its items under items:")
    default = entry.get("default", entry.get("value"))
    if kind is not None and default is not None and not _has_type(default, kind, items):
        raise UsageError(
            f"{file}: the default of {key} must be of type {_type_name(kind, items)}; found {_shown(default)}"
        )
    return Declaration(key=key, type=kind, items=items, default=default, secret=bool(entry.get("secret", False)))


# -- YAML -----------------------------------------------------------------------------------------------------

_TRUE = {"true", "True", "TRUE"}
_FALSE = {"false", "False", "FALSE"}
_NULL = {"", "~", "null", "Null", "NULL"}
_INTEGER = re.compile(r"[-+]?[0-9][0-9_]*$")
_PREFIXED = re.compile(r"[-+]?0[xob][0-9a-fA-F_]+$")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$")


def read_yaml(path: Path) -> Any:
    """A YAML or JSON file as plain values, with the meaning of scalars that the CLI gives them.

    Raises:
        UsageError: the file cannot be read or is not YAML.
    """
    return _plain(_compose(path))


def _compose(path: Path) -> Any:
    """A YAML file's content, with every scalar that is not quoted text as `_PlainText`."""
    try:
        with path.open(encoding="utf-8") as stream:
            node = yaml.compose(stream, Loader=_LOADER)
    except (OSError, UnicodeDecodeError) as problem:
        raise UsageError(f"{path} cannot be read: {problem}") from problem
    except yaml.YAMLError as problem:
        mark = getattr(problem, "problem_mark", None)
        where = f" at line {mark.line + 1}" if mark is not None else ""
        what = getattr(problem, "problem", None) or "it is malformed"
        raise UsageError(f"{path.name} is not YAML{where}: {what}") from problem
    return None if node is None else _constructed(node, path.name)


def _constructed(node: yaml.Node, file: str) -> Any:
    if isinstance(node, yaml.MappingNode):
        result: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = str(key_node.value)
            if key == "<<" and isinstance(value_node, yaml.MappingNode):
                result = {**_constructed(value_node, file), **result}
                continue
            if key in result and key_node.tag != "tag:yaml.org,2002:merge":
                line = key_node.start_mark.line + 1
                raise UsageError(f"{file}: {key!r} is a duplicate key, again at line {line}; keep one")
            result[key] = _constructed(value_node, file)
        return result
    if isinstance(node, yaml.SequenceNode):
        return [_constructed(item, file) for item in node.value]
    text = str(node.value)
    meaning = text if getattr(node, "style", None) else _meaning(text)
    if isinstance(meaning, str):
        return text
    plain = _PlainText(text)
    plain.meaning = meaning
    return plain


def _meaning(text: str) -> Any:
    """What an unquoted scalar means in the YAML that the CLI reads (its core schema, not YAML 1.1)."""
    if text in _NULL:
        return None
    if text in _TRUE or text in _FALSE:
        return text in _TRUE
    if _PREFIXED.match(text):
        return int(text.replace("_", ""), 0)
    if _INTEGER.match(text):
        digits = text.replace("_", "")
        unsigned = digits.lstrip("+-")
        if len(unsigned) > 1 and unsigned.startswith("0"):  # an octal number, where its digits allow
            return int(digits, 8) if re.fullmatch(r"[0-7]+", unsigned) else float(digits)
        return int(digits)
    return float(text) if _FLOAT.match(text) else text


def _plain(value: Any) -> Any:
    """Composed YAML with every scalar as what it means."""
    if isinstance(value, _PlainText):
        return value.meaning
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value


def _kind(value: Any) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, list):
        return "a list"
    return f"the text {str(value)!r}" if isinstance(value, str) else repr(value)
