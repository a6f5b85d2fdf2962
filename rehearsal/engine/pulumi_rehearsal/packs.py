"""Policy packs evaluated inside the rehearsal's own process, with the SDK's own servicer and proxies.

`InProcessAnalyzer` answers exactly as the pack's real analyzer process would (`analyzer.ProcessAnalyzer`; the
tests hold the two against each other), but converts a resource's properties once for all policies instead of
once for each, and all resources once for all stack policies.
"""

from __future__ import annotations

import asyncio
import contextvars
import json
import os
import re
import runpy
import sys
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from inspect import isawaitable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import pulumi.runtime
from google.protobuf import json_format  # type: ignore[import-untyped]
from pulumi.runtime.proto import analyzer_pb2

from . import wire
from .bytecode import never_stale
from .config import read_yaml
from .errors import PolicyPackError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from .registration import Registration

T = TypeVar("T")

PACK_FILE = "PulumiPolicy.yaml"


@dataclass(frozen=True, kw_only=True)
class PackFolder:
    """A directory with a `PulumiPolicy.yaml`, whose runtime is Python."""

    path: Path
    program: Path
    """The directory that holds `__main__.py`."""
    version: str
    """As the file gives it; empty where it does not, and the pack's own then stands."""
    python: Path
    """The interpreter that the engine would start it with."""

    @property
    def shares_interpreter(self) -> bool:
        """Whether it would run with the very environment that the rehearsal runs in."""
        # The directory's links are followed, the interpreter's own is not: it points at the system's.
        return self.python.parent.resolve() == Path(sys.executable).parent.resolve()


@dataclass(frozen=True, kw_only=True)
class RunSettings:
    """What the engine tells a pack of the run it judges."""

    project: str
    stack: str
    organization: str
    dry_run: bool
    config: Mapping[str, str]
    secret_keys: Sequence[str]

    def environment(self) -> dict[str, str]:
        """The variables that the engine adds to a pack's environment."""
        variables = {
            "PULUMI_ORGANIZATION": self.organization,
            "PULUMI_PROJECT": self.project,
            "PULUMI_STACK": self.stack,
            "PULUMI_DRY_RUN": "true" if self.dry_run else "false",
        }
        if self.config:
            variables["PULUMI_CONFIG"] = json.dumps(dict(self.config))
        return variables

    def configure_request(self) -> analyzer_pb2.AnalyzerStackConfigureRequest:
        """The same as the ConfigureStack call carries it."""
        return analyzer_pb2.AnalyzerStackConfigureRequest(
            stack=self.stack,
            project=self.project,
            organization=self.organization,
            dry_run=self.dry_run,
            config=self.config,
            config_secret_keys=self.secret_keys,
        )


class Analyzer(Protocol):
    """A policy pack, however it is run."""

    folder: PackFolder

    def start(self, settings: RunSettings) -> analyzer_pb2.AnalyzerInfo:
        """Bring the pack up, tell it of the stack, and ask what policies it has."""

    def configure(self, request: analyzer_pb2.ConfigureAnalyzerRequest) -> None:
        """Give it its configuration."""

    def remediate(self, registration: Registration) -> analyzer_pb2.RemediateResponse:
        """Let it change a resource's inputs."""

    def analyze(self, registration: Registration) -> analyzer_pb2.AnalyzeResponse:
        """Let it look at a resource's inputs."""

    def analyze_stack(self, registrations: Sequence[Registration]) -> analyzer_pb2.AnalyzeResponse:
        """Let it look at all resources' outputs."""

    def close(self) -> None:
        """End it."""


def find_packs(project_root: Path) -> list[Path]:
    """The packs of a run that names none: each `PulumiPolicy.yaml` up to two directories below the project, sorted.

    Hidden directories, such as a virtual environment's, are left out.
    """
    found = [*project_root.glob(f"*/{PACK_FILE}"), *project_root.glob(f"*/*/{PACK_FILE}")]
    return sorted(f.parent for f in found if not any(p.startswith(".") for p in f.relative_to(project_root).parts))


def load_folder(path: Path) -> PackFolder:
    """Read the `PulumiPolicy.yaml` of a directory.

    Raises:
        UsageError: there is none, or it is not a Python pack that can be run.
    """
    file = path / PACK_FILE
    if not file.is_file():
        raise UsageError(f"{path} has no {PACK_FILE}; give a policy pack's directory with --policy-pack")
    content = read_yaml(file)
    if not isinstance(content, dict):
        raise UsageError(f"{file} must be a map with a runtime")
    runtime = content.get("runtime")
    options = (runtime.get("options") or {}) if isinstance(runtime, dict) else {}
    name = runtime.get("name") if isinstance(runtime, dict) else runtime
    if name != "python":
        raise UsageError(f"{file}: runtime is {name!r}; the rehearsal runs python packs only")
    program = (path / str(content.get("main") or ".")).resolve()
    if not (program / "__main__.py").is_file():
        raise UsageError(f"{program} has no __main__.py; a Python policy pack begins there")
    version = content.get("version")
    return PackFolder(
        path=path.resolve(),
        program=program,
        version="" if version is None else str(version),
        python=_python(path.resolve(), options, file),
    )


def _python(path: Path, options: Mapping[str, Any], file: Path) -> Path:
    """The interpreter: the virtual environment that is named, or uv's beside the nearest uv.lock above."""
    named = options.get("virtualenv")
    if named:
        environment = (path / str(named)).absolute()
        if not (environment / "bin" / "python").exists():
            raise UsageError(f"{file}: the environment {environment} has no bin/python; make it with `uv sync`")
    elif options.get("toolchain") == "uv":
        above = next((p for p in (path, *path.parents) if (p / "uv.lock").is_file()), path)
        environment = above / os.environ.get("UV_PROJECT_ENVIRONMENT", ".venv")
    else:
        return Path(sys.executable)
    python = environment / "bin" / "python"
    return python if python.exists() else Path(sys.executable)


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
                runpy.run_path(str(self.folder.program), run_name="__main__")
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
        with self._own_modules():
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

    @contextmanager
    def _own_modules(self) -> Iterator[None]:
        """The pack's directory on the path and its modules by their names, and nobody else's."""
        modules = sys.modules
        hidden = {name: modules[name] for name in self._modules if name in modules}
        modules.update(self._modules)
        sys.path.insert(0, str(self.folder.program))
        count = len(modules)
        try:
            yield
        finally:
            sys.path.remove(str(self.folder.program))
            if len(modules) != count:
                self._modules.update(modules_under(self.folder.program))
            for name in self._modules:
                modules.pop(name, None)
            modules.update(hidden)


def modules_under(directory: Path) -> dict[str, Any]:
    """The imported modules whose source lies in a directory, but not in a virtual environment inside it."""
    prefix = f"{directory}/"
    return {
        name: module
        for name, module in list(sys.modules.items())
        if (file := _file_of(module)).startswith(prefix) and "/site-packages/" not in file
    }


def _file_of(module: Any) -> str:
    file = getattr(module, "__file__", None)
    if file:
        return str(file)
    try:
        return f"{next(iter(module.__path__))}/"  # a namespace package
    except (AttributeError, TypeError, StopIteration):
        return ""


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


# -- configuration --------------------------------------------------------------------------------------------

_LEVELS = {
    "advisory": analyzer_pb2.ADVISORY,
    "mandatory": analyzer_pb2.MANDATORY,
    "remediate": analyzer_pb2.REMEDIATE,
    "disabled": analyzer_pb2.DISABLED,
}


def configuration(
    info: analyzer_pb2.AnalyzerInfo, given: Mapping[str, Any], source: str
) -> analyzer_pb2.ConfigureAnalyzerRequest:
    """What the engine sends to Configure: defaults, then the pack's initial config, then the user's.

    `given` is the content of a `--policy-config` file: by policy name (or `all`) an enforcement level, or a map
    with `enforcementLevel` and the policy's properties.

    Raises:
        UsageError: an unknown policy or property, a wrong type, or a required property that is missing.
    """
    policies = {policy.name: policy for policy in info.policies}
    levels = {name: policy.enforcementLevel for name, policy in policies.items()}
    properties: dict[str, dict[str, Any]] = {
        name: {
            key: schema["default"]
            for key, schema in _schema(policy).items()
            if isinstance(schema, dict) and "default" in schema
        }
        for name, policy in policies.items()
    }
    initial = {
        name: {
            "enforcementLevel": analyzer_pb2.EnforcementLevel.Name(config.enforcementLevel).lower(),
            **json_format.MessageToDict(config.properties),
        }
        for name, config in info.initialConfig.items()
    }
    for layer, where in ((initial, f"the initial config of {info.name}"), (given, source)):
        _apply(layer, where, levels, properties)
    for name, policy in policies.items():
        if levels[name] != analyzer_pb2.DISABLED:
            _validate(name, _schema(policy), policy.configSchema.required, properties[name], source)
    request = analyzer_pb2.ConfigureAnalyzerRequest()
    for name in policies:
        entry = request.policyConfig[name]
        entry.enforcementLevel = levels[name]
        entry.properties.update(properties[name])
    return request


def _apply(
    layer: Mapping[str, Any],
    where: str,
    levels: dict[str, analyzer_pb2.EnforcementLevel.ValueType],
    properties: dict[str, dict[str, Any]],
) -> None:
    if "all" in layer:
        level, rest = _entry("all", layer["all"], where)
        if rest:
            raise UsageError(f"{where}: all takes an enforcementLevel only; found {', '.join(sorted(rest))}")
        if level is not None:
            for name in levels:
                levels[name] = level
    for name, value in layer.items():
        if name == "all":
            continue
        if name not in levels:
            raise UsageError(f"{where}: there is no policy {name!r}; the policies are {', '.join(sorted(levels))}")
        level, rest = _entry(name, value, where)
        if level is not None:
            levels[name] = level
        properties[name].update(rest)


def _entry(name: str, value: Any, where: str) -> tuple[analyzer_pb2.EnforcementLevel.ValueType | None, dict[str, Any]]:
    if isinstance(value, str):
        value = {"enforcementLevel": value}
    if not isinstance(value, dict):
        raise UsageError(f"{where}: {name} must be an enforcement level or a map of properties; found {value!r}")
    rest = {key: item for key, item in value.items() if key != "enforcementLevel"}
    if "enforcementLevel" not in value:
        return None, rest
    level = _LEVELS.get(str(value["enforcementLevel"]))
    if level is None:
        raise UsageError(
            f"{where}: {name} has enforcementLevel {value['enforcementLevel']!r}; allowed are {', '.join(_LEVELS)}"
        )
    return level, rest


def _schema(policy: analyzer_pb2.PolicyInfo) -> dict[str, Any]:
    return dict(json_format.MessageToDict(policy.configSchema.properties))


_JSON_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "number": (int, float),
    "integer": (int, float),
    "boolean": (bool,),
    "array": (list,),
    "object": (dict,),
    "null": (type(None),),
}


def _validate(
    policy: str, schema: Mapping[str, Any], required: Sequence[str], values: Mapping[str, Any], source: str
) -> None:
    missing = [key for key in required if key not in values]
    if missing:
        raise UsageError(f"{source}: policy {policy} needs {', '.join(missing)}")
    for key, value in values.items():
        problem = _schema_problem(value, schema.get(key, {}))
        if problem:
            raise UsageError(f"{source}: {key} of policy {policy} {problem}; found {value!r}")


def _schema_problem(value: Any, schema: Mapping[str, Any]) -> str:
    """Why a value does not fit a JSON schema, or an empty text; the keywords that policy packs use."""
    kinds = schema.get("type")
    names = [] if kinds is None else kinds if isinstance(kinds, list) else [kinds]
    if names and not any(_is_json_type(value, str(name)) for name in names):
        return f"must be of type {' or '.join(map(str, names))}"
    if "enum" in schema and value not in schema["enum"]:
        return f"must be one of {', '.join(map(str, schema['enum']))}"
    for kind, problem_of in _PROBLEMS:
        if isinstance(value, kind) and not isinstance(value, bool):
            return problem_of(value, schema)
    return ""


def _number_problem(value: float, schema: Mapping[str, Any]) -> str:
    if "minimum" in schema and value < schema["minimum"]:
        return f"must be at least {schema['minimum']:g}"
    if "maximum" in schema and value > schema["maximum"]:
        return f"must be at most {schema['maximum']:g}"
    return ""


def _map_problem(value: Mapping[str, Any], schema: Mapping[str, Any]) -> str:
    missing = [key for key in schema.get("required", []) if key not in value]
    if missing:
        return f"needs {', '.join(missing)}"
    extra = schema.get("additionalProperties", True)
    for key, item in value.items():
        inner = schema.get("properties", {}).get(key)
        if inner is None and extra is False:
            return f"has no property {key}"
        problem = _schema_problem(item, inner or (extra if isinstance(extra, dict) else {}))
        if problem:
            return f"{key} {problem}"
    return ""


def _text_problem(value: str, schema: Mapping[str, Any]) -> str:
    if "pattern" in schema and not re.search(schema["pattern"], value):
        return f"must match {schema['pattern']}"
    if len(value) < schema.get("minLength", 0):
        return f"must have at least {schema['minLength']:g} characters"
    if len(value) > schema.get("maxLength", len(value)):
        return f"must have at most {schema['maxLength']:g} characters"
    return ""


def _list_problem(value: Sequence[Any], schema: Mapping[str, Any]) -> str:
    if len(value) < schema.get("minItems", 0):
        return f"must have at least {schema['minItems']:g} items"
    if len(value) > schema.get("maxItems", len(value)):
        return f"must have at most {schema['maxItems']:g} items"
    items = schema.get("items")
    if isinstance(items, dict):
        for item in value:
            problem = _schema_problem(item, items)
            if problem:
                return f"has an item that {problem}"
    return ""


_PROBLEMS: tuple[tuple[Any, Callable[[Any, Mapping[str, Any]], str]], ...] = (
    (str, _text_problem),
    ((int, float), _number_problem),
    (list, _list_problem),
    (dict, _map_problem),
)


def _is_json_type(value: Any, name: str) -> bool:
    if isinstance(value, bool):
        return name == "boolean"
    if name == "integer" and isinstance(value, float):
        return value.is_integer()
    return isinstance(value, _JSON_TYPES.get(name, ()))
