"""Policy packs evaluated inside the rehearsal's own process, with the SDK's own servicer and proxies.

`InProcessAnalyzer` answers exactly as the pack's real analyzer process would (`process.ProcessAnalyzer`; the
tests hold the two against each other), but converts a resource's properties once for all policies instead of
once for each, and all resources once for all stack policies.
"""

from __future__ import annotations

import asyncio
import contextvars
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from inspect import isawaitable
from typing import TYPE_CHECKING, Any, TypeVar

import pulumi.runtime
from pulumi.runtime.proto import analyzer_pb2

from pulumi_rehearsal import wire
from pulumi_rehearsal.bytecode import never_stale
from pulumi_rehearsal.errors import PolicyPackError
from pulumi_rehearsal.loading import pack_modules, run_main

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pulumi_rehearsal.registration import Registration

    from .analyzer import RunSettings
    from .folder import PackFolder

T = TypeVar("T")


class _Captured(BaseException):
    def __init__(self, servicer: Any) -> None:
        super().__init__()
        self.servicer = servicer


class _NoServer:
    """Stands for grpc and its generated module while `PolicyPack(...)` is constructed."""

    @staticmethod
    def server(*_: Any, **__: Any) -> None:
        return None

    @staticmethod
    def add_AnalyzerServicer_to_server(servicer: Any, _: Any) -> None:  # noqa: N802  the generated name
        raise _Captured(servicer)


class InProcessAnalyzer:
    """A pack in the rehearsal's own process: its modules apart from the program's and other packs'."""

    def __init__(self, folder: PackFolder) -> None:
        self.folder = folder
        self._modules: dict[str, Any] = {}
        self._servicer: Any = None
        self._context = contextvars.copy_context()
        self._resource_policies: list[Any] = []
        self._stack_policies: list[Any] = []
        self._remediates = False
        self._providers: dict[str, Any] = {}
        self._opts: dict[str, Any] = {}
        self._thread: ThreadPoolExecutor | None = None

    # -- the protocol's calls

    def start(self, settings: RunSettings) -> analyzer_pb2.AnalyzerInfo:
        """Bring the pack up, tell it of the stack, and ask what policies it has."""
        self._context.run(_set_runtime, settings)
        self._servicer = self._call(self._load)
        self._call(lambda: self._servicer.ConfigureStack(settings.configure_request(), None))
        info: analyzer_pb2.AnalyzerInfo = self._call(lambda: self._servicer.GetAnalyzerInfo(None, None))
        self._sort_policies()
        return info

    def configure(self, request: analyzer_pb2.ConfigureAnalyzerRequest) -> None:
        """Give it its configuration."""
        self._call(lambda: self._servicer.Configure(request, None))
        self._sort_policies()

    def remediate(self, registration: Registration) -> analyzer_pb2.RemediateResponse:
        """Let it change a resource's inputs."""
        if not self._remediates:
            return analyzer_pb2.RemediateResponse()
        request = registration.request(internal=True)
        # The servicer's own handler: it may start an event loop, which this thread has running already.
        response: analyzer_pb2.RemediateResponse = self._call(
            lambda: self._in_thread(lambda: self._servicer.Remediate(request, None))
        )
        return response

    def analyze(self, registration: Registration) -> analyzer_pb2.AnalyzeResponse:
        """Let it look at a resource's inputs."""
        response = analyzer_pb2.AnalyzeResponse()
        if self._resource_policies:
            self._call(lambda: self._analyze(registration, response))
        return response

    def analyze_stack(self, registrations: Sequence[Registration]) -> analyzer_pb2.AnalyzeResponse:
        """Let it look at all resources' outputs."""
        response = analyzer_pb2.AnalyzeResponse()
        if self._stack_policies:
            self._call(lambda: self._analyze_stack(registrations, response))
        return response

    def close(self) -> None:
        """End it."""
        if self._thread is not None:
            self._thread.shutdown(wait=True)
            self._thread = None

    # -- loading

    def _load(self) -> Any:
        import pulumi_policy.policy  # noqa: PLC0415  costs time that a run without packs need not spend

        policy: Any = pulumi_policy.policy
        real = policy.grpc, policy.analyzer_pb2_grpc
        policy.grpc = policy.analyzer_pb2_grpc = _NoServer
        try:
            with never_stale(self.folder.program):
                run_main(self.folder.program)
        except _Captured as captured:
            return captured.servicer
        except Exception as problem:
            raise PolicyPackError(
                f"policy pack {self.folder.path.name} failed to start: {type(problem).__name__}: {problem}\n"
                + traceback.format_exc()
            ) from problem
        finally:
            policy.grpc, policy.analyzer_pb2_grpc = real
        raise PolicyPackError(f"policy pack {self.folder.path.name} made no PolicyPack(...) in its __main__.py")

    def _sort_policies(self) -> None:
        """Which policies there is work for, at the levels that now hold."""
        from pulumi_policy import EnforcementLevel, ResourceValidationPolicy, StackValidationPolicy  # noqa: PLC0415

        self._resource_policies, self._stack_policies, self._remediates = [], [], False
        for policy in self._servicer._PolicyAnalyzerServicer__policies:  # noqa: SLF001  it offers no other way
            level = self._servicer._get_enforcement_level(policy)  # noqa: SLF001
            if level == EnforcementLevel.DISABLED:
                continue
            reported = EnforcementLevel.MANDATORY if level == EnforcementLevel.REMEDIATE else level
            if isinstance(policy, ResourceValidationPolicy):
                self._resource_policies.append((policy, reported, policy.has_validation()))
                self._remediates = self._remediates or level == EnforcementLevel.REMEDIATE
            elif isinstance(policy, StackValidationPolicy):
                self._stack_policies.append((policy, reported))

    # -- evaluating

    def _analyze(self, registration: Registration, response: analyzer_pb2.AnalyzeResponse) -> None:
        from pulumi_policy import ResourceValidationArgs  # noqa: PLC0415

        servicer = self._servicer
        tags = servicer._PolicyAnalyzerServicer__stack_tags  # noqa: SLF001
        inputs = wire.without_internal(registration.inputs)
        props = _Shared(inputs)
        for policy, level, validates in self._resource_policies:
            if not validates:
                response.not_applicable.append(
                    analyzer_pb2.PolicyNotApplicable(
                        policy_name=policy.name, reason="Policy does not implement validate"
                    )
                )
                continue
            report = servicer._create_report_violation(  # noqa: SLF001
                response, policy.name, policy.description, level, policy.severity
            )
            args = ResourceValidationArgs(
                registration.type,
                props.fresh(),
                registration.urn,
                registration.name,
                self._options(registration),
                self._provider(registration),
                servicer._get_policy_config(policy.name),  # noqa: SLF001
                tags,
            )
            self._judge(policy, args, report, response)

    def _analyze_stack(self, registrations: Sequence[Registration], response: analyzer_pb2.AnalyzeResponse) -> None:
        from pulumi_policy import StackValidationArgs  # noqa: PLC0415

        servicer = self._servicer
        tags = servicer._PolicyAnalyzerServicer__stack_tags  # noqa: SLF001
        resources: list[Any] = []
        shared: list[_Shared] = []
        for policy, level in self._stack_policies:
            if not resources or any(props.changed for props in shared):
                resources, shared = self._stack_resources(registrations)
            report = servicer._create_report_violation(  # noqa: SLF001
                response, policy.name, policy.description, level, policy.severity
            )
            config = servicer._get_policy_config(policy.name)  # noqa: SLF001
            self._judge(policy, StackValidationArgs(list(resources), config, tags), report, response)

    def _stack_resources(self, registrations: Sequence[Registration]) -> tuple[list[Any], list[_Shared]]:
        from pulumi_policy import PolicyResource  # noqa: PLC0415

        shared = [_Shared(wire.without_internal(r.outputs)) for r in registrations]
        resources = [
            PolicyResource(r.type, props.fresh(), r.urn, r.name, self._options(r), self._provider(r), None, [], {})
            for r, props in zip(registrations, shared, strict=True)
        ]
        by_urn = {resource.urn: resource for resource in resources}
        for registration, resource in zip(registrations, resources, strict=True):
            if registration.parent in by_urn:
                resource.parent = by_urn[registration.parent]
            resource.dependencies.extend(by_urn[u] for u in registration.dependencies if u in by_urn)
            for key, urns in registration.property_dependencies.items():
                if urns:
                    resource.property_dependencies[key] = [by_urn[u] for u in urns if u in by_urn]
        return resources, shared

    def _judge(self, policy: Any, args: Any, report: Any, response: analyzer_pb2.AnalyzeResponse) -> None:
        """Run one policy; what its unknowns and `not_applicable` become is what the SDK's handlers make of them."""
        from pulumi_policy.policy import _NotApplicableError  # noqa: PLC0415
        from pulumi_policy.proxy import UnknownValueError  # noqa: PLC0415

        try:
            result = policy.validate(args, report)
            if isawaitable(result):
                self._in_thread(lambda: _run_to_the_end(result))
        except UnknownValueError as unknown:
            name = self._servicer._PolicyAnalyzerServicer__policy_pack_name  # noqa: SLF001
            version = self._servicer._PolicyAnalyzerServicer__policy_pack_version  # noqa: SLF001
            response.diagnostics.append(
                analyzer_pb2.AnalyzeDiagnostic(
                    policyName=policy.name,
                    policyPackName=name,
                    policyPackVersion=version,
                    message=f"can't run policy '{policy.name}' from policy pack '{name}@v{version}' "
                    f"during preview: {unknown.message}",
                    description=policy.description,
                    enforcementLevel=analyzer_pb2.ADVISORY,
                )
            )
        except _NotApplicableError as not_applicable:
            response.not_applicable.append(
                analyzer_pb2.PolicyNotApplicable(policy_name=policy.name, reason=not_applicable.reason or "")
            )

    def _options(self, registration: Registration) -> Any:
        found = self._opts.get(registration.urn)
        if found is None:
            found = self._servicer._get_resource_options(_HasOptions(registration.options_proto))  # noqa: SLF001
            self._opts[registration.urn] = found
        return found

    def _provider(self, registration: Registration) -> Any:
        from pulumi_policy import PolicyProviderResource  # noqa: PLC0415

        provider = registration.provider
        if provider is None:
            return None
        found = self._providers.get(provider.urn)
        if found is None:
            props = _Shared(wire.without_internal(provider.inputs)).fresh()
            found = PolicyProviderResource(provider.type, props, provider.urn, provider.name)
            self._providers[provider.urn] = found
        return found

    # -- apart from the program and from other packs

    def _call(self, function: Callable[[], T]) -> T:
        with pack_modules(self.folder.program, self._modules):
            try:
                return self._context.run(function)
            except PolicyPackError:
                raise
            except Exception as problem:
                # As gRPC words what its handler let through, and the engine reports.
                raise PolicyPackError(f"Exception calling application: {problem}") from problem

    def _in_thread(self, function: Callable[[], T]) -> T:
        if self._thread is None:
            self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="policy")
        return self._thread.submit(contextvars.copy_context().run, function).result()


class _HasOptions:
    """All that the SDK reads of a request when it makes a policy's view of the options."""

    def __init__(self, options: analyzer_pb2.AnalyzerResourceOptions) -> None:
        self.options = options


class _Shared:
    """Properties behind the SDK's unknown-checking proxy, made once and handed to one policy after another.

    The proxy of the SDK can be assigned to. A real analyzer gives each policy its own copy, so an assignment is
    noticed here and the next policy gets a new one.
    """

    def __init__(self, properties: dict[str, Any]) -> None:
        self._properties = properties
        self._proxy: Any = None
        self.changed = False

    def fresh(self) -> Any:
        from pulumi_policy.deserialize import deserialize_properties  # noqa: PLC0415

        if self._proxy is None or self.changed:
            self.changed = False
            self._proxy = _proxied(deserialize_properties(self._properties), [], self)
        return self._proxy

    def note_change(self) -> None:
        self.changed = True


def _proxied(value: Any, path: list[str], owner: _Shared) -> Any:
    """As the SDK's `unknown_checking_proxy`, with dictionaries that tell of assignments."""
    proxies = _proxies()
    if isinstance(value, list):
        return proxies.list_type([_proxied(item, [*path, str(i)], owner) for i, item in enumerate(value)], path)
    if isinstance(value, dict):
        return proxies.dict_type(
            {key: _proxied(item, [*path, str(key)], owner) for key, item in value.items()}, path, owner
        )
    return value


@dataclass(frozen=True)
class _Proxies:
    list_type: Any
    dict_type: Any


_made_proxies: list[_Proxies] = []


def _proxies() -> _Proxies:
    if not _made_proxies:
        from pulumi_policy import proxy  # noqa: PLC0415

        class NotingDict(proxy._DictProxy):  # noqa: SLF001
            def __init__(self, target: dict[str, Any], path: list[str], owner: _Shared) -> None:
                super().__init__(target, path)
                self._owner = owner

            def __setitem__(self, key: str, value: Any) -> None:
                self._owner.note_change()
                super().__setitem__(key, value)  # type: ignore[no-untyped-call]

        NotingDict.__name__ = NotingDict.__qualname__ = "_DictProxy"
        _made_proxies.append(_Proxies(proxy._ListProxy, NotingDict))  # noqa: SLF001
    return _made_proxies[0]


def _run_to_the_end(awaitable: Any) -> None:
    loop = asyncio.new_event_loop()
    try:
        loop.run_until_complete(asyncio.ensure_future(awaitable, loop=loop))
    finally:
        loop.close()


def _set_runtime(settings: RunSettings) -> None:
    """What `pulumi.policy` makes of the environment that the engine gives it."""
    pulumi.runtime.set_all_config(dict(settings.config), [])
    pulumi.runtime.configure(
        pulumi.runtime.Settings(
            project=settings.project,
            stack=settings.stack,
            dry_run=settings.dry_run,
            organization=settings.organization,
        )
    )
