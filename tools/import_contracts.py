"""Contract types for import-linter; `[tool.importlinter]` in pyproject.toml says which package may import what.

https://import-linter.readthedocs.io, "Custom contract types".
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, TypeGuard

from grimp import ImportGraph
from importlinter import Contract, ContractCheck, fields, output

_BUILTINS = {"__import__", "__loader__", "__spec__", "__builtins__", "compile"}


class _Findings(Contract):
    """A contract that is kept when it finds nothing, and prints a line for each finding."""

    def findings(self, graph: ImportGraph) -> Iterator[str]:
        """One line for each broken rule."""
        raise NotImplementedError

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:  # noqa: ARG002  import-linter's signature
        """Whether the contract is kept."""
        found = sorted(self.findings(graph))
        return ContractCheck(kept=not found, metadata={"found": found})

    def render_broken_contract(self, check: ContractCheck) -> None:
        """Print what was found."""
        for line in check.metadata["found"]:
            output.print_error(line, bold=False)
        output.new_line()


class AllowedImports(_Findings):
    """A package imports itself, the standard library and what its row lists, and nothing else.

    Rows say what is allowed, not what is forbidden: a new package or dependency is out of reach until a row lets it in.
    """

    type_name = "allowed_imports"
    rows: Any = fields.ListField(fields.StringField())

    def findings(self, graph: ImportGraph) -> Iterator[str]:
        """Imports of what no row lists, and modules without a row."""
        table = dict(row.split(":") for row in self.rows)
        for importer in graph.modules:
            package = next((p for p in table if _within(importer, p)), None)
            imports = sorted(graph.find_modules_directly_imported_by(importer))
            if package is None:
                yield from [f"{importer} has no row and imports {imports}"] if imports else []
                continue
            allowed = [package, *(a.strip() for a in table[package].split(",") if a.strip())]
            for imported in imports:
                if imported.partition(".")[0] in sys.stdlib_module_names or any(_within(imported, a) for a in allowed):
                    continue
                details = graph.get_import_details(importer=importer, imported=imported)
                lines = ", ".join(str(d["line_number"]) for d in details)
                listed = ", ".join(("the standard library", *allowed[1:]))
                yield f"{importer} imports {imported} (line {lines}); allowed in {package}: {listed}"


def _within(module: str, package: str) -> bool:
    return fnmatchcase(f"{module}.", f"{package}.*")


class NoHiddenImports(_Findings):
    """No import that neither a linter nor this graph can read: by a builtin, or through another name of `sys`.

    Ruff's banned-api has the modules that import by name; builtins and aliases escape it.
    """

    type_name = "no_hidden_imports"
    folders: Any = fields.ListField(fields.StringField())
    exceptions: Any = fields.ListField(fields.StringField())

    def findings(self, graph: ImportGraph) -> Iterator[str]:  # noqa: ARG002  reads the source instead
        """Uses of such names."""
        excepted = {Path(file) for file in self.exceptions}
        for folder in self.folders:
            for file in sorted(Path(folder).rglob("*.py")):
                if file not in excepted:
                    yield from _hidden(file)


def _other_sys(node: ast.AST) -> TypeGuard[ast.stmt | ast.expr]:
    """`import sys as s`, `from os import sys` and `inspect.sys`."""
    match node:
        case ast.Import(names=names):
            return any(name.name == "sys" and name.asname for name in names)
        case ast.ImportFrom(names=names):
            return any(name.name == "sys" for name in names)
        case ast.Attribute(attr="sys") | ast.Constant(value="__builtins__" | "__import__"):
            return True
    return False


def _hidden(file: Path) -> Iterator[str]:
    tree = ast.parse(file.read_bytes(), str(file))
    plain = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Attribute) and node.attr != "__dict__"}
    for node in ast.walk(tree):
        if _other_sys(node):
            yield f"{file}:{node.lineno}: sys under another name hides imports; write sys.NAME"
        if not isinstance(node, ast.Name):
            continue
        if node.id in _BUILTINS:
            yield f"{file}:{node.lineno}: {node.id} hides an import; contract/loading.py imports by name"
        elif node.id == "sys" and id(node) not in plain:
            yield f"{file}:{node.lineno}: sys under another name may hide an import; write sys.NAME"
