"""The resource monitor: what stands for the Pulumi engine while a program runs.

It serves the interface that the SDK's mock monitor serves (`pulumi.runtime.mocks.MockMonitor`), but does what
the engine does and that one does not: URNs qualified by all parents, duplicate URNs refused, default providers,
provider references, default tags, transforms in the engine's order, and each resource sent to the policy packs
before it counts as made.
"""

from __future__ import annotations

import asyncio
import json
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlparse

from google.protobuf import empty_pb2  # type: ignore[import-untyped]
from pulumi.runtime import _callbacks
from pulumi.runtime.proto import engine_pb2, provider_pb2, resource_pb2

from . import lookups, outputs, wire
from .model import Diagnostic, SourceLine
from .registration import (
    PROVIDER_PREFIX,
    STACK_TYPE,
    Registration,
    options_of,
    qualified_urn,
)
from .source import is_own, is_programs
from .tuning import ORDER_URI

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from pulumi.runtime.proto import callback_pb2

    from .model import Mode

STACK_REFERENCE_TYPE = "pulumi:pulumi:StackReference"

_FEATURES = [
    resource_pb2.RESOURCE_MONITOR_FEATURE_SECRETS,
    resource_pb2.RESOURCE_MONITOR_FEATURE_RESOURCE_REFERENCES,
    resource_pb2.RESOURCE_MONITOR_FEATURE_OUTPUT_VALUES,
    resource_pb2.RESOURCE_MONITOR_FEATURE_ALIAS_SPECS,
    resource_pb2.RESOURCE_MONITOR_FEATURE_REPLACEMENT_TRIGGER,
    resource_pb2.RESOURCE_MONITOR_FEATURE_DELETED_WITH,
    resource_pb2.RESOURCE_MONITOR_FEATURE_REPLACE_WITH,
    resource_pb2.RESOURCE_MONITOR_FEATURE_TRANSFORMS,
    resource_pb2.RESOURCE_MONITOR_FEATURE_INVOKE_TRANSFORMS,
    resource_pb2.RESOURCE_MONITOR_FEATURE_PARAMETERIZATION,
    resource_pb2.RESOURCE_MONITOR_FEATURE_RESOURCE_HOOKS,
    resource_pb2.RESOURCE_MONITOR_FEATURE_ERROR_HOOKS,
]


class Stopped(Exception):  # noqa: N818  the engine ends the program; why stands in the message
    """The engine would not go on: the run ends here, and this is its error."""


class Monitor:
    """Serves one run of one program."""

    def __init__(
        self,
        *,
        project: str,
        stack: str,
        mode: Mode,
        config: Mapping[str, str],
        program: Path,
        judge: Callable[[Registration], bool],
        answers: Mapping[str, lookups.Answer],
        stack_outputs: Mapping[str, Mapping[str, Any]],
    ) -> None:
        self._registered: list[Registration] = []
        self.diagnostics: list[Diagnostic] = []
        self.stopped: Stopped | None = None
        self.loop: asyncio.AbstractEventLoop | None = None
        self._project = project
        self._stack = stack
        self._preview = mode == "preview"
        self._config = config
        self._judge = judge
        self._answers = answers
        self._stack_outputs = stack_outputs
        self._program = program
        self._by_urn: dict[str, Registration] = {}
        self._places: dict[str, outputs.Place] = {}
        self._default_tags: dict[str, Any] = {}
        self._files: dict[str, str] = {}
        self._stack_transforms: list[callback_pb2.Callback] = []
        self._invoke_transforms: list[callback_pb2.Callback] = []
        self._transforms: dict[str, list[callback_pb2.Callback]] = {}
        self._lock = threading.RLock()  # with transforms, the SDK calls from several threads
        self._packages: dict[str, resource_pb2.RegisterPackageRequest] = {}

    def registrations(self) -> list[Registration]:
        """All resources, in the order in which the program made them."""
        return sorted(self._registered, key=lambda registration: registration.order)

    # -- resources

    def RegisterResource(  # noqa: N802
        self, request: resource_pb2.RegisterResourceRequest
    ) -> resource_pb2.RegisterResourceResponse:
        """Record a resource, have it judged, and answer with what is known of it now."""
        self._go_on()
        transforms = list(request.transforms)
        if transforms or self._transforms or self._stack_transforms:
            self._transform(request, transforms)
        with self._lock:
            return self._register(request, transforms)

    def _register(
        self, request: resource_pb2.RegisterResourceRequest, transforms: list[callback_pb2.Callback]
    ) -> resource_pb2.RegisterResourceResponse:
        urn = self._new_urn(request.parent, request.type, request.name)
        if transforms:
            self._transforms[urn] = transforms
        parent = self._by_urn.get(request.parent)
        try:
            options = options_of(request, urn, parent.options.aliases if parent is not None else ())
        except ValueError as problem:
            raise self._stop(f"{urn}: {problem}") from problem
        registration = Registration(
            urn=urn,
            type=request.type,
            name=request.name,
            parent=request.parent,
            custom=request.custom,
            remote=request.remote,
            inputs=wire.wire_of(request.object),
            options=options,
            dependencies=tuple(sorted(request.dependencies)),
            property_dependencies={
                key: tuple(sorted(deps.urns)) for key, deps in sorted(request.propertyDependencies.items())
            },
            source=self._source(request.stackTrace),
            order=self._order(request.stackTrace),
        )
        self._check_files(registration)
        if request.type != STACK_TYPE:
            self._give_provider(registration, request)
            self._check(registration)
        checked = registration.inputs
        self._judged(registration)
        self._create(registration)
        self._record(registration)
        response = resource_pb2.RegisterResourceResponse(urn=urn)
        if registration.id not in (None, wire.UNKNOWN_WIRE):
            response.id = registration.id
        if not self._preview:
            response.object.CopyFrom(wire.struct_of(registration.outputs))
        elif not request.remote:
            # At preview, what is not said is not known: the SDK makes the missing outputs unknown.
            if registration.inputs is checked:
                response.object.CopyFrom(request.object)
                if "tagsAll" in checked:
                    response.object.update({"tagsAll": checked["tagsAll"]})
            else:
                response.object.CopyFrom(wire.struct_of(registration.inputs))
        return response

    def ReadResource(  # noqa: N802
        self, request: resource_pb2.ReadResourceRequest
    ) -> resource_pb2.ReadResourceResponse:
        """Make up what the provider would read; the engine reads at preview, too."""
        self._go_on()
        with self._lock:
            return self._read(request)

    def _read(self, request: resource_pb2.ReadResourceRequest) -> resource_pb2.ReadResourceResponse:
        urn = self._new_urn(request.parent, request.type, request.name)
        inputs = wire.wire_of(request.properties)
        registration = Registration(
            urn=urn,
            type=request.type,
            name=request.name,
            parent=request.parent,
            custom=True,
            read=True,
            id=request.id,
            inputs=inputs,
            dependencies=tuple(sorted(request.dependencies)),
            source=self._source(request.stackTrace),
            order=self._order(request.stackTrace),
        )
        if request.type == STACK_REFERENCE_TYPE:
            registration.outputs = self._referenced_stack(request.id)
        else:
            self._give_provider(registration, request)
            if request.id == wire.UNKNOWN_WIRE:
                registration.outputs = self._unknown_outputs(registration)
            else:
                _, found = outputs.filled(
                    registration.type,
                    registration.name,
                    urn,
                    wire.unwrapped(wire.plain_of(inputs)),
                    self._place(registration.provider),
                    looked_up=request.id,
                )
                registration.outputs = {**wire.wire_from_plain(found), **inputs, "id": request.id}
        self._record(registration)
        return resource_pb2.ReadResourceResponse(urn=urn, properties=wire.struct_of(registration.outputs))

    def RegisterResourceOutputs(  # noqa: N802
        self, request: resource_pb2.RegisterResourceOutputsRequest
    ) -> empty_pb2.Empty:
        """Record what a component, or the stack, says of itself."""
        self._go_on()
        registration = self._by_urn.get(request.urn)
        if registration is None:
            raise self._stop(f"outputs were registered for {request.urn}, which is not a resource of this run")
        registration.outputs = wire.wire_of(request.outputs)
        return empty_pb2.Empty()

    # -- functions

    def Invoke(  # noqa: N802
        self, request: resource_pb2.ResourceInvokeRequest
    ) -> resource_pb2.ResourceInvokeResponse:
        """Answer a provider function."""
        self._go_on()
        if request.tok == "pulumi:pulumi:getResource":
            return self._get_resource(request)
        for callback in self._invoke_transforms:
            self._transform_invoke(request, callback)
        with self._lock:
            provider = self._provider_for(request.tok, request.provider, request.version)
        args = wire.unwrapped(wire.plain_of(wire.wire_of(request.args)))
        try:
            result = lookups.answered(request.tok, args, self._place(provider), self._answers)
        except lookups.Refused as refused:
            raise self._stop(str(refused)) from refused
        return resource_pb2.ResourceInvokeResponse(**{"return": wire.struct_of(wire.wire_from_plain(result))})

    def Call(self, request: resource_pb2.ResourceCallRequest) -> provider_pb2.CallResponse:  # noqa: N802
        """Answer a method of a resource, where the user gave an answer for it."""
        self._go_on()
        args = wire.unwrapped(wire.plain_of(wire.wire_of(request.args)))
        if request.tok not in self._answers:
            raise self._stop(
                f"the program calls {request.tok}, which a rehearsal cannot do: give an answer for this token in a "
                "file with --answers"
            )
        result = lookups.answered(request.tok, args, outputs.Place(), self._answers)
        return provider_pb2.CallResponse(**{"return": wire.struct_of(wire.wire_from_plain(result))})

    # -- the rest of the interface

    def RegisterStackTransform(self, request: callback_pb2.Callback) -> empty_pb2.Empty:  # noqa: N802
        """Keep a transform for every resource to come."""
        self._stack_transforms.append(request)
        return empty_pb2.Empty()

    def RegisterStackInvokeTransform(self, request: callback_pb2.Callback) -> empty_pb2.Empty:  # noqa: N802
        """Keep a transform for every function call to come."""
        self._invoke_transforms.append(request)
        return empty_pb2.Empty()

    def RegisterResourceHook(self, request: resource_pb2.RegisterResourceHookRequest) -> empty_pb2.Empty:  # noqa: N802
        """Say that a hook will not be run: it may do anything, outside the rehearsal too."""
        self.note("info", f"resource hook {request.name!r} is registered; a rehearsal does not run hooks")
        return empty_pb2.Empty()

    def RegisterErrorHook(self, _: resource_pb2.RegisterErrorHookRequest) -> empty_pb2.Empty:  # noqa: N802
        """Nothing fails in a provider here."""
        return empty_pb2.Empty()

    def RegisterPackage(  # noqa: N802
        self, request: resource_pb2.RegisterPackageRequest
    ) -> resource_pb2.RegisterPackageResponse:
        """Keep a parameterized package."""
        ref = f"package-{len(self._packages)}"
        self._packages[ref] = request
        return resource_pb2.RegisterPackageResponse(ref=ref)

    def ExistsResource(self, request: resource_pb2.ExistsResourceRequest) -> resource_pb2.ExistsResourceResponse:  # noqa: N802
        """Whether this run made or read it."""
        exists = any(r.id == request.id and r.type == request.type for r in self._registered)
        return resource_pb2.ExistsResourceResponse(exists=exists)

    def SupportsFeature(  # noqa: N802
        self, request: resource_pb2.SupportsFeatureRequest
    ) -> resource_pb2.SupportsFeatureResponse:
        """The old way to ask for features; the SDK in use asks for GetDeploymentInfo."""
        return resource_pb2.SupportsFeatureResponse(hasSupport=request.id != "stateMigrations")

    def GetDeploymentInfo(self, _: empty_pb2.Empty) -> resource_pb2.DeploymentInfo:  # noqa: N802
        """What this engine can do."""
        return resource_pb2.DeploymentInfo(supportedFeatures=_FEATURES)

    def SignalAndWaitForShutdown(self, _: empty_pb2.Empty) -> empty_pb2.Empty:  # noqa: N802
        """There is nothing to wait for."""
        return empty_pb2.Empty()

    def note(self, severity: Any, message: str, urn: str = "") -> None:
        """Add a diagnostic."""
        self.diagnostics.append(Diagnostic(severity=severity, message=message, urn=urn))

    # -- making a resource

    def _new_urn(self, parent: str, type_: str, name: str) -> str:
        urn = self._urn(parent, type_, name)
        if urn in self._by_urn:
            raise self._stop(f"Duplicate resource URN '{urn}'; try giving it a unique name")
        return urn

    def _urn(self, parent: str, type_: str, name: str) -> str:
        return qualified_urn(self._stack, self._project, parent, type_, name)

    def _go_on(self) -> None:
        if self.stopped is not None:
            raise self.stopped

    def _stop(self, message: str) -> Stopped:
        self.stopped = Stopped(message)
        self.note("error", message)
        return self.stopped

    def _record(self, registration: Registration) -> None:
        self._registered.append(registration)
        self._by_urn[registration.urn] = registration

    def _judged(self, registration: Registration) -> None:
        if not self._judge(registration) and not self._preview:
            raise self._halt(registration.urn)

    def _halt(self, urn: str) -> Stopped:
        # The violation itself is the error; it is reported as such.
        self.stopped = Stopped(f"{urn} is not created: a mandatory policy forbids it")
        self.note("info", f"the update stops here, before {urn} is created: a mandatory policy forbids it", urn)
        return self.stopped

    def _give_provider(
        self,
        registration: Registration,
        request: resource_pb2.RegisterResourceRequest | resource_pb2.ReadResourceRequest,
    ) -> None:
        if isinstance(request, resource_pb2.RegisterResourceRequest):
            registration.providers = {
                package: reference.rsplit("::", 1)[0] for package, reference in request.providers.items()
            }
            if request.type.startswith(PROVIDER_PREFIX) or not (request.custom or request.remote):
                return
        registration.provider = self._provider_for(
            request.type, request.provider, request.version, registration.order[0]
        )

    def _provider_for(self, token: str, reference: str, version: str, order: int = 0) -> Registration | None:
        """The provider that a reference names, or the default one of a token's package.

        A default provider that has to be made stands right before what is the first to use it.
        """
        if reference:
            urn = reference.rsplit("::", 1)[0]
            found = self._by_urn.get(urn)
            if found is None:
                raise self._stop(f"{token}: its provider {urn} is not a resource of this run")
            return found
        package = token.split(":", 1)[0]
        if package == "pulumi":
            return None
        name = f"default_{version.replace('.', '_')}" if version else "default"
        urn = self._urn("", f"{PROVIDER_PREFIX}{package}", name)
        if urn in self._by_urn:
            return self._by_urn[urn]
        inputs: dict[str, Any] = {
            key.split(":", 1)[1]: value for key, value in self._config.items() if key.startswith(f"{package}:")
        }
        if version:
            inputs["version"] = version
        provider = Registration(
            urn=urn,
            type=f"{PROVIDER_PREFIX}{package}",
            name=name,
            parent="",
            custom=True,
            inputs=inputs,
            order=(order, -1),
        )
        self._judged(provider)
        self._create(provider)
        self._record(provider)
        return provider

    def _check(self, registration: Registration) -> None:
        """What a provider's Check adds to the inputs: of pulumi-aws, `tagsAll` from the default tags."""
        provider = registration.provider
        if (
            provider is None
            or provider.type != f"{PROVIDER_PREFIX}aws"
            or not registration.custom
            or "tagsAll" not in outputs.computed(registration.type)
        ):
            return
        if provider.urn not in self._default_tags:
            self._default_tags[provider.urn] = _default_tags(provider.inputs)
        defaults = self._default_tags[provider.urn]
        own = registration.inputs.get("tags") or {}
        if defaults == wire.UNKNOWN_WIRE or wire.contains_unknown(own):
            tags: Any = wire.UNKNOWN_WIRE
        else:
            tags = {**defaults, **wire.opened(own)}
        registration.inputs = {**registration.inputs, "tagsAll": tags}

    def _check_files(self, registration: Registration) -> None:
        """The engine reads every file it is handed; one that is missing ends the run."""
        for path in wire.file_paths(registration.inputs):
            if not Path(path).exists():
                raise self._stop(
                    f"{registration.urn}: the file {path} does not exist; paths are relative to the program's directory"
                )

    def _create(self, registration: Registration) -> None:
        """Set id and outputs as the provider, or at preview the engine, would give them."""
        if registration.remote:
            if not self._preview:
                made = outputs.remote_outputs(
                    registration.type,
                    registration.name,
                    registration.urn,
                    wire.unwrapped(wire.plain_of(registration.inputs)),
                    self._place(registration.provider),
                )
                registration.outputs = wire.wire_from_plain(made)
            else:
                registration.outputs = dict.fromkeys(outputs.all_outputs(registration.type), wire.UNKNOWN_WIRE)
            return
        if not registration.custom:
            return
        if self._preview:
            registration.id = wire.UNKNOWN_WIRE
            registration.outputs = self._unknown_outputs(registration)
            return
        identifier, made = outputs.filled(
            registration.type,
            registration.name,
            registration.urn,
            wire.unwrapped(wire.plain_of(registration.inputs)),
            self._place(registration.provider),
            looked_up=registration.options.import_id,
        )
        registration.id = identifier
        result = {**wire.wire_from_plain(made), **registration.inputs}
        if not registration.type.startswith(PROVIDER_PREFIX):
            result["id"] = identifier
        for key in registration.options.additional_secret_outputs:
            if key in result and not wire.is_secret(result[key]):
                result[key] = {wire.SIGNATURE: wire.SECRET, "value": result[key]}
        registration.outputs = result

    def _unknown_outputs(self, registration: Registration) -> dict[str, Any]:
        if registration.type.startswith(PROVIDER_PREFIX):
            return registration.inputs
        unknown = dict.fromkeys(outputs.computed(registration.type), wire.UNKNOWN_WIRE)
        return {**unknown, **registration.inputs, "id": wire.UNKNOWN_WIRE}

    def _place(self, provider: Registration | None) -> outputs.Place:
        if provider is None:
            return outputs.place_of({}, self._config)
        found = self._places.get(provider.urn)
        if found is None:
            inputs = {k: v for k, v in wire.opened(provider.inputs).items() if v != wire.UNKNOWN_WIRE}
            found = self._places[provider.urn] = outputs.place_of(inputs, self._config)
        return found

    def _referenced_stack(self, name: str) -> dict[str, Any]:
        known = self._stack_outputs.get(name)
        if known is None:
            raise self._stop(
                f"the program reads the outputs of stack {name}, which a rehearsal cannot see: give them under "
                "stacks: in a file with --answers"
            )
        return {"name": name, "outputs": wire.wire_from_plain(dict(known)), "secretOutputNames": []}

    def _get_resource(self, request: resource_pb2.ResourceInvokeRequest) -> resource_pb2.ResourceInvokeResponse:
        urn = str(wire.wire_of(request.args).get("urn"))
        found = self._by_urn.get(urn)
        if found is None:
            failure = provider_pb2.CheckFailure(property="urn", reason=f"unknown resource {urn}")
            return resource_pb2.ResourceInvokeResponse(failures=[failure])
        state = {"urn": urn, "id": found.id or "", "state": found.outputs}
        return resource_pb2.ResourceInvokeResponse(**{"return": wire.struct_of(state)})

    # -- where in the program

    def _order(self, trace: Any) -> tuple[int, int]:
        if trace.frames and trace.frames[-1].pc.uri == ORDER_URI:
            return trace.frames[-1].pc.line, 0
        return len(self._registered), 0

    def _source(self, trace: Any) -> tuple[SourceLine, ...]:
        lines = []
        for frame in trace.frames:
            file = self._file(frame.pc.uri)
            if is_own(file):  # what called the rehearsal is no part of the program
                break
            if is_programs(file, self._program):
                lines.append(SourceLine(file, frame.pc.line))
        return tuple(lines)

    def _file(self, uri: str) -> str:
        found = self._files.get(uri)
        if found is None:
            found = self._files[uri] = unquote(urlparse(uri).path)
        return found

    # -- transforms: called as the engine calls them, on the loop that the program runs on

    def _callback(self, callback: callback_pb2.Callback, request: Any) -> bytes:
        function = next(
            (
                servicer._callbacks[callback.token]  # noqa: SLF001  the SDK serves them over gRPC only
                for servicer in _callbacks._CallbackServicer._servicers  # noqa: SLF001
                if callback.token in servicer._callbacks  # noqa: SLF001
            ),
            None,
        )
        if function is None or self.loop is None:
            raise self._stop("a transform was registered that the SDK no longer serves")
        future = asyncio.run_coroutine_threadsafe(_awaited(function, request.SerializeToString()), self.loop)
        result: bytes = future.result().SerializeToString()
        return result

    def _transform(self, request: resource_pb2.RegisterResourceRequest, own: Sequence[callback_pb2.Callback]) -> None:
        """Run a resource's own transforms, then its parents', then the stack's."""
        if request.type == STACK_TYPE:
            return
        for callback in (*own, *self._inherited_transforms(request.parent), *self._stack_transforms):
            transform = resource_pb2.TransformRequest(
                type=request.type,
                name=request.name,
                custom=request.custom,
                parent=request.parent,
                properties=request.object,
                options=_transform_options(request),
            )
            response = resource_pb2.TransformResponse.FromString(self._callback(callback, transform))
            request.object.CopyFrom(response.properties)
            if response.HasField("options"):
                _apply_options(request, response.options)

    def _inherited_transforms(self, parent: str) -> Iterable[callback_pb2.Callback]:
        while parent:
            yield from self._transforms.get(parent, ())
            registration = self._by_urn.get(parent)
            parent = registration.parent if registration is not None else ""

    def _transform_invoke(self, request: resource_pb2.ResourceInvokeRequest, callback: callback_pb2.Callback) -> None:
        transform = resource_pb2.TransformInvokeRequest(
            token=request.tok,
            args=request.args,
            options=resource_pb2.TransformInvokeOptions(
                provider=request.provider, version=request.version, plugin_download_url=request.pluginDownloadURL
            ),
        )
        response = resource_pb2.TransformInvokeResponse.FromString(self._callback(callback, transform))
        request.args.CopyFrom(response.args)
        if response.HasField("options"):
            request.provider = response.options.provider
            request.version = response.options.version


async def _awaited(function: Any, request: bytes) -> Any:
    return await function(request)


def _default_tags(provider_inputs: Mapping[str, Any]) -> Any:
    """The provider's default tags, or the unknown sentinel; a provider carries them as JSON."""
    given = wire.opened(provider_inputs.get("defaultTags") or {})
    if isinstance(given, str):
        if given == wire.UNKNOWN_WIRE:
            return given
        try:
            given = json.loads(given)
        except ValueError:
            return {}
    tags = given.get("tags") if isinstance(given, dict) else None
    if wire.contains_unknown(tags):
        return wire.UNKNOWN_WIRE
    return dict(tags or {})


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


class EngineLog:
    """The engine's own service as the program sees it: a place to log to."""

    _SEVERITIES = {engine_pb2.INFO: "info", engine_pb2.WARNING: "warning", engine_pb2.ERROR: "error"}  # noqa: RUF012

    def __init__(self, monitor: Monitor) -> None:
        self._monitor = monitor

    def Log(self, request: engine_pb2.LogRequest) -> empty_pb2.Empty:  # noqa: N802
        """Keep a message; debugging is not shown by the engine either."""
        severity = self._SEVERITIES.get(request.severity)
        if severity is not None:
            self._monitor.note(severity, request.message, request.urn)
        return empty_pb2.Empty()

    def RequirePulumiVersion(  # noqa: N802
        self, _: engine_pb2.RequirePulumiVersionRequest
    ) -> engine_pb2.RequirePulumiVersionResponse:
        """There is no CLI whose version could be too old."""
        return engine_pb2.RequirePulumiVersionResponse()
