"""CI's side: its own `ci/handoff.sh`, with stand-ins for `docker` and `aws` on PATH.

Each stand-in sends its arguments over a socket to this process, which does what the program would have done, in
the emulated account and as CI's role.
"""

from __future__ import annotations

import ast
import json
import os
import shutil
import socketserver
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from botocore import xform_name
from botocore.exceptions import ClientError

from contract import tags

from . import registry
from .account import Account
from .declared import Service
from .errors import HandoffFailedError, NotDeclaredError
from .timeline import Timeline

_SCRIPT = Path(__file__).parents[2] / "ci" / "handoff.sh"
#: Amazon ECR user guide, "IAM permissions for pushing an image"; what buildx calls besides PutImage.
_UPLOAD: Final = ("BatchCheckLayerAvailability", "InitiateLayerUpload", "UploadLayerPart", "CompleteLayerUpload")
_SECONDS: Final = 60
_PULL: Final = ("BatchGetImage", "GetDownloadUrlForLayer")

_PROGRAM: Final = """#!{python} -IS
import _socket, os, sys
s = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
s.connect({socket!r})
if "--password-stdin" in sys.argv:
    sys.stdin.read()
s.sendall(ascii([{program!r}, *sys.argv[1:]]).encode() + b"\\n")
answer = b""
while part := s.recv(65536):
    answer += part
code, out, err = answer.decode().split("\\0")
sys.stdout.write(out)
sys.stderr.write(err)
sys.exit(int(code))
"""


class Ci:
    """CI of one service, in a role that the stack gives it: the first of them, or the `last`."""

    def __init__(self, account: Account, service: Service, timeline: Timeline, *, last: bool = False) -> None:
        self._account, self._service, self._timeline = account, service, timeline
        names = [f"{account.declared.environment}-{service.name}-ci-{kind}" for kind in ("github", "circleci")]
        roles = [r for r in account.declared.roles.values() if r.purpose == tags.CI and r.name in names]
        if not roles:
            raise NotDeclaredError(
                f"Service {service.name} has no role for a CI; give it ci.github or ci.circleci, or use --handoff."
            )
        self.role = roles[-1 if last else 0].arn
        self.put: dict[str, Any] = {}
        """What was put: bucket, key, version, size."""
        self._pushed: dict[str, str] = {}
        self._commit = ""

    @property
    def registry(self) -> str:
        """Host of the account's registry."""
        return self._service.contract.registry

    def hand_over(self, commit: str, platforms: Sequence[str]) -> None:
        """Build, push and hand over by CI's own script.

        Raises:
            HandoffFailedError: with the script's sentence.
        """
        declared, contract = self._account.declared, self._service.contract
        self._commit = commit
        with tempfile.TemporaryDirectory(prefix="release") as home, self._programs(home) as path:
            arguments = ["--env", contract.environment, "--service", self._service.name]
            arguments += ["--account", declared.account, "--region", declared.region, "--commit", commit]
            for name in contract.containers:
                context = Path(home, "checkout", name)
                context.mkdir(parents=True)
                (context / "Dockerfile").write_text("FROM scratch\n")
                arguments += ["--image", f"{name}={name}"]
            for platform in platforms:
                arguments += ["--platform", platform]
            try:
                said = subprocess.run(
                    ["/bin/sh", str(_SCRIPT), *arguments],
                    cwd=Path(home, "checkout"),
                    env={"PATH": f"{path}:{os.environ.get('PATH', os.defpath)}", "HOME": home, "TMPDIR": home},
                    capture_output=True,
                    text=True,
                    timeout=_SECONDS,
                    check=False,
                )
            except subprocess.TimeoutExpired:
                raise HandoffFailedError(f"handoff.sh is not done after {_SECONDS} s; run it again.") from None
        if said.returncode:
            raise HandoffFailedError(said.stderr.strip() or f"handoff.sh ended with {said.returncode}")

    def put_file(self, data: bytes) -> None:
        """Put a hand-off that somebody made, as CI would."""
        bucket, key = self._service.handoff_at
        try:
            said = self._account.client("s3", self.role).put_object(Bucket=bucket, Key=key, Body=data)
        except ClientError as error:
            raise HandoffFailedError(f"The hand-off cannot be put: {error}") from None
        self._note_put(bucket, key, said["VersionId"], len(data))

    def _note_put(self, bucket: str, key: str, version: str, size: int) -> None:
        self.put = {"bucket": bucket, "key": key, "version": version, "size": size}
        self._timeline.note("CI", f"puts s3://{bucket}/{key}, version {version}", self.role)

    # ------------------------------------------------------------ the stand-ins

    @contextmanager
    def _programs(self, home: str) -> Iterator[str]:
        """A directory with `aws` and `docker` for PATH; they are answered until the end."""
        directory = Path(tempfile.mkdtemp(prefix="ci"))  # a socket's path has at most 108 characters
        answer = self._answer

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                code, out, err = answer(ast.literal_eval(self.rfile.readline().decode()))
                with suppress(BrokenPipeError):
                    self.wfile.write(f"{code}\0{out}\0{err}".encode())

        server = socketserver.ThreadingUnixStreamServer(f"{directory}/socket", Handler)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        programs = Path(home, "bin")
        programs.mkdir()
        for program in ("aws", "docker"):
            script = programs / program
            script.write_text(_PROGRAM.format(python=sys.executable, socket=f"{directory}/socket", program=program))
            script.chmod(0o755)
        try:
            yield str(programs)
        finally:
            server.shutdown()
            server.server_close()
            shutil.rmtree(directory)

    def _answer(self, argv: list[str]) -> tuple[int, str, str]:
        program, *rest = argv
        try:
            return 0, self._aws(rest) if program == "aws" else self._docker(rest), ""
        except Exception as error:  # noqa: BLE001  (the script says it, whatever it is)
            return 255, "", f"{type(error).__name__}: {error}\n"

    def _aws(self, argv: list[str]) -> str:
        service, command, *options = argv
        given = _options(options)
        if (service, command) == ("sts", "get-caller-identity"):
            role = self.role.rpartition("/")[2]
            return f"arn:aws:sts::{self._account.declared.account}:assumed-role/{role}/rehearsal\n"
        if (service, command) == ("ecr", "get-login-password"):
            self._ecr.get_authorization_token()
            return "stand-in-password\n"
        if (service, command) == ("ecr", "batch-get-image"):
            answer = self._ecr.batch_get_image(
                registryId=given["registry-id"][0],
                repositoryName=given["repository-name"][0],
                imageIds=[dict([one.split("=", 1)]) for one in given["image-ids"]],
                acceptedMediaTypes=given["accepted-media-types"],
            )
            return json.dumps({"images": answer["images"], "failures": answer["failures"]})
        if (service, command) == ("s3api", "put-object"):
            client = self._account.client("s3", self.role)
            shape = client.meta.service_model.operation_model("PutObject").input_shape
            named = {xform_name(name, "-"): name for name in shape.members}
            params: dict[str, Any] = {named[key]: value[0] for key, value in given.items() if key in named}
            params["Body"] = Path(params["Body"]).read_bytes()
            version = str(client.put_object(**params)["VersionId"])
            self._note_put(params["Bucket"], params["Key"], version, len(params["Body"]))
            return f"{version}\n"
        raise NotImplementedError(f"the stand-in for aws does not know {service} {command}")

    def _docker(self, argv: list[str]) -> str:
        match argv:
            case ["buildx", "version"]:
                return "github.com/docker/buildx v0.29.1 0000000\n"
            case ["buildx", "inspect"]:
                return "Name: default\nDriver: docker-container\n"
            case ["buildx", "build", *rest]:
                return self._build(_options(rest[:-1]))
            case ["buildx", "imagetools", "create", "--tag", reference, *sources]:
                return self._tag(reference, sources)
            case ["login" | "logout", *_]:
                return "Login Succeeded\n"
        raise NotImplementedError(f"the stand-in for docker does not know {' '.join(argv)}")

    def _build(self, given: Mapping[str, list[str]]) -> str:
        output = dict(part.split("=", 1) for part in given["output"][0].split(","))
        repository = output["name"].removeprefix(f"{self.registry}/")
        platform = given["platform"][0]
        cache = dict(part.split("=", 1) for part in given["cache-to"][0].split(","))
        cache_repository, _, cache_tag = cache["ref"].removeprefix(f"{self.registry}/").rpartition(":")
        self._blobs(cache_repository, _PULL)
        self._blobs(repository, _UPLOAD)
        text = registry.manifest(repository, platform, f"{self._commit} {len(self._pushed)}")
        digest = registry.put(self._ecr, repository, text, registry.MANIFEST)
        self._pushed[digest] = platform
        self._blobs(cache_repository, _UPLOAD)
        layers = {"schemaVersion": 2, "mediaType": registry.MANIFEST, "layers": [{"digest": digest}]}
        registry.put(self._ecr, cache_repository, json.dumps(layers), registry.MANIFEST, cache_tag)
        Path(given["metadata-file"][0]).write_text(json.dumps({"containerimage.digest": digest}))
        self._timeline.note("CI", f"builds {repository} for {platform}, pushes it by digest", self.role)
        return "#1 exporting to image\n"

    def _tag(self, reference: str, sources: Sequence[str]) -> str:
        repository, _, tag = reference.removeprefix(f"{self.registry}/").rpartition(":")
        self._blobs(repository, _PULL)
        parts = {digest: self._pushed[digest] for digest in (source.rpartition("@")[2] for source in sources)}
        registry.put(self._ecr, repository, registry.index(parts), registry.INDEX, tag)
        self._timeline.note("CI", f"tags {repository}:{tag[: tag.rindex('-') + 8]}…", self.role)
        return f"#1 pushing {reference}\n"

    @property
    def _ecr(self) -> Any:
        return self._account.client("ecr", self.role)

    def _blobs(self, repository: str, actions: Sequence[str]) -> None:
        arn = self._account.arn("ecr", f"repository/{repository}")
        for action in actions:
            self._account.record_call(self.role, f"ecr:{action}", arn)


def _options(argv: Sequence[str]) -> dict[str, list[str]]:
    """`--option value ...` as lists of values by option."""
    out: dict[str, list[str]] = {}
    option = ""
    for word in argv:
        if word.startswith("--"):
            option, equals, value = word.removeprefix("--").partition("=")
            out.setdefault(option, []).extend([value] if equals else [])
        else:
            out[option].append(word)
    return out
