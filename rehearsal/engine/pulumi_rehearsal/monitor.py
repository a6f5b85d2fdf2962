"""The resource monitor: what stands for the Pulumi engine while a program runs.

It serves the interface that the SDK's mock monitor serves (`pulumi.runtime.mocks.MockMonitor`), but does what
the engine does and that one does not: URNs qualified by all parents, duplicate URNs refused, default providers,
provider references, default tags, transforms in the engine's order, and each resource sent to the policy packs
before it counts as made.
"""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from google.protobuf import empty_pb2  # type: ignore[import-untyped]
from pulumi.runtime.proto import provider_pb2, resource_pb2

from . import aws_values, lookups, outputs, state, wire
from .callbacks import CallbackLost, Callbacks, Transforms
from .capabilities import Capabilities
from .errors import Refused
from .hooks import HookFailed, Hooks
from .model import unknown_paths, unwrapped
from .providers import Providers, unmade
from .registration import PROVIDER_PREFIX, STACK_TYPE, Registration, options_of, qualified_urn
from .run_status import RunStatus, Stopped
from .sources import Sources

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pulumi.runtime.proto import callback_pb2

    from .changes import Step
    from .model import Mode, Resource

STACK_REFERENCE_TYPE = "pulumi:pulumi:StackReference"


class Monitor(RunStatus, Capabilities):
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
        before: state.State | None = None,
        given_outputs: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> None:
        super().__init__(preview=mode == "preview")
        self._registered: list[Registration] = []
        self.complete = False
        """Whether everything was registered, so that the rest of the state goes; a run that failed leaves it."""
        self.callbacks = Callbacks()
        self._project = project
        self._stack = stack
        self._config = config
        self._judge = judge
        self._answers = answers
        self._stack_outputs = stack_outputs
        self._sources = Sources(program)
        self._by_urn: dict[str, Registration] = {}
        self._providers = Providers(config, preview=mode == "preview", answers=given_outputs)
        self._before = before
        self._steps: dict[str, Step] = {}
        self._transforms = Transforms(self.callbacks, self._parent_of)
        self._hooks = Hooks(self.callbacks, self.note)
        self._lock = threading.RLock()  # with transforms, the SDK calls from several threads

    def registrations(self) -> list[Registration]:
        """All resources, in the order in which the program made them."""
        return sorted(self._registered, key=lambda registration: registration.order)

    # -- resources

    def RegisterResource(  # noqa: N802
        self, request: resource_pb2.RegisterResourceRequest
    ) -> resource_pb2.RegisterResourceResponse:
        """Record a resource, have it judged, and answer with what is known of it now."""
        self.go_on()
        transforms = list(request.transforms)
        if request.type != STACK_TYPE and (transforms or self._transforms.any()):
            try:
                self._transforms.apply(request, transforms)
            except CallbackLost as problem:
                raise self.stop(str(problem)) from problem
        with self._lock:
            return self._register(request, transforms)

    def _register(
        self, request: resource_pb2.RegisterResourceRequest, transforms: list[callback_pb2.Callback]
    ) -> resource_pb2.RegisterResourceResponse:
        urn = self._new_urn(request.parent, request.type, request.name)
        if transforms:
            self._transforms.of_resource[urn] = transforms
        parent = self._by_urn.get(request.parent)
        try:
            options = options_of(request, urn, parent.options.aliases if parent is not None else ())
        except ValueError as problem:
            raise self.stop(f"{urn}: {problem}") from problem
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
            source=self._sources.lines(request.stackTrace),
            order=self._sources.order(request.stackTrace, len(self._registered)),
        )
        self._check_files(registration)
        if request.type.startswith(PROVIDER_PREFIX):
            # What the engine picks a plugin by stands among a provider's inputs (`providers.SetProviderVersion`).
            asked = {"version": request.version, "pluginDownloadURL": request.pluginDownloadURL}
            registration.inputs = {**registration.inputs, **{k: v for k, v in asked.items() if v}}
        if request.type != STACK_TYPE:
            self._give_provider(registration, request)
        given = registration.inputs
        return self._answer(request, registration, given, self._made(registration))

    def _made(self, registration: Registration) -> Step | None:
        """Take a resource through the engine's stages; gives what happens to it, where the run starts from a state."""
        old = self._before.old(registration) if self._before is not None else None
        given = registration.inputs
        if old is not None:
            registration.inputs = state.with_ignored(registration, old)
        if registration.type != STACK_TYPE:
            self._providers.check(registration)
        self._judged(registration)
        step = self._stepped(registration, old, given)
        self._record(registration)
        self._run_hooks("before", registration, step)
        self._providers.create(registration, step)
        if registration.custom:
            self._run_hooks("after", registration, step)
        return step

    def _answer(
        self,
        request: resource_pb2.RegisterResourceRequest,
        registration: Registration,
        given: dict[str, Any],
        step: Step | None,
    ) -> resource_pb2.RegisterResourceResponse:
        response = resource_pb2.RegisterResourceResponse(urn=registration.urn)
        if registration.id not in (None, wire.UNKNOWN_WIRE):
            response.id = registration.id
        if not self.preview or step is not None:
            response.object.CopyFrom(wire.struct_of(registration.outputs))
        elif not request.remote:
            # At preview, what is not said is not known: the SDK makes the missing outputs unknown.
            response.object.CopyFrom(request.object)
            now = registration.inputs
            response.object.update({key: now[key] for key in now if key not in given or given[key] is not now[key]})
            for key in given.keys() - now.keys():
                del response.object[key]
        return response

    def ReadResource(  # noqa: N802
        self, request: resource_pb2.ReadResourceRequest
    ) -> resource_pb2.ReadResourceResponse:
        """Make up what the provider would read; the engine reads at preview, too."""
        self.go_on()
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
            source=self._sources.lines(request.stackTrace),
            order=self._sources.order(request.stackTrace, len(self._registered)),
        )
        if request.type == STACK_REFERENCE_TYPE:
            registration.outputs = self._referenced_stack(request.id)
        else:
            self._give_provider(registration, request)
            if request.id == wire.UNKNOWN_WIRE:
                registration.outputs = self._providers.unknown_outputs(registration)
            else:
                _, found = outputs.filled(
                    registration.type,
                    registration.name,
                    urn,
                    unwrapped(wire.plain_of(inputs)),
                    self._providers.place(registration.provider),
                    looked_up=request.id,
                )
                given = {k: v for k, v in wire.wire_from_plain(found).items() if v != wire.UNKNOWN_WIRE}
                registration.outputs = {**given, **inputs, "id": request.id}
        self._record(registration)
        return resource_pb2.ReadResourceResponse(urn=urn, properties=wire.struct_of(registration.outputs))

    def RegisterResourceOutputs(  # noqa: N802
        self, request: resource_pb2.RegisterResourceOutputsRequest
    ) -> empty_pb2.Empty:
        """Record what a component, or the stack, says of itself."""
        self.go_on()
        registration = self._by_urn.get(request.urn)
        if registration is None:
            raise self.stop(f"outputs were registered for {request.urn}, which is not a resource of this run")
        registration.outputs = wire.wire_of(request.outputs)
        if registration.type != STACK_TYPE:
            self._run_hooks("after", registration, self._steps.get(registration.urn))
        return empty_pb2.Empty()

    # -- functions

    def Invoke(  # noqa: N802
        self, request: resource_pb2.ResourceInvokeRequest
    ) -> resource_pb2.ResourceInvokeResponse:
        """Answer a provider function."""
        self.go_on()
        if request.tok == "pulumi:pulumi:getResource":
            return self._get_resource(request)
        if self._transforms.of_invokes:
            self._transforms.apply_to_invoke(request)
        with self._lock:
            provider = self._provider_for(request.tok, request.provider, request.version)
        args = unwrapped(wire.plain_of(wire.wire_of(request.args)))
        if unknown_paths(args):
            self.note(
                "warning",
                f"{request.tok} is asked plainly with something that is not known yet: its answer is unknown here, and "
                "without it in the engine's preview; call its _output form",
            )
        try:
            result = lookups.answered(request.tok, args, self._providers.place(provider), self._answers)
        except Refused as refused:
            raise self.stop(str(refused)) from refused
        return resource_pb2.ResourceInvokeResponse(**{"return": wire.struct_of(wire.wire_from_plain(result))})

    def Call(self, request: resource_pb2.ResourceCallRequest) -> provider_pb2.CallResponse:  # noqa: N802
        """Answer a method of a resource, where the user gave an answer for it."""
        self.go_on()
        args = unwrapped(wire.plain_of(wire.wire_of(request.args)))
        if request.tok not in self._answers:
            raise self.stop(
                f"the program calls {request.tok}, which a rehearsal cannot do: give an answer for this token in a "
                "file with --answers"
            )
        result = lookups.answered(request.tok, args, aws_values.Place(), self._answers)
        return provider_pb2.CallResponse(**{"return": wire.struct_of(wire.wire_from_plain(result))})

    # -- the rest of the interface

    def RegisterStackTransform(self, request: callback_pb2.Callback) -> empty_pb2.Empty:  # noqa: N802
        """Keep a transform for every resource to come."""
        self._transforms.of_stack.append(request)
        return empty_pb2.Empty()

    def RegisterStackInvokeTransform(self, request: callback_pb2.Callback) -> empty_pb2.Empty:  # noqa: N802
        """Keep a transform for every function call to come."""
        self._transforms.of_invokes.append(request)
        return empty_pb2.Empty()

    def RegisterResourceHook(self, request: resource_pb2.RegisterResourceHookRequest) -> empty_pb2.Empty:  # noqa: N802
        """Keep a hook for the resources that are bound to it."""
        try:
            self._hooks.register(request)
        except HookFailed as problem:
            raise self.stop(str(problem)) from problem
        return empty_pb2.Empty()

    def ExistsResource(self, request: resource_pb2.ExistsResourceRequest) -> resource_pb2.ExistsResourceResponse:  # noqa: N802
        """Whether this run made or read it."""
        exists = any(r.id == request.id and r.type == request.type for r in self._registered)
        return resource_pb2.ExistsResourceResponse(exists=exists)

    # -- making a resource

    def _new_urn(self, parent: str, type_: str, name: str) -> str:
        urn = self._urn(parent, type_, name)
        if urn in self._by_urn:
            raise self.stop(f"Duplicate resource URN '{urn}'; try giving it a unique name")
        return urn

    def _urn(self, parent: str, type_: str, name: str) -> str:
        return qualified_urn(self._stack, self._project, parent, type_, name)

    def finish(self) -> None:
        """Take away what the program no longer makes, once it has ended well; say what could not be made up."""
        if not self.preview:
            for registration in self.registrations():
                for said in unmade(registration, self._by_urn):
                    self.note("warning", said, registration.urn)
        failed = any(d.severity == "error" and d not in self.refusals for d in self.diagnostics)
        if self._before is None or self.stopped is not None or failed:
            return
        self.complete = True
        for step in self._before.gone():
            old = step.old
            if old is None:
                continue
            try:
                self._run_hooks("before", None, step)
                if step.refused:
                    raise self.failed(step.refused, step.urn)
                self._run_hooks("after", None, step)
            except Stopped:
                return

    def _parent_of(self, urn: str) -> str:
        registration = self._by_urn.get(urn)
        return registration.parent if registration is not None else ""

    def _record(self, registration: Registration) -> None:
        self._registered.append(registration)
        self._by_urn[registration.urn] = registration

    def _judged(self, registration: Registration) -> None:
        if not self._judge(registration) and not self.preview:
            raise self.halt(registration.urn)

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
                raise self.stop(f"{token}: its provider {urn} is not a resource of this run")
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
        self._made(provider)
        return provider

    def _check_files(self, registration: Registration) -> None:
        """The engine reads every file it is handed; one that is missing ends the run."""
        for path in wire.file_paths(registration.inputs):
            if not Path(path).exists():
                raise self.stop(
                    f"{registration.urn}: the file {path} does not exist; paths are relative to the program's directory"
                )

    def _stepped(self, registration: Registration, old: Resource | None, given: dict[str, Any]) -> Step | None:
        """What happens to the resource, where the run starts from a state."""
        if self._before is None:
            return None
        step = self._steps[registration.urn] = self._before.step(registration, old)
        if step.op == "replace" and registration.inputs is not given and registration.options.ignore_changes:
            # What is made anew takes the program's own values: there is no old one left to leave alone.
            registration.inputs = given
            self._providers.check(registration)
        if step.refused:
            self.refuse(step)
        return step

    def _run_hooks(self, when: str, registration: Registration | None, step: Step | None) -> None:
        """Run the hooks of what happens; a failing one ends the run before the step, and spoils it after."""
        op = "create" if step is None else {"import": "create", "replace": "create"}.get(step.op, step.op)
        old = None if step is None or op == "create" else step.old
        options = registration.options if registration is not None else old.options if old is not None else None
        if options is None or not options.hooks or op not in ("create", "update", "delete"):
            return
        urn = registration.urn if registration is not None else old.urn if old is not None else ""
        before = (None, None) if old is None else (state.inputs_of(old), state.outputs_of(old))
        now: tuple[dict[str, Any] | None, dict[str, Any] | None] = (None, None)
        if registration is not None:
            now = (registration.inputs, registration.outputs if when == "after" else None)
        identifier = (registration.id if registration is not None else None) or ""
        if old is not None and not identifier and isinstance(old.id, str):
            identifier = old.id
        try:
            self._hooks.run(f"{when}_{op}", options.hooks, urn, identifier, now, before)
        except (HookFailed, CallbackLost) as problem:
            if when == "before":
                raise self.failed(str(problem), urn) from problem
            self.note("error", str(problem), urn)

    def _referenced_stack(self, name: str) -> dict[str, Any]:
        known = self._stack_outputs.get(name)
        if known is None:
            raise self.stop(
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
