"""Functions of the program that the engine calls back: transforms and resource hooks."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from pulumi.runtime import _callbacks
from pulumi.runtime.proto import resource_pb2

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from pulumi.runtime.proto import callback_pb2


class CallbackLost(Exception):  # noqa: N818  its text is the whole error
    """What the program registered is not there any more."""


class Callbacks:
    """Calls what the program registered, on the loop that the program runs on."""

    def __init__(self) -> None:
        self.loop: asyncio.AbstractEventLoop | None = None

    def call(self, callback: callback_pb2.Callback, request: Any) -> bytes:
        """The serialized answer to a request.

        Raises:
            CallbackLost: the SDK no longer serves it.
        """
        function = next(
            (
                servicer._callbacks[callback.token]  # noqa: SLF001  the SDK serves them over gRPC only
                for servicer in _callbacks._CallbackServicer._servicers  # noqa: SLF001
                if callback.token in servicer._callbacks  # noqa: SLF001
            ),
            None,
        )
        if function is None or self.loop is None:
            raise CallbackLost("a function was registered that the SDK no longer serves")
        future = asyncio.run_coroutine_threadsafe(_awaited(function, request.SerializeToString()), self.loop)
        result: bytes = future.result().SerializeToString()
        return result


async def _awaited(function: Any, request: bytes) -> Any:
    return await function(request)


class Transforms:
    """What the program wants done to registrations and function calls before the engine looks at them."""

    def __init__(self, callbacks: Callbacks, parent_of: Callable[[str], str]) -> None:
        self._callbacks = callbacks
        self._parent_of = parent_of
        self.of_stack: list[callback_pb2.Callback] = []
        self.of_invokes: list[callback_pb2.Callback] = []
        self.of_resource: dict[str, list[callback_pb2.Callback]] = {}

    def apply(self, request: resource_pb2.RegisterResourceRequest, own: Sequence[callback_pb2.Callback]) -> None:
        """Run a resource's own transforms, then its parents', then the stack's."""
        for callback in (*own, *self._inherited(request.parent), *self.of_stack):
            transform = resource_pb2.TransformRequest(
                type=request.type,
                name=request.name,
                custom=request.custom,
                parent=request.parent,
                properties=request.object,
                options=_transform_options(request),
            )
            response = resource_pb2.TransformResponse.FromString(self._callbacks.call(callback, transform))
            request.object.CopyFrom(response.properties)
            if response.HasField("options"):
                _apply_options(request, response.options)

    def apply_to_invoke(self, request: resource_pb2.ResourceInvokeRequest) -> None:
        """Run the stack's transforms of function calls."""
        for callback in self.of_invokes:
            transform = resource_pb2.TransformInvokeRequest(
                token=request.tok,
                args=request.args,
                options=resource_pb2.TransformInvokeOptions(
                    provider=request.provider, version=request.version, plugin_download_url=request.pluginDownloadURL
                ),
            )
            response = resource_pb2.TransformInvokeResponse.FromString(self._callbacks.call(callback, transform))
            request.args.CopyFrom(response.args)
            if response.HasField("options"):
                request.provider = response.options.provider
                request.version = response.options.version

    def any(self) -> bool:
        """Whether a registration may have to be transformed."""
        return bool(self.of_resource or self.of_stack)

    def _inherited(self, parent: str) -> Iterator[callback_pb2.Callback]:
        while parent:
            yield from self.of_resource.get(parent, ())
            parent = self._parent_of(parent)


def _transform_options(request: resource_pb2.RegisterResourceRequest) -> resource_pb2.TransformResourceOptions:
    options = resource_pb2.TransformResourceOptions(
        depends_on=request.dependencies,
        protect=request.protect,
        ignore_changes=request.ignoreChanges,
        replace_on_changes=request.replaceOnChanges,
        version=request.version,
        aliases=request.aliases,
        provider=request.provider,
        plugin_download_url=request.pluginDownloadURL,
        retain_on_delete=request.retainOnDelete,
        deleted_with=request.deletedWith,
        additional_secret_outputs=request.additionalSecretOutputs,
        providers=dict(request.providers),
    )
    if request.HasField("customTimeouts"):
        options.custom_timeouts.CopyFrom(request.customTimeouts)
    if request.deleteBeforeReplaceDefined:
        options.delete_before_replace = request.deleteBeforeReplace
    setattr(options, "import", request.importId)
    return options


def _apply_options(
    request: resource_pb2.RegisterResourceRequest, options: resource_pb2.TransformResourceOptions
) -> None:
    request.protect = options.protect
    request.version = options.version
    request.provider = options.provider
    request.pluginDownloadURL = options.plugin_download_url
    request.retainOnDelete = options.retain_on_delete
    request.deletedWith = options.deleted_with
    request.deleteBeforeReplaceDefined = options.HasField("delete_before_replace")
    request.deleteBeforeReplace = options.delete_before_replace
    request.importId = getattr(options, "import")
    for ours, theirs in (
        (request.dependencies, options.depends_on),
        (request.ignoreChanges, options.ignore_changes),
        (request.replaceOnChanges, options.replace_on_changes),
        (request.additionalSecretOutputs, options.additional_secret_outputs),
    ):
        del ours[:]
        ours.extend(theirs)
    del request.aliases[:]
    request.aliases.extend(options.aliases)
    request.ClearField("providers")
    request.providers.update(options.providers)
    if options.HasField("custom_timeouts"):
        request.customTimeouts.CopyFrom(options.custom_timeouts)
