"""The rehearsal's model of AWS as a provider plugin, which the real engine asks over gRPC.

Every answer is made by what answers in a rehearsal: `providers` (Check, Create, Update), `changes` (Diff), `refresh`
(Read) and `lookups` (Invoke). What is written here only translates.
"""

from __future__ import annotations

import keyword
import re
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from google.protobuf import empty_pb2  # type: ignore[import-untyped]
from pulumi.runtime.proto import plugin_pb2, provider_pb2, provider_pb2_grpc
from pulumi_rehearsal import changes, lookups, outputs, paths, refresh, sdk_types, wire
from pulumi_rehearsal.errors import Refused
from pulumi_rehearsal.leaf_imports import leaf_imports
from pulumi_rehearsal.model import Options, Resource, unwrapped
from pulumi_rehearsal.providers import Providers
from pulumi_rehearsal.registration import PROVIDER_PREFIX, Registration

from contract import loading

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pulumi_rehearsal.model import Rehearsal


@dataclass(frozen=True, kw_only=True)
class Call:
    """What the engine asked of the provider for one resource."""

    verb: str
    urn: str
    preview: bool
    inputs: dict[str, Any]
    """Plain, after Check."""


class ProviderPlugin(provider_pb2_grpc.ResourceProviderServicer):
    """Serves every provider of one package: the engine opens a connection for each."""

    def __init__(self, package: str, version: str) -> None:
        self.calls: list[Call] = []
        self._package = package
        self._version = version
        self._lock = threading.Lock()
        self._given: dict[str, Registration] = {}
        self._stood: dict[str, dict[str, Any]] = {}
        """Plain outputs by URN, of the last that stood there: what is made anew is not made alike."""
        self._by_others: Mapping[str, Mapping[str, Any]] = {}

    def forget(self) -> None:
        """Forget what was asked so far, between two runs of the engine."""
        with self._lock:
            self.calls.clear()

    def stands(self, run: Rehearsal) -> None:
        """Learn what stands, so that Read finds on a resource what others have set on it."""
        with self._lock:
            self._by_others = refresh.set_by_others(run)

    # -- the provider itself

    def Handshake(self, _: Any, __: Any) -> provider_pb2.ProviderHandshakeResponse:  # noqa: N802
        """Secrets are welcome, so that it shows which values the engine knows to be secret."""
        return provider_pb2.ProviderHandshakeResponse(accept_secrets=True, accept_resources=True)

    def CheckConfig(self, request: provider_pb2.CheckRequest, _: Any) -> provider_pb2.CheckResponse:  # noqa: N802
        """A provider's configuration stays as the program gives it."""
        return provider_pb2.CheckResponse(inputs=request.news)

    def DiffConfig(self, request: provider_pb2.DiffRequest, _: Any) -> provider_pb2.DiffResponse:  # noqa: N802
        """What a changed configuration of the provider does to it."""
        return self._diff(f"{PROVIDER_PREFIX}{self._package}", request)

    def Configure(self, request: provider_pb2.ConfigureRequest, context: Any) -> provider_pb2.ConfigureResponse:  # noqa: N802
        """Keep the configuration for the connection that it came over."""
        provider = Registration(
            urn=request.urn or f"{self._package}::{context.peer()}",
            type=f"{PROVIDER_PREFIX}{self._package}",
            name=request.name,
            parent="",
            custom=True,
            inputs=wire.wire_of(request.args),
        )
        with self._lock:
            self._given[context.peer()] = provider
        return provider_pb2.ConfigureResponse(acceptSecrets=True, acceptResources=True, supportsPreview=True)

    # -- resources

    def Check(self, request: provider_pb2.CheckRequest, context: Any) -> provider_pb2.CheckResponse:  # noqa: N802
        """What the provider adds to the inputs."""
        registration = self._registration(request.urn, wire.wire_of(request.news), context)
        Providers({}, preview=True).check(registration)
        return provider_pb2.CheckResponse(inputs=wire.struct_of(registration.inputs))

    def Diff(self, request: provider_pb2.DiffRequest, _: Any) -> provider_pb2.DiffResponse:  # noqa: N802
        """What a change does: nothing, an update, or a new one in place of the old."""
        return self._diff(_token(request.urn), request)

    def _diff(self, token: str, request: provider_pb2.DiffRequest) -> provider_pb2.DiffResponse:
        found = changes.difference(
            token,
            wire.plain_of(_files_by_hash(wire.wire_of(request.old_inputs))),
            wire.plain_of(_files_by_hash(wire.wire_of(request.news))),
            ignore=list(request.ignoreChanges),
        )
        detailed = {
            change.path: provider_pb2.PropertyDiff(kind=_kind(change), inputDiff=True) for change in found.changes
        }
        return provider_pb2.DiffResponse(
            changes=provider_pb2.DiffResponse.DIFF_SOME if found.changes else provider_pb2.DiffResponse.DIFF_NONE,
            diffs=sorted({_key(change.path) for change in found.changes}),
            replaces=sorted({_key(path) for path in found.replaces}),
            deleteBeforeReplace=found.delete_first,
            detailedDiff=detailed,
            hasDetailedDiff=True,
        )

    def Create(self, request: provider_pb2.CreateRequest, context: Any) -> provider_pb2.CreateResponse:  # noqa: N802
        """Id and outputs; at preview, what is not known is said to be so."""
        registration = self._registration(request.urn, wire.wire_of(request.properties), context)
        self._note("create", request.urn, request.preview, registration)
        with self._lock:
            stood = self._stood.get(request.urn)
        old = None if stood is None else _resource(registration, inputs={}, state=stood, identifier=stood.get("id"))
        step = None if old is None else self._step("replace", registration, old)
        Providers({}, preview=request.preview).create(registration, step)
        if request.preview:
            return provider_pb2.CreateResponse(properties=wire.struct_of(registration.outputs))
        with self._lock:
            self._stood[request.urn] = wire.plain_of(registration.outputs)
        return provider_pb2.CreateResponse(id=registration.id or "", properties=wire.struct_of(registration.outputs))

    def Update(self, request: provider_pb2.UpdateRequest, context: Any) -> provider_pb2.UpdateResponse:  # noqa: N802
        """Outputs after a change in place."""
        registration = self._registration(request.urn, wire.wire_of(request.news), context)
        self._note("update", request.urn, request.preview, registration)
        old = _resource(
            registration,
            inputs=wire.plain_of(wire.wire_of(request.old_inputs)),
            state=wire.plain_of(wire.wire_of(request.olds)),
            identifier=request.id,
        )
        Providers({}, preview=request.preview).create(registration, self._step("update", registration, old))
        return provider_pb2.UpdateResponse(properties=wire.struct_of(registration.outputs))

    def Read(self, request: provider_pb2.ReadRequest, context: Any) -> provider_pb2.ReadResponse:  # noqa: N802
        """A refresh finds what was left, and what others have set on it; what was only looked up is made up."""
        found, inputs = wire.wire_of(request.properties), wire.wire_of(request.inputs)
        if not request.HasField("inputs"):
            registration = self._registration(request.urn, found, context)
            _, made = outputs.filled(
                registration.type,
                registration.name,
                request.urn,
                unwrapped(wire.plain_of(found)),
                Providers({}, preview=False).place(registration.provider),
                looked_up=request.id,
            )
            found = {**wire.wire_from_plain(made), **found, "id": request.id}
        with self._lock:
            found = {**found, **wire.wire_from_plain(dict(self._by_others.get(request.urn, {})))}
        return provider_pb2.ReadResponse(id=request.id, properties=wire.struct_of(found), inputs=wire.struct_of(inputs))

    def Delete(self, _: provider_pb2.DeleteRequest, __: Any) -> empty_pb2.Empty:  # noqa: N802
        """There is nothing to delete."""
        return empty_pb2.Empty()

    def Invoke(self, request: provider_pb2.InvokeRequest, context: Any) -> provider_pb2.InvokeResponse:  # noqa: N802
        """Answer a function as a rehearsal answers it."""
        args = unwrapped(wire.plain_of(wire.wire_of(request.args)))
        with self._lock:
            provider = self._given.get(context.peer())
        try:
            found = lookups.answered(request.tok, args, Providers({}, preview=True).place(provider), {})
        except Refused as refused:
            return provider_pb2.InvokeResponse(failures=[provider_pb2.CheckFailure(reason=str(refused))])
        return provider_pb2.InvokeResponse(**{"return": wire.struct_of(wire.wire_from_plain(found))})

    # -- what every plugin answers

    def GetPluginInfo(self, _: Any, __: Any) -> plugin_pb2.PluginInfo:  # noqa: N802
        """The version of the package whose model this is."""
        return plugin_pb2.PluginInfo(version=self._version)

    def GetSchema(self, _: Any, __: Any) -> provider_pb2.GetSchemaResponse:  # noqa: N802
        """Nobody generates code from it."""
        return provider_pb2.GetSchemaResponse(schema="{}")

    def GetMapping(self, _: Any, __: Any) -> provider_pb2.GetMappingResponse:  # noqa: N802
        """There is none."""
        return provider_pb2.GetMappingResponse()

    def GetMappings(self, _: Any, __: Any) -> provider_pb2.GetMappingsResponse:  # noqa: N802
        """There are none."""
        return provider_pb2.GetMappingsResponse()

    def Attach(self, _: Any, __: Any) -> empty_pb2.Empty:  # noqa: N802
        """The engine attaches: the plugin runs before it does."""
        return empty_pb2.Empty()

    def Cancel(self, _: Any, __: Any) -> empty_pb2.Empty:  # noqa: N802
        """Nothing here takes long."""
        return empty_pb2.Empty()

    # -- between the messages and the model

    def _registration(self, urn: str, inputs: dict[str, Any], context: Any) -> Registration:
        token = _token(urn)
        import_class(token)
        with self._lock:
            provider = self._given.get(context.peer())
        return Registration(
            urn=urn,
            type=token,
            name=urn.rsplit("::", 1)[-1],
            parent="",
            custom=True,
            inputs=inputs,
            provider=provider,
        )

    def _note(self, verb: str, urn: str, preview: bool, registration: Registration) -> None:
        with self._lock:
            self.calls.append(Call(verb=verb, urn=urn, preview=preview, inputs=wire.plain_of(registration.inputs)))

    @staticmethod
    def _step(op: changes.Op, registration: Registration, old: Resource) -> changes.Step:
        diff = changes.difference(registration.type, old.inputs, wire.plain_of(registration.inputs))
        return changes.Step(
            op=op,
            urn=registration.urn,
            type=registration.type,
            name=registration.name,
            old=old,
            changes=diff.changes,
        )


def _resource(
    registration: Registration, *, inputs: dict[str, Any], state: Mapping[str, Any], identifier: Any
) -> Resource:
    return Resource(
        urn=registration.urn,
        type=registration.type,
        name=registration.name,
        parent="",
        custom=True,
        id=identifier,
        inputs=inputs,
        outputs=dict(state),
        options=Options(),
    )


def import_class(token: str) -> None:
    """Import the class of a type token, for the model reads from it what is computed.

    `aws:s3/bucketPolicy:BucketPolicy` is `pulumi_aws.s3.bucket_policy.BucketPolicy`.
    """
    if sdk_types.resource_class(token) is not None:
        return
    package, module, _ = token.split(":")
    folder, _, leaf = module.partition("/")
    file = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", leaf).lower()
    folder += "_" if keyword.iskeyword(folder) else ""
    try:
        with leaf_imports():
            loading.module(f"pulumi_{package}.{folder}.{file}")
    except ImportError:
        return  # the model then knows nothing of the type, as in a rehearsal


def _kind(change: changes.Change) -> provider_pb2.PropertyDiff.Kind.ValueType:
    kinds = provider_pb2.PropertyDiff
    if change.old is None:
        return kinds.ADD_REPLACE if change.replaces else kinds.ADD
    if change.new is None:
        return kinds.DELETE_REPLACE if change.replaces else kinds.DELETE
    return kinds.UPDATE_REPLACE if change.replaces else kinds.UPDATE


def _files_by_hash(value: Any) -> Any:
    """A wire value in which each file is its hash: the engine asks for a Diff without the files' contents."""
    if isinstance(value, list):
        return [_files_by_hash(item) for item in value]
    if not isinstance(value, dict):
        return value
    if value.get(wire.SIGNATURE) in (wire.ASSET, wire.ARCHIVE):
        return value.get("hash")
    return {key: _files_by_hash(item) for key, item in value.items()}


def _token(urn: str) -> str:
    return urn.split("::")[2].rsplit("$", 1)[-1]


def _key(path: str) -> str:
    return str(paths.parsed(path)[0])
