"""A refresh: the state as the engine reads it back from AWS, after an `up` and before the next run."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from .model import Archive, Asset, Secret

if TYPE_CHECKING:
    from .model import Rehearsal


def refreshed(run: Rehearsal) -> Rehearsal:
    """What an `up` left, after `pulumi refresh`.

    The engine asks providers to read without the contents of files (`ElideAssetContents` in
    `sdk/go/common/resource/plugin/provider_plugin.go`): what an output held of them is gone from the state.
    """
    resources = tuple(
        replace(r, outputs=_without_contents(r.outputs)) if r.custom and not r.read else r for r in run.resources
    )
    return replace(run, resources=resources)


def _without_contents(value: Any) -> Any:
    if isinstance(value, Asset):
        return Asset()
    if isinstance(value, Archive):
        return Archive(assets={})
    if isinstance(value, Secret):
        return Secret(_without_contents(value.value))
    if isinstance(value, dict):
        return {key: _without_contents(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_without_contents(item) for item in value]
    return value
