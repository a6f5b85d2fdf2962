"""Stand-ins for `aws` and `docker` on PATH, in front of an emulated account that lives in the test's process.

Each stand-in is a few lines that send their arguments over a socket; what answers is here. `aws` reads arguments by
botocore's own service model and calls moto; `docker` keeps its registry in moto's ECR. Every call is first held
against exactly what CI's role allows, which moto itself does not judge.
"""

from __future__ import annotations

import argparse
import ast
import base64
import functools
import hashlib
import io
import json
import os
import shutil
import signal
import socketserver
import subprocess
import sys
import tempfile
import threading
from contextlib import redirect_stderr, suppress
from dataclasses import dataclass, field
from pathlib import Path

import boto3
import jmespath
from botocore import xform_name
from botocore.exceptions import ClientError, EndpointConnectionError, ParamValidationError
from moto.core import DEFAULT_ACCOUNT_ID

CI = Path(__file__).parents[2] / "ci"
COMMIT = "0123456789abcdef0123456789abcdef01234567"
TOOLS = "awk cat cmp cut grep ln mkdir mkfifo od paste rm sed sort tail tee tr wc"
"""All that the scripts may call besides aws and docker; no zip, gzip, jq or python among them."""

ACCOUNT, REGION = DEFAULT_ACCOUNT_ID, "ap-northeast-1"
REGISTRY = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com"
BUCKET, KEY = f"dev-ecsdef-{ACCOUNT}", "api/imagedefinitions.json.zip"
HANDOFF_ARN = f"arn:aws:s3:::{BUCKET}/{KEY}"
INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
PUSH = ("BatchCheckLayerAvailability", "InitiateLayerUpload", "UploadLayerPart", "CompleteLayerUpload", "PutImage")
PULL = ("BatchGetImage", "GetDownloadUrlForLayer")
REPOSITORIES = ("dev/api/app", "dev/api/nginx", "dev/api/cache")

CLIENT = """#!{python} -IS
# _socket and repr, as socket and json would double the time that a call takes
import _socket, os, sys
s = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
s.connect({socket!r})
stdin = sys.stdin.read() if "--password-stdin" in sys.argv else ""
request = dict(program={program!r}, argv=sys.argv[1:], env=dict(os.environ), cwd=os.getcwd(), stdin=stdin)
s.sendall(ascii(request).encode() + b"\\n")
answer = b""
while part := s.recv(65536):
    answer += part
code, out, err = answer.decode().split("\\0")
sys.stdout.write(out)
sys.stderr.write(err)
sys.exit(int(code))
"""


def repository_arn(name):
    return f"arn:aws:ecr:{REGION}:{ACCOUNT}:repository/{name}"


def sha256(text):
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


@functools.cache
def client(service):
    """One for all tests, as it takes longer to make than a hand-over takes; what it reaches is moto's of the test."""
    return boto3.client(
        service,
        region_name=REGION,
        aws_access_key_id="testing",
        aws_secret_access_key="testing",  # noqa: S106
    )


class ProgramError(Exception):
    """A program ends with this exit code and these words on stderr."""

    def __init__(self, code, stderr):
        super().__init__(stderr)
        self.code, self.stderr = code, stderr


class Cloud:
    """One account with a service's repositories and hand-off bucket, and the two programs that reach it."""

    def __init__(self):
        self.calls = []
        """What was run, in order: the words of each command line."""
        self.used = set()
        """What was called in AWS: (action, resource)."""
        self.allowed = {
            ("ecr:GetAuthorizationToken", "*"),
            ("s3:PutObject", HANDOFF_ARN),
            *((f"ecr:{a}", repository_arn(r)) for a in (*PUSH, *PULL) for r in REPOSITORIES),
        }
        self.unreachable = set()
        """Who has no network: "docker", "aws", or one operation of the latter."""
        self.identity = f"arn:aws:sts::{ACCOUNT}:assumed-role/dev-api-ci-github/run"
        """Whose credentials the machine has."""
        self.answers = {}
        """What an operation of aws prints in place of the truth."""
        self.buildx = "v0.29.1"
        """The version of docker's plugin, empty if there is none."""
        self.store = set()
        """What stands in the credential store that docker finds by itself where there is no login yet."""
        self.stored = []
        """What was ever written to it."""
        self.seen = {}
        """The environment of the last call of docker."""
        self.broken_builds = set()
        """Containers whose build fails by itself."""
        self.held = None
        """(program, word): a call with this word among its arguments stays unanswered."""
        self.reached = threading.Event()
        self._released = threading.Event()
        self.before_tagging = self.after_tagging = lambda: None
        self.builders = {"default": "docker"}
        self.builds = 0
        self.says_digest = True
        self.credentials = {
            "AWS_ACCESS_KEY_ID": "ASIAEXAMPLEOFCI",
            "AWS_SECRET_ACCESS_KEY": "secret-of-ci",
            "AWS_SESSION_TOKEN": "session-of-ci",
        }
        self.ecr, self.s3 = client("ecr"), client("s3")
        for name in REPOSITORIES:
            mutability = "MUTABLE" if name.endswith("/cache") else "IMMUTABLE"
            self.ecr.create_repository(repositoryName=name, imageTagMutability=mutability)
        self.s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
        self.s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
        authorization = self.ecr.get_authorization_token()["authorizationData"][0]["authorizationToken"]
        self.password = base64.b64decode(authorization).decode().partition(":")[2]

    # --- what a test asks and prepares

    def versions(self):
        """The hand-offs that were put, oldest first: (version, bytes)."""
        found = self.s3.list_object_versions(Bucket=BUCKET, Prefix=KEY).get("Versions", [])
        read = [(v["VersionId"], self.s3.get_object(Bucket=BUCKET, Key=KEY, VersionId=v["VersionId"])) for v in found]
        return [(version, answer["Body"].read()) for version, answer in reversed(read)]

    def ran(self, *words):
        """The calls that begin with these words."""
        return [call for call in self.calls if call[: len(words)] == words]

    def digest(self, repository, tag):
        images = self.ecr.batch_get_image(repositoryName=repository, imageIds=[{"imageTag": tag}])["images"]
        return images[0]["imageId"]["imageDigest"] if images else None

    def manifest(self, repository, tag):
        answer = self.ecr.batch_get_image(repositoryName=repository, imageIds=[{"imageTag": tag}])
        return json.loads(answer["images"][0]["imageManifest"])

    def push(self, repository, platforms, tag, **more):
        """An image that somebody pushed before: an index of one manifest for each platform."""
        entries = []
        for platform in platforms:
            digest = self._put(repository, self._image(platform))
            system, architecture = platform.split("/")
            entries.append({"digest": digest, "platform": {"os": system, "architecture": architecture}, **more})
        return self._put(repository, {"mediaType": INDEX, "manifests": entries}, tag)

    def push_single(self, repository, platform, tag):
        """An image that a plain docker push left: one manifest, whose configuration names the platform."""
        return self._put(repository, self._image(platform), tag)

    def install(self, directory):
        """Write both stand-ins to a directory of PATH and answer them until `close`."""
        self._socket_home = tempfile.mkdtemp(prefix="ci")  # a socket's path has at most 108 characters
        path = f"{self._socket_home}/socket"
        cloud = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self):
                answer = cloud.answer(ast.literal_eval(self.rfile.readline().decode()))
                with suppress(BrokenPipeError):  # the stand-in was killed meanwhile, as a test of interruption wants
                    self.wfile.write("\0".join(map(str, answer)).encode())

        class Server(socketserver.ThreadingUnixStreamServer):
            daemon_threads = True

        self._server = Server(path, Handler)
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        for program in ("aws", "docker"):
            script = directory / program
            script.write_text(CLIENT.format(python=sys.executable, socket=path, program=program))
            script.chmod(0o755)

    def close(self):
        self._released.set()
        self._server.shutdown()
        self._server.server_close()
        shutil.rmtree(self._socket_home)

    # --- the programs

    def answer(self, request):
        """(exit code, stdout, stderr) of one run of a stand-in."""
        program, argv = request["program"], request["argv"]
        self.calls.append((program, *argv))
        if self.held and self.held[0] == program and any(self.held[1] in argument for argument in argv):
            self.reached.set()
            self._released.wait(30)
            return 1, "", "the test is over"
        try:
            return 0, getattr(self, f"_{program}")(request), ""
        except ProgramError as failure:
            return failure.code, "", failure.stderr + "\n"

    def _allow(self, action, resource):
        self.used.add((action, resource))
        return (action, resource) in self.allowed

    def _allow_all(self, actions, repository):
        return all([self._allow(f"ecr:{action}", repository_arn(repository)) for action in actions])  # noqa: C419 - each is noted

    # --- aws

    def _aws(self, request):
        service, operation, *rest = request["argv"]
        if not request["env"].get("AWS_ACCESS_KEY_ID"):
            advice = 'You can configure credentials by running "aws configure".'
            raise ProgramError(253, f"Unable to locate credentials. {advice}")
        if (service, operation) == ("sts", "get-caller-identity"):
            if self.unreachable & {"aws", operation}:
                raise ProgramError(
                    255, f'\nCould not connect to the endpoint URL: "https://sts.{REGION}.amazonaws.com/"'
                )
            return f"{self.identity}\n"
        client = {"ecr": self.ecr, "s3api": self.s3}[service]
        names = {xform_name(n, "-"): n for n in client.meta.service_model.operation_names}
        names["get-login-password"] = "GetAuthorizationToken"
        options, parameters = self._aws_arguments(client, names[operation], rest)
        assert options["region"] == REGION
        if self.unreachable & {"aws", operation}:
            error = EndpointConnectionError(endpoint_url=client.meta.endpoint_url + "/")
            raise ProgramError(255, f"\n{error}")
        answer = self._call(client, names[operation], parameters)
        if operation in self.answers:
            return self.answers[operation] + "\n"
        if operation == "get-login-password":
            return self.password + "\n"
        if "query" in options:
            answer = jmespath.search(options["query"], answer)
        if options.get("output") == "text":
            assert answer is None or isinstance(answer, str), "this stand-in prints text of one scalar only"
            return f"{answer}\n"
        return json.dumps(answer, indent=4) + "\n"

    def _call(self, client, operation, parameters):
        """The operation's answer, if CI's role allows the call."""
        service, denied, resource = "ecr", "AccessDeniedException", "*"
        if client is self.s3:
            service, denied, resource = "s3", "AccessDenied", f"arn:aws:s3:::{BUCKET}/{parameters['Key']}"
            assert parameters["Bucket"] == BUCKET
        elif "repositoryName" in parameters:
            resource = repository_arn(parameters["repositoryName"])
        action = f"{service}:{operation}"
        if not self._allow(action, resource):
            reason = f"User: arn:aws:sts::{ACCOUNT}:assumed-role/dev-api-ci-github/ci is not authorized to perform: "
            reason += f"{action} on resource: {resource} because no identity-based policy allows the {action} action"
            raise ProgramError(254, f"\nAn error occurred ({denied}) when calling the {operation} operation: {reason}")
        try:
            answer = getattr(client, xform_name(operation))(**parameters)
        except ClientError as error:
            raise ProgramError(254, f"\n{error}") from error
        except ParamValidationError as error:
            raise ProgramError(252, f"\n{error}") from error
        answer.pop("ResponseMetadata")
        return answer

    def _aws_arguments(self, client, operation, argv):
        """The CLI's global options and the operation's parameters, by the service's own model."""
        shape = client.meta.service_model.operation_model(operation).input_shape
        members = {xform_name(name, "-"): (name, member) for name, member in shape.members.items()}
        options, parameters, position = {}, {}, 0
        while position < len(argv):
            option = argv[position].removeprefix("--")
            end = position + 1
            while end < len(argv) and not argv[end].startswith("--"):
                end += 1
            values, position = argv[position + 1 : end], end
            if option in ("region", "output", "query"):
                (options[option],) = values
                continue
            if option not in members:
                raise ProgramError(252, f"\nUnknown options: --{option}")
            name, member = members[option]
            if member.type_name == "list":
                nested = member.member.type_name == "structure"
                parameters[name] = [dict(v.split("=", 1) for v in [value]) if nested else value for value in values]
            elif member.type_name == "blob":
                parameters[name] = Path(values[0]).read_bytes()
            else:
                (parameters[name],) = values
        return options, parameters

    # --- docker

    def _docker(self, request):
        self.seen = request["env"]
        match request["argv"]:
            case ["login", "--username", "AWS", "--password-stdin", host]:
                return self._login(host, request)
            case ["logout", host]:
                self.store.discard(host)
                return f"Removing login credentials for {host}\n"
            case ["buildx", *rest] if self.buildx:
                return self._buildx(rest, request)
        raise ProgramError(1, f"docker: unknown command: docker {request['argv'][0]}\n\nRun 'docker --help' for more")

    def _buildx(self, argv, request):
        match argv:
            case ["version"]:
                answer = f"github.com/docker/buildx {self.buildx} 0000000\n"
            case ["inspect"]:
                answer = f"Name:   default\nDriver: {self.builders['default']}\n\nNodes:\nName: default0\n"
            case ["create", "--driver", driver, "--name", name]:
                self.builders[name] = driver
                answer = name + "\n"
            case ["rm", "--force", name]:
                del self.builders[name]
                answer = f"{name} removed\n"
            case ["build", *rest]:
                answer = self._build(rest, request)
            case ["imagetools", "create", "--tag", reference, *sources]:
                answer = self._tag(reference, sources, request)
            case ["imagetools", "inspect", "--format", "{{json .Image}}", reference]:
                answer = self._platform(reference)
            case _:
                raise AssertionError(f"buildx was called in a way that this stand-in does not know: {argv}")
        return answer

    def _platform(self, reference):
        repository, digest = reference.removeprefix(REGISTRY + "/").split("@")
        self._pull(repository, reference)
        image = self.ecr.batch_get_image(repositoryName=repository, imageIds=[{"imageDigest": digest}])["images"][0]
        return json.dumps(json.loads(image["imageManifest"])["config"]["stands for"]) + "\n"

    def _login(self, host, request):
        if "docker" in self.unreachable:
            lookup = f"dial tcp: lookup {host}: no such host"
            raise ProgramError(1, f'Error response from daemon: Get "https://{host}/v2/": {lookup}')
        if request["stdin"].strip() != self.password:
            raise ProgramError(
                1, f"Error response from daemon: login attempt to https://{host}/v2/ failed: 400 Bad Request"
            )
        path = Path(request["env"]["DOCKER_CONFIG"]) / "config.json"
        kept = json.loads(path.read_text()) if path.exists() else {}
        if not kept.get("auths"):
            self.store.add(host)
            self.stored.append(host)
        kept.setdefault("auths", {})[host] = {"auth": base64.b64encode(f"AWS:{self.password}".encode()).decode()}
        path.write_text(json.dumps(kept))
        return "WARNING! Your credentials are stored unencrypted.\nLogin Succeeded\n"

    def _authorized(self, request):
        path = Path(request["env"]["DOCKER_CONFIG"]) / "config.json"
        return path.exists() and REGISTRY in json.loads(path.read_text()).get("auths", {})

    def _build(self, argv, request):
        parser = argparse.ArgumentParser(allow_abbrev=False)
        for option in ("progress", "platform", "file", "provenance", "sbom", "metadata-file", "builder", "target"):
            parser.add_argument(f"--{option}")
        for option in ("cache-from", "cache-to", "output"):
            parser.add_argument(f"--{option}", type=lambda text: dict(part.split("=", 1) for part in text.split(",")))
        for option in ("build-arg", "secret"):
            parser.add_argument(f"--{option}", action="append", default=[])
        parser.add_argument("context")
        with redirect_stderr(io.StringIO()):
            arguments = parser.parse_args(argv)
        repository = arguments.output["name"].removeprefix(REGISTRY + "/")
        if self.builders[arguments.builder or "default"] == "docker":
            raise ProgramError(1, "ERROR: failed to build: Cache export is not supported for the docker driver.")
        log = f"#1 load build definition from {arguments.file}\n"
        if repository.rpartition("/")[2] in self.broken_builds:
            raise ProgramError(
                1, log + 'ERROR: failed to solve: process "/bin/sh -c make" did not complete: exit code: 2'
            )
        dockerfile = Path(request["cwd"], arguments.file).read_text()
        assert Path(request["cwd"], arguments.context).is_dir()

        pushed_to = f"failed to push {arguments.output['name']}"
        self._reach(REGISTRY, f"{log}ERROR: failed to solve: {pushed_to}", request)
        manifest = self._image(arguments.platform, dockerfile, *arguments.build_arg, arguments.target)
        if not self._allow_all(PUSH, repository):
            url = f"https://{REGISTRY}/v2/{repository}/blobs/uploads/"
            raise ProgramError(
                1, f"{log}ERROR: failed to solve: {pushed_to}: unexpected status from POST {url}: 403 Forbidden"
            )
        digest = self._put(repository, manifest)

        cache, _, cache_tag = arguments.cache_to["ref"].removeprefix(REGISTRY + "/").rpartition(":")
        assert arguments.cache_from["ref"] == arguments.cache_to["ref"]
        self._allow_all((*PULL, *PUSH), cache)
        self._put(cache, {"mediaType": MANIFEST, "layers": [{"digest": digest}]}, cache_tag)
        metadata = {"buildx.build.ref": "default/x"} | ({"containerimage.digest": digest} if self.says_digest else {})
        Path(arguments.metadata_file).write_text(json.dumps(metadata, indent=2))
        return f"{log}#9 exporting to image\n"

    def _tag(self, reference, sources, request):
        repository, _, tag = reference.removeprefix(REGISTRY + "/").rpartition(":")
        self._reach(REGISTRY, f"ERROR: failed to push {reference}", request)
        self._pull(repository, reference)
        self.before_tagging()
        entries = []
        for source in sources:
            digest = source.rpartition("@")[2]
            found = self.ecr.batch_get_image(repositoryName=repository, imageIds=[{"imageDigest": digest}])["images"][0]
            platform = json.loads(found["imageManifest"])["config"]["stands for"]
            entries.append({"mediaType": MANIFEST, "digest": digest, "size": 500, "platform": platform})
        if not self._allow("ecr:PutImage", repository_arn(repository)):
            url = f"https://{REGISTRY}/v2/{repository}/manifests/{tag}"
            raise ProgramError(
                1, f"ERROR: failed to push {reference}: unexpected status from PUT request to {url}: 403 Forbidden"
            )
        try:
            self._put(repository, {"schemaVersion": 2, "mediaType": INDEX, "manifests": entries}, tag, indent=3)
        except self.ecr.exceptions.ImageAlreadyExistsException as error:
            reason = f"tag invalid: The image tag '{tag}' already exists in the '{repository}' repository"
            reason += " and cannot be overwritten because the repository is immutable."
            raise ProgramError(1, f"ERROR: failed to push {reference}: 400 Bad Request: {reason}") from error
        self.after_tagging()
        return f"#1 [internal] pushing {reference}\n"

    def _reach(self, host, doing, request):
        if "docker" in self.unreachable:
            raise ProgramError(
                1, f'{doing}: failed to do request: Head "https://{host}/v2/": dial tcp: lookup: no such host'
            )
        if not self._authorized(request):
            raise ProgramError(1, f"{doing}: failed to authorize: no basic auth credentials")

    def _pull(self, repository, reference):
        if not self._allow_all(PULL, repository):
            raise ProgramError(1, f"ERROR: {reference}: failed to copy: httpReadSeeker: 403 Forbidden")

    def _image(self, platform, *ingredients):
        """A manifest. No two builds are the same, which is what most builds are like."""
        self.builds += 1
        system, architecture = platform.split("/")
        layer = sha256(json.dumps([platform, *ingredients, self.builds]))
        config = {"digest": sha256(layer), "stands for": {"os": system, "architecture": architecture}}
        return {"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": [{"digest": layer, "size": 1}]}

    def _put(self, repository, manifest, tag=None, indent=None):
        """`indent` as buildx writes an index; returns the digest, by the bytes as a registry does."""
        text = json.dumps(manifest, indent=indent)
        tagged = {"imageTag": tag} if tag else {}
        self.ecr.put_image(
            repositoryName=repository,
            imageManifest=text,
            imageManifestMediaType=manifest["mediaType"],
            imageDigest=sha256(text),
            **tagged,
        )
        return sha256(text)


@dataclass
class Ci:
    """A machine of a CI: a checkout, a home, a PATH that holds the POSIX utilities and the two stand-ins."""

    home: Path
    credentials: dict[str, str]
    cloud: Cloud | None = None
    shell: list[str] = field(default_factory=lambda: [shutil.which("dash") or "/bin/sh"])

    def __post_init__(self):
        self.work, self.temporary, self.bin = (self.home / n for n in ("checkout", "tmp", "bin"))
        for directory in (self.work, self.temporary, self.bin, self.work / "app", self.work / "nginx"):
            directory.mkdir()
        (self.work / "app" / "Dockerfile").write_text("FROM scratch AS app\n")
        (self.work / "nginx" / "Dockerfile").write_text("FROM scratch AS nginx\n")
        self.use_tools()
        self.env = {"PATH": str(self.bin), "HOME": str(self.home), "TMPDIR": str(self.temporary)}
        self.env |= self.credentials

    def use_tools(self, program=None):
        """The utilities of PATH: the machine's own, or the applets of one program."""
        for tool in TOOLS.split():
            (self.bin / tool).unlink(missing_ok=True)
            (self.bin / tool).symlink_to(program or shutil.which(tool))

    def arguments(self, **changes):
        """The usual two-container hand-off; None leaves an option out, a list repeats it."""
        usual = {
            "env": "dev",
            "service": "api",
            "account": ACCOUNT,
            "region": REGION,
            "commit": COMMIT,
            "image": ["app=app", "nginx=nginx"],
            "platform": "linux/arm64",
        }
        for option, value in (usual | changes).items():
            for each in value if isinstance(value, list) else [value]:
                if each is not None:
                    yield from (f"--{option.replace('_', '-')}", each)

    def run(self, *arguments, script="handoff.sh", variables=None):
        command = [*self.shell, str(CI / script), *arguments]
        env = self.env | (variables or {})
        return subprocess.run(command, cwd=self.work, env=env, capture_output=True, text=True, timeout=20, check=False)

    def hand_over(self, *arguments, variables=None, **changes):
        return self.run(*self.arguments(**changes), *arguments, variables=variables)

    def hand_over_until(self, program, word, stop=signal.SIGTERM, group=False):
        """Signal the script once it waits for a call of this program with this word."""
        self.cloud.held = (program, word)
        process = subprocess.Popen(
            [*self.shell, str(CI / "handoff.sh"), *self.arguments()],
            cwd=self.work,
            env=self.env,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            # A shell cannot trap what was ignored when it began, as under nohup or in a job in the background.
            preexec_fn=lambda: [  # noqa: PLW1509 - it calls nothing that takes a lock
                signal.signal(s, signal.SIG_DFL) for s in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM)
            ],
        )
        assert self.cloud.reached.wait(10)
        (os.killpg if group else os.kill)(process.pid, stop)
        out, err = process.communicate(timeout=10)
        self.cloud.held = None
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    def left_behind(self):
        """Everything in the home and in TMPDIR that was not there before."""
        before = {self.work, self.bin, self.temporary}
        return sorted(p for p in (*self.home.iterdir(), *self.temporary.iterdir()) if p not in before)
