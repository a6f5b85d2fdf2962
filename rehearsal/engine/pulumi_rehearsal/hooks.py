"""Resource hooks: functions of the program that the engine runs before and after a resource's steps.

As `RunHooks` in `pkg/resource/deploy/deployment.go`. Only hooks that the program declared for previews
(`on_dry_run`) are run: any other may do anything, outside the rehearsal too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pulumi.runtime.proto import resource_pb2

from . import wire

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from .callbacks import Callbacks


class HookFailed(Exception):  # noqa: N818  its text is the whole error
    """A hook did not let its step happen, or complained after it."""


class Hooks:
    """The hooks that a program registered, by name."""

    def __init__(self, callbacks: Callbacks, note: Callable[[str, str, str], None]) -> None:
        self._callbacks = callbacks
        self._note = note
        self._hooks: dict[str, resource_pb2.RegisterResourceHookRequest] = {}

    def register(self, request: resource_pb2.RegisterResourceHookRequest) -> None:
        """Keep a hook.

        Raises:
            HookFailed: there is one of that name.
        """
        if request.name in self._hooks:
            raise HookFailed(f'resource hook already registered for name "{request.name}"')
        self._hooks[request.name] = request
        if not request.on_dry_run:
            self._note(
                "info",
                f"resource hook {request.name!r} is not run here: it is not declared for previews (on_dry_run)",
                "",
            )

    def run(  # noqa: PLR0917  the engine's own arguments
        self,
        kind: str,
        bound: Sequence[str],
        urn: str,
        identifier: str,
        new: tuple[Mapping[str, Any] | None, Mapping[str, Any] | None],
        old: tuple[Mapping[str, Any] | None, Mapping[str, Any] | None],
    ) -> None:
        """Run the hooks of a kind (`before_update`) that are bound to a resource.

        Args:
            kind: when.
            bound: `Options.hooks`, as `kind: name`.
            urn: the resource.
            identifier: its id, or nothing.
            new: its new inputs and outputs in wire form, None where there are none yet.
            old: its old inputs and outputs.

        Raises:
            HookFailed: one failed that the program does not ignore; the message is the engine's.
        """
        for name in [hook.split(": ", 1)[1] for hook in bound if hook.startswith(f"{kind}: ")]:
            hook = self._hooks.get(name)
            if hook is None:
                raise HookFailed(f'hook "{name}" was not registered')
            if not hook.on_dry_run:
                continue
            request = resource_pb2.ResourceHookRequest(
                urn=urn, id=identifier, name=urn.rsplit("::", 1)[-1], type=urn.split("::")[2].rsplit("$", 1)[-1]
            )
            for side, (inputs, outputs) in (("new", new), ("old", old)):
                if inputs is not None:
                    getattr(request, f"{side}_inputs").CopyFrom(wire.struct_of(inputs))
                if outputs is not None:
                    getattr(request, f"{side}_outputs").CopyFrom(wire.struct_of(outputs))
            answer = resource_pb2.ResourceHookResponse.FromString(self._callbacks.call(hook.callback, request))
            if not answer.error:
                continue
            if hook.ignore_errors:
                self._note("warning", f'{kind} hook "{name}" failed: {answer.error}', urn)
            else:
                raise HookFailed(f'{kind.split("_", 1)[0]} hook "{name}" failed: {answer.error}')
