from __future__ import annotations

import io
import json
import os
import re
import shutil
import signal
import stat
import zipfile

import pytest
from ci_stand_ins import ACCOUNT, BUCKET, CI, COMMIT, HANDOFF_ARN, KEY, REGISTRY, REPOSITORIES, repository_arn

TAG = f"dev-{COMMIT}"
APP, NGINX = f"{REGISTRY}/dev/api/app:{TAG}", f"{REGISTRY}/dev/api/nginx:{TAG}"
DEFINITIONS = [{"name": "app", "imageUri": APP}, {"name": "nginx", "imageUri": NGINX}]
OTHER = "sha256:" + "0" * 64
BUSYBOX = shutil.which("busybox")
SHELLS = [
    [path, *more]
    for path, *more in ((shutil.which("dash"),), (shutil.which("bash"), "--posix"), (BUSYBOX, "sh"))
    if path
]


def refused(run, code, *parts):
    """One sentence on stderr that holds these parts, and this exit code."""
    assert run.returncode == code, run.stderr
    assert run.stderr.startswith("handoff: ")
    assert run.stderr.endswith(".\n")
    assert run.stderr.count("\n") == 1
    for part in parts:
        assert part in run.stderr
    return True


def member(archive):
    return zipfile.ZipFile(io.BytesIO(archive)).read("imagedefinitions.json")


# --- a hand-over


def test_a_release_is_handed_over(ci, cloud):
    run = ci.hand_over()

    assert (run.returncode, run.stderr) == (0, "")
    ((version, archive),) = cloud.versions()
    assert json.loads(member(archive)) == DEFINITIONS
    assert f"  put      s3://{BUCKET}/{KEY}\n  version  {version}\n" in run.stdout
    assert "/codepipeline/pipelines/dev-api/view?region=ap-northeast-1\n" in run.stdout
    assert f"  image    app {cloud.digest('dev/api/app', TAG)}\n" in run.stdout


def test_an_image_holds_every_platform_asked(ci, cloud):
    run = ci.hand_over(platform=["linux/arm64", "linux/amd64"])

    assert run.returncode == 0
    for repository in ("dev/api/app", "dev/api/nginx"):
        entries = cloud.manifest(repository, TAG)["manifests"]
        assert [e["platform"]["architecture"] for e in entries] == ["amd64", "arm64"]


def test_the_order_and_form_of_the_platforms_does_not_matter(ci):
    runs = [
        ci.hand_over("--dry-run", platform=platforms)
        for platforms in (["linux/arm64", "linux/amd64"], "linux/amd64,linux/arm64", "linux/arm64 linux/amd64")
    ]

    assert len({run.stdout for run in runs}) == 1
    assert runs[0].returncode == 0


def test_each_container_and_architecture_has_a_cache_of_its_own(ci, cloud):
    ci.hand_over(platform="linux/amd64,linux/arm64")

    caches = [call[call.index("--cache-to") + 1].split(",")[1] for call in cloud.ran("docker", "buildx", "build")]
    prefix = f"ref={REGISTRY}/dev/api/cache"
    assert caches == [f"{prefix}:{name}-{cpu}" for name in ("app", "nginx") for cpu in ("amd64", "arm64")]


def test_a_cache_that_cannot_be_kept_does_not_stop_a_release(ci, cloud):
    ci.hand_over()

    for call in cloud.ran("docker", "buildx", "build"):
        assert call[call.index("--cache-to") + 1].endswith(",ignore-error=true")


def test_the_hand_over_uses_all_that_the_role_allows_and_nothing_else(ci, cloud):
    allowed = set(cloud.allowed)

    run = ci.hand_over()

    assert run.returncode == 0
    assert cloud.used == allowed


def test_nothing_is_put_before_every_image_is_verified(ci, cloud):
    ci.hand_over()

    *_, verified, put = cloud.ran("aws")
    assert verified[:3] == ("aws", "ecr", "batch-get-image")
    assert put[:3] == ("aws", "s3api", "put-object")
    assert len(cloud.ran("aws", "s3api")) == 1


def test_a_bucket_of_another_account_is_never_put_to(ci, cloud):
    ci.hand_over()

    (put,) = cloud.ran("aws", "s3api", "put-object")
    assert put[put.index("--expected-bucket-owner") + 1] == ACCOUNT


@pytest.mark.parametrize("shell", SHELLS, ids=lambda shell: shell[0].rpartition("/")[2])
def test_every_posix_shell_runs_the_script(ci, cloud, shell):
    ci.shell = shell

    run = ci.hand_over(platform="linux/amd64,linux/arm64")

    assert (run.returncode, run.stderr) == (0, "")
    assert json.loads(member(cloud.versions()[0][1])) == DEFINITIONS


def test_the_images_of_alpine_have_all_that_it_needs(ci, cloud):
    assert BUSYBOX or not os.environ.get("CI"), "the project's own CI runs this: install busybox there"
    if BUSYBOX is None:
        pytest.skip("busybox is not on this machine")
    ci.shell = [BUSYBOX, "sh"]
    ci.use_tools(BUSYBOX)

    run = ci.hand_over(platform="linux/amd64,linux/arm64")

    assert (run.returncode, run.stderr) == (0, "")
    assert json.loads(member(cloud.versions()[0][1])) == DEFINITIONS
    assert len(cloud.manifest("dev/api/app", TAG)["manifests"]) == 2


@pytest.mark.parametrize("by", ["the order of platforms", "a reused image", "a lacking platform", "no credentials"])
def test_alpine_reads_arguments_and_answers_as_others_do(ci, cloud, by):
    if BUSYBOX is None:
        pytest.skip("busybox is not on this machine")
    ci.shell = [BUSYBOX, "sh"]
    ci.use_tools(BUSYBOX)

    if by == "the order of platforms":
        forms = (["linux/arm64", "linux/amd64"], "linux/amd64,linux/arm64", "linux/arm64 linux/amd64")
        assert len({ci.hand_over("--dry-run", platform=form).stdout for form in forms}) == 1
    elif by == "a reused image":
        assert ci.hand_over().returncode == 0
        again = ci.hand_over()
        assert again.stdout.count("exists and is reused") == 2
        assert cloud.versions()[0][1] == cloud.versions()[1][1]
    elif by == "a lacking platform":
        cloud.push("dev/api/app", ["linux/amd64"], TAG)
        assert refused(ci.hand_over(), 9, APP)
    else:
        assert refused(ci.hand_over(variables={"AWS_ACCESS_KEY_ID": ""}), 4, "Unable to locate credentials")


# --- whose credentials


@pytest.mark.parametrize(
    "identity",
    [
        f"arn:aws:iam::{ACCOUNT}:user/old-ci-user",
        f"arn:aws:sts::{ACCOUNT}:assumed-role/instance-profile/i-0123456789abcdef0",
        f"arn:aws:sts::{ACCOUNT}:assumed-role/dev-api-ci/run",
        f"arn:aws:sts::{ACCOUNT}:assumed-role/stg-api-ci-github/run",
        f"arn:aws:sts::{ACCOUNT}:assumed-role/dev-worker-ci-github/run",
        f"arn:aws:sts::{ACCOUNT}:assumed-role/dev-api-ci-ci-github/run",
        "arn:aws:sts::999999999999:assumed-role/dev-api-ci-github/run",
    ],
)
def test_who_is_not_the_services_own_ci_hands_nothing_over(ci, cloud, identity):
    cloud.identity = identity

    run = ci.hand_over()

    assert refused(run, 5, identity, f"dev-api-ci-... in account {ACCOUNT}", "nothing was built", "--any-identity")
    assert not cloud.ran("docker", "login")
    assert not cloud.versions()


def test_a_person_may_hand_over_by_saying_so(ci, cloud):
    cloud.identity = f"arn:aws:sts::{ACCOUNT}:assumed-role/operator/somebody"

    assert ci.hand_over("--any-identity").returncode == 0
    assert ci.hand_over(variables={"HANDOFF_ANY_IDENTITY": "yes"}).returncode == 0
    assert len(cloud.versions()) == 2


def test_the_settings_may_come_from_the_environment(ci, cloud):
    variables = {
        "HANDOFF_ENV": "dev",
        "HANDOFF_SERVICE": "api",
        "HANDOFF_ACCOUNT": ACCOUNT,
        "AWS_REGION": "ap-northeast-1",
        "HANDOFF_COMMIT": COMMIT,
        "HANDOFF_IMAGES": "\n  app=app\n\n  nginx=nginx\n",
        "HANDOFF_PLATFORMS": "linux/arm64",
    }

    run = ci.run(variables=variables)

    assert (run.returncode, run.stderr) == (0, "")
    assert json.loads(member(cloud.versions()[0][1])) == DEFINITIONS


def test_an_option_wins_over_its_variable(offline_ci):
    run = offline_ci.hand_over("--dry-run", variables={"HANDOFF_ENV": "prod", "HANDOFF_IMAGES": "other=app"})

    assert run.returncode == 0
    assert APP in run.stdout
    assert "prod" not in run.stdout
    assert "other" not in run.stdout


def test_an_option_may_be_joined_to_its_value(offline_ci):
    run = offline_ci.hand_over("--env=dev1", "--dry-run")

    assert "/dev1/api/app:dev1-" in run.stdout


def test_the_outcome_is_appended_to_a_file_for_the_next_step(ci, cloud):
    result = ci.work / "outputs"
    result.write_text("before=1\n")

    ci.hand_over(result=str(result))

    lines = result.read_text().splitlines()
    assert lines[:4] == [
        "before=1",
        f"image-tag={TAG}",
        f"hand-off=s3://{BUCKET}/{KEY}",
        f"version-id={cloud.versions()[0][0]}",
    ]
    assert lines[4].startswith("watch=https://ap-northeast-1.console.aws.amazon.com/")


def test_an_outcome_that_cannot_be_written_is_refused_before_anything_is_done(ci, cloud):
    run = ci.hand_over(result=str(ci.work / "nowhere" / "outputs"))

    assert refused(run, 2, "--result is ", "cannot be written")
    assert not cloud.calls


# --- the archive


def test_the_archive_holds_one_plain_file(ci, cloud):
    ci.hand_over()

    with zipfile.ZipFile(io.BytesIO(cloud.versions()[0][1])) as archive:
        (entry,) = archive.infolist()
        assert archive.testzip() is None
    assert entry.filename == "imagedefinitions.json"
    assert entry.date_time == (1980, 1, 1, 0, 0, 0)
    assert entry.external_attr >> 16 == stat.S_IFREG | 0o644
    assert (entry.flag_bits, entry.extra, entry.comment) == (0, b"", b"")


def test_the_same_images_give_the_same_bytes(ci, cloud):
    ci.hand_over()
    ci.hand_over(image=["nginx=nginx", "app=app"], variables={"TZ": "Asia/Tokyo", "LC_ALL": "ja_JP.UTF-8"})

    (_, first), (_, second) = cloud.versions()
    assert first == second


def test_another_commit_gives_another_archive(ci, cloud):
    ci.hand_over()
    ci.hand_over(commit="f" * 40)

    (_, first), (_, second) = cloud.versions()
    assert first != second
    assert f"dev-{'f' * 40}".encode() in member(second)


def test_an_archive_of_twelve_containers_is_whole(ci, cloud):
    names = [f"sidecar-{n}" for n in range(12)]
    for name in names:
        repository = f"dev/api/{name}"
        cloud.ecr.create_repository(repositoryName=repository, imageTagMutability="IMMUTABLE")
        cloud.push(repository, ["linux/arm64"], TAG)
        cloud.allowed |= {("ecr:BatchGetImage", repository_arn(repository))}

    run = ci.hand_over(image=[f"{name}=app" for name in names])

    assert run.returncode == 0
    assert [d["name"] for d in json.loads(member(cloud.versions()[0][1]))] == sorted(names)


# --- the same commit again


def test_the_same_commit_twice_is_built_once(ci, cloud):
    ci.hand_over()
    digests = [cloud.digest(r, TAG) for r in REPOSITORIES[:2]]
    builds = len(cloud.ran("docker", "buildx", "build"))

    again = ci.hand_over()

    assert (again.returncode, again.stderr) == (0, "")
    assert len(cloud.ran("docker", "buildx", "build")) == builds == 2
    assert [cloud.digest(r, TAG) for r in REPOSITORIES[:2]] == digests
    (_, first), (_, second) = cloud.versions()
    assert first == second
    assert again.stdout.count(" exists and is reused (sha256:") == 2


def test_a_missing_image_is_built_beside_one_that_exists(ci, cloud):
    kept = cloud.push("dev/api/app", ["linux/arm64"], TAG)

    run = ci.hand_over()

    assert run.returncode == 0
    assert len(cloud.ran("docker", "buildx", "build")) == 1
    assert cloud.digest("dev/api/app", TAG) == kept


def test_an_image_with_more_platforms_than_asked_is_reused(ci, cloud):
    cloud.push("dev/api/app", ["linux/amd64", "linux/arm64"], TAG)

    run = ci.hand_over(image="app=app")

    assert run.returncode == 0
    assert not cloud.ran("docker", "buildx", "build")


def test_an_image_without_an_index_is_reused_when_its_platform_is_right(ci, cloud):
    digest = cloud.push_single("dev/api/app", "linux/arm64", TAG)

    run = ci.hand_over(image="app=app")

    assert (run.returncode, run.stderr) == (0, "")
    assert f"reused ({digest})" in run.stdout


def test_an_annotation_that_looks_like_structure_misleads_nobody(ci, cloud):
    annotations = {"note": '"}],"platform":{"os":"linux","architecture":"amd64"}\\ \t\u00e9 \u2028'}
    cloud.push("dev/api/app", ["linux/arm64"], TAG, annotations=annotations)

    right = ci.hand_over(image="app=app")
    wrong = ci.hand_over(image="app=app", platform="linux/amd64")

    assert (right.returncode, right.stderr) == (0, "")
    assert refused(wrong, 9, "exists for linux/arm64 without linux/amd64")


# --- what a tag holds is not what was asked for


def test_a_tag_that_holds_another_digest_than_expected_is_refused(ci, cloud):
    held = cloud.push("dev/api/app", ["linux/arm64"], TAG)

    run = ci.hand_over(expect_digest=f"app={OTHER}")

    assert refused(run, 9, APP, f"holds {held}", f"asks for {OTHER}", "nothing was put")
    assert not cloud.versions()
    assert not cloud.ran("docker", "buildx", "build")


def test_an_expected_digest_that_the_tag_holds_is_handed_over(ci, cloud):
    held = cloud.push("dev/api/app", ["linux/arm64"], TAG)

    run = ci.hand_over(expect_digest=f"app={held}")

    assert run.returncode == 0
    assert len(cloud.versions()) == 1


def test_an_expected_digest_is_never_built(ci, cloud):
    run = ci.hand_over(expect_digest=f"app={OTHER}")

    assert refused(run, 9, APP, "holds no image")
    assert not cloud.ran("docker", "buildx", "build")
    assert not cloud.versions()


def test_an_existing_image_that_lacks_a_platform_is_refused(ci, cloud):
    cloud.push("dev/api/nginx", ["linux/amd64"], TAG)

    run = ci.hand_over(platform="linux/amd64,linux/arm64")

    assert refused(run, 9, NGINX, "exists for linux/amd64 without linux/arm64", "commit again")
    assert not cloud.ran("docker", "buildx", "build")
    assert not cloud.versions()


def test_an_existing_image_without_an_index_that_lacks_the_platform_is_refused(ci, cloud):
    cloud.push_single("dev/api/app", "linux/amd64", TAG)

    run = ci.hand_over()

    assert refused(run, 9, "exists for linux/amd64 without linux/arm64")
    assert not cloud.versions()


def test_an_attestation_is_not_a_platform(ci, cloud):
    cloud.push("dev/api/app", ["linux/arm64", "unknown/unknown"], TAG)

    run = ci.hand_over(image="app=app", platform="linux/amd64")

    assert refused(run, 9, "exists for linux/arm64 without linux/amd64")


def test_a_tag_that_another_run_took_meanwhile_is_refused_and_the_next_run_reuses_it(ci, cloud):
    cloud.before_tagging = lambda: cloud.digest("dev/api/app", TAG) or cloud.push("dev/api/app", ["linux/arm64"], TAG)

    first = ci.hand_over()
    second = ci.hand_over()

    assert refused(first, 10, APP, "already exists", "nothing was put")
    assert second.returncode == 0
    assert f"reused ({cloud.digest('dev/api/app', TAG)})" in second.stdout
    assert len(cloud.versions()) == 1


def test_a_tag_that_holds_something_else_after_the_push_is_refused(ci, cloud):
    cloud.ecr.put_image_tag_mutability(repositoryName="dev/api/app", imageTagMutability="MUTABLE")
    cloud.after_tagging = lambda: cloud.push("dev/api/app", ["linux/arm64"], TAG)

    run = ci.hand_over()

    assert refused(run, 11, APP, "is not what was built", "nothing was put")
    assert not cloud.versions()


# --- interruptions


@pytest.mark.parametrize("shell", SHELLS, ids=lambda shell: shell[0].rpartition("/")[2])
@pytest.mark.parametrize(
    ("stop", "group"),
    [(signal.SIGTERM, False), (signal.SIGHUP, False), (signal.SIGINT, True), (signal.SIGTERM, True)],
    ids=["terminated", "hung up", "Ctrl-C", "whole group terminated"],
)
def test_a_run_interrupted_between_images_puts_nothing_and_the_next_one_finishes(ci, cloud, shell, stop, group):
    ci.shell = shell

    interrupted = ci.hand_over_until("docker", "nginx/Dockerfile", stop, group)

    assert refused(
        interrupted, 128 + stop, f"interrupted by {stop.name}", "building nginx for linux/arm64", "run it again"
    )
    assert not cloud.versions()
    assert cloud.builders == {"default": "docker"}
    assert ci.left_behind() == []
    kept = cloud.digest("dev/api/app", TAG)
    assert kept

    again = ci.hand_over()

    assert (again.returncode, again.stderr) == (0, "")
    assert cloud.digest("dev/api/app", TAG) == kept
    assert json.loads(member(cloud.versions()[0][1])) == DEFINITIONS


def test_a_run_interrupted_before_the_tag_leaves_no_tag(ci, cloud):
    interrupted = ci.hand_over_until("docker", "imagetools")

    assert refused(interrupted, 143, "tagging app")
    assert cloud.digest("dev/api/app", TAG) is None
    assert ci.hand_over().returncode == 0


def test_a_run_interrupted_in_the_put_says_that_a_release_may_have_started(ci, cloud):
    interrupted = ci.hand_over_until("aws", "put-object", group=True)

    assert refused(interrupted, 143, f"putting s3://{BUCKET}/{KEY}", "may have started the release", "/dev-api/view")
    assert ci.left_behind() == []


# --- permissions, credentials, network


@pytest.mark.parametrize(
    ("action", "resource", "doing"),
    [
        ("ecr:GetAuthorizationToken", "*", "asking ECR for a login password"),
        ("ecr:BatchGetImage", repository_arn("dev/api/nginx"), f"looking up {NGINX}"),
        ("ecr:PutImage", repository_arn("dev/api/nginx"), f"pushing {NGINX} for linux/arm64"),
        ("ecr:UploadLayerPart", repository_arn("dev/api/app"), f"pushing {APP} for linux/arm64"),
        ("ecr:GetDownloadUrlForLayer", repository_arn("dev/api/app"), f"pushing {APP}"),
        ("s3:PutObject", HANDOFF_ARN, f"putting s3://{BUCKET}/{KEY}"),
    ],
)
def test_a_missing_permission_is_named_and_nothing_is_put(ci, cloud, action, resource, doing):
    cloud.allowed.remove((action, resource))

    run = ci.hand_over()

    assert refused(run, 5, f"{doing} failed and nothing was put", f"service's own role in account {ACCOUNT}")
    assert not cloud.versions()
    assert ci.left_behind() == []


def test_once_permitted_the_next_run_finishes_what_was_refused(ci, cloud):
    cloud.allowed.remove(("s3:PutObject", HANDOFF_ARN))
    ci.hand_over()
    cloud.allowed.add(("s3:PutObject", HANDOFF_ARN))

    run = ci.hand_over()

    assert run.returncode == 0
    assert len(cloud.ran("docker", "buildx", "build")) == 2
    assert len(cloud.versions()) == 1


@pytest.mark.parametrize(
    ("unreachable", "doing"),
    [("aws", "asking AWS whose credentials these are failed"), ("docker", f"logging in to {REGISTRY} failed")],
)
def test_without_a_network_nothing_is_put(ci, cloud, unreachable, doing):
    cloud.unreachable = {unreachable}

    run = ci.hand_over()

    assert refused(run, 6, doing, "nothing was put", "check the network")
    assert not cloud.versions()
    assert ci.left_behind() == []


def test_a_network_lost_while_building_puts_nothing(ci, cloud):
    cloud.before_tagging = lambda: cloud.unreachable.add("docker")

    run = ci.hand_over()

    assert refused(run, 6, f"pushing {NGINX} for linux/arm64", "no such host")
    assert not cloud.versions()


def test_a_network_lost_in_the_put_does_not_claim_to_know(ci, cloud):
    cloud.unreachable = {"put-object"}

    run = ci.hand_over()

    assert refused(run, 6, "putting", "whether it was put is not known")


def test_without_credentials_nothing_is_put(ci, cloud):
    run = ci.hand_over(variables={"AWS_ACCESS_KEY_ID": ""})

    assert refused(run, 4, "Unable to locate credentials", "nothing was put")
    assert not cloud.ran("docker", "buildx", "build")


def test_a_repository_that_was_never_made_is_named(ci, cloud):
    cloud.allowed.add(("ecr:BatchGetImage", repository_arn("dev/api/worker")))

    run = ci.hand_over(image=["app=app", "worker=app"])

    assert refused(run, 13, f"{REGISTRY}/dev/api/worker:{TAG}", "RepositoryNotFoundException")
    assert not cloud.ran("docker", "buildx", "build")


def test_a_bucket_without_versions_starts_no_release_and_is_reported(ci, cloud):
    cloud.s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Suspended"})

    run = ci.hand_over()

    assert refused(run, 12, "versioning")


def test_a_password_that_the_registry_refuses_is_reported(ci, cloud):
    cloud.answers["get-login-password"] = "s3same-0pen"

    run = ci.hand_over()

    assert refused(run, 7, f"logging in to {REGISTRY} failed", "400 Bad Request")
    assert "s3same-0pen" not in run.stdout + run.stderr


@pytest.mark.parametrize(
    ("answer", "code", "part"),
    [
        ("<html>", 13, "not JSON"),
        ('{"images": []', 13, "not JSON"),
        ('{"images": [], "failures": []}', 13, "no failure code"),
        ('{"images": [], "failures": [{"failureCode": "UpstreamAccessDenied"}]}', 13, "UpstreamAccessDenied"),
        ('{"images": [{"imageId": {"imageDigest": "sha256:0"}, "imageManifest": "<html>"}]}', 9, "not JSON"),
    ],
)
def test_an_answer_of_the_registry_that_makes_no_sense_is_refused(ci, cloud, answer, code, part):
    cloud.answers["batch-get-image"] = answer

    run = ci.hand_over()

    assert refused(run, code, APP, part, "nothing was put")
    assert not cloud.ran("docker", "buildx", "build")


# --- building


def test_nothing_is_put_when_one_image_fails(ci, cloud):
    cloud.broken_builds = {"nginx"}

    run = ci.hand_over()

    assert refused(run, 8, "building nginx for linux/arm64 failed and nothing was put")
    assert 'process "/bin/sh -c make" did not complete' in run.stdout
    assert cloud.digest("dev/api/app", TAG)
    assert not cloud.versions()


def test_two_images_may_come_from_one_dockerfile(ci, cloud):
    (ci.work / "Dockerfile").write_text("FROM scratch AS app\nFROM scratch AS web\n")
    (ci.work / "docker").mkdir()
    (ci.work / "docker" / "Dockerfile.web").write_text("FROM scratch AS web\n")

    run = ci.hand_over(image=["app=.::app", "nginx=.:docker/Dockerfile.web:web"])

    assert run.returncode == 0
    app, nginx = cloud.ran("docker", "buildx", "build")
    assert (app[app.index("--file") + 1], app[app.index("--target") + 1], app[-1]) == ("./Dockerfile", "app", ".")
    assert (nginx[nginx.index("--file") + 1], nginx[nginx.index("--target") + 1]) == ("./docker/Dockerfile.web", "web")


def test_a_build_argument_reaches_the_images_it_is_meant_for(ci, cloud):
    ci.hand_over(build_arg=["MODE=a b=c:d", "nginx:PORT=80"], secret=["id=npm,env=NPM_TOKEN"])

    app, nginx = cloud.ran("docker", "buildx", "build")
    assert [app[i + 1] for i, word in enumerate(app) if word == "--build-arg"] == ["MODE=a b=c:d"]
    assert [nginx[i + 1] for i, word in enumerate(nginx) if word == "--build-arg"] == ["MODE=a b=c:d", "PORT=80"]
    assert app[app.index("--secret") + 1] == nginx[nginx.index("--secret") + 1] == "id=npm,env=NPM_TOKEN"


def test_a_builder_that_can_push_by_digest_is_made_and_removed(ci, cloud):
    ci.hand_over()

    ((*_, name),) = cloud.ran("docker", "buildx", "create")
    builds = cloud.ran("docker", "buildx", "build")
    assert all(call[call.index("--builder") + 1] == name for call in builds)
    assert cloud.builders == {"default": "docker"}


def test_a_builder_that_is_set_up_already_is_used(ci, cloud):
    cloud.builders["default"] = "docker-container"

    run = ci.hand_over()

    assert run.returncode == 0
    assert not cloud.ran("docker", "buildx", "create")


def test_a_builder_that_was_named_is_used(ci, cloud):
    cloud.builders["farm"] = "remote"

    ci.hand_over(builder="farm")

    assert all(call[call.index("--builder") + 1] == "farm" for call in cloud.ran("docker", "buildx", "build"))
    assert not cloud.ran("docker", "buildx", "create")


def test_a_buildx_that_does_not_say_what_it_pushed_is_not_trusted(ci, cloud):
    cloud.says_digest = False

    run = ci.hand_over()

    assert refused(run, 11, "which digest of app", "update buildx")
    assert not cloud.versions()


def test_a_docker_without_buildx_is_reported(ci, cloud):
    cloud.buildx = ""

    assert refused(ci.hand_over(), 3, "no buildx plugin")


@pytest.mark.parametrize("version", ["v0.21.3", "v0.9.1", "0.13.1+ds1"])
def test_a_buildx_that_would_leave_half_an_image_under_the_tag_is_refused(ci, cloud, version):
    cloud.buildx = version

    run = ci.hand_over()

    assert refused(run, 3, f"buildx {version.removeprefix('v')}", "0.22 or later")
    assert not cloud.ran("docker", "buildx", "build")


@pytest.mark.parametrize("version", ["v0.22.0", "v1.0.0", "0.100.2+ds1", "unknown"])
def test_a_later_buildx_is_used(ci, cloud, version):
    cloud.buildx = version

    assert ci.hand_over(image="app=app").returncode == 0


def test_an_old_buildx_hands_over_what_is_built_already(ci, cloud):
    cloud.buildx = "v0.9.1"
    cloud.push("dev/api/app", ["linux/arm64"], TAG)

    assert ci.hand_over(image="app=app").returncode == 0


def test_a_temporary_directory_that_cannot_be_written_is_named(ci):
    run = ci.hand_over(variables={"TMPDIR": str(ci.home / "nowhere")})

    assert refused(run, 3, str(ci.home / "nowhere"), "set TMPDIR")


def test_plugins_contexts_and_builders_of_the_machine_are_still_found(ci, cloud):
    for name in ("buildx", "cli-plugins", "contexts"):
        (ci.home / ".docker" / name).mkdir(parents=True)
    found = []
    cloud.before_tagging = lambda: found.extend(ci.temporary.glob("*/docker/*"))

    run = ci.hand_over(image="app=app")

    assert run.returncode == 0
    assert {p.name for p in found} == {"cli-plugins", "config.json", "contexts"}
    assert cloud.seen["BUILDX_CONFIG"] == str(ci.home / ".docker" / "buildx")
    assert {p.name for p in (ci.home / ".docker").iterdir()} == {"buildx", "cli-plugins", "contexts"}


def test_a_machine_without_builders_is_left_without_their_folder(ci, cloud):
    ci.hand_over(image="app=app")

    assert "BUILDX_CONFIG" not in cloud.seen
    assert cloud.ran("docker", "buildx", "create")
    assert ci.left_behind() == []


def test_a_folder_of_builders_that_was_named_is_kept(ci, cloud):
    (ci.home / ".docker" / "buildx").mkdir(parents=True)

    ci.hand_over(image="app=app", variables={"BUILDX_CONFIG": "/opt/buildx"})

    assert cloud.seen["BUILDX_CONFIG"] == "/opt/buildx"


@pytest.mark.parametrize("tool", ["aws", "docker"])
def test_a_missing_tool_is_named(ci, tool):
    (ci.bin / tool).unlink()

    assert refused(ci.hand_over(), 3, f"{tool} is not on PATH")


# --- nothing is left behind, nothing is told


def test_no_secret_is_printed_or_passed_as_an_argument(ci, cloud):
    run = ci.hand_over(build_arg="LICENCE=s3same-0pen")

    said = run.stdout + run.stderr + "".join(" ".join(call) for call in cloud.calls if "build" not in call)
    for secret in (*cloud.credentials.values(), cloud.password, "s3same-0pen"):
        assert secret not in said


@pytest.mark.parametrize("failing", [None, "s3:PutObject", "ecr:GetAuthorizationToken"])
def test_the_login_leaves_nothing_behind(ci, cloud, failing):
    cloud.allowed = {(action, resource) for action, resource in cloud.allowed if action != failing}
    (ci.home / ".docker").mkdir()
    (ci.home / ".docker" / "config.json").write_text('{"auths": {"mirror.example": {"auth": "eDp5"}}}')

    ci.hand_over()

    assert [p.name for p in ci.left_behind()] == [".docker"]
    assert [p.name for p in (ci.home / ".docker").iterdir()] == ["config.json"]
    assert json.loads((ci.home / ".docker" / "config.json").read_text()) == {
        "auths": {"mirror.example": {"auth": "eDp5"}}
    }


@pytest.mark.parametrize(
    ("before", "kept"),
    [
        ({"auths": {"mirror.example": {"auth": "eDp5"}}}, ["mirror.example", REGISTRY]),
        ({"auths": {}, "credsStore": "desktop"}, [REGISTRY]),
        ({"auths": {}, "credHelpers": {REGISTRY: "ecr-login"}}, [REGISTRY]),
        ({"credsStore": "desktop", "currentContext": "colima", "proxies": {"default": {"noProxy": "a"}}}, [REGISTRY]),
    ],
    ids=["a plain login", "a credential store", "a credential helper", "a store beside other settings"],
)
def test_earlier_settings_are_carried_over_without_the_credential_stores(ci, cloud, before, kept):
    (ci.home / ".docker").mkdir()
    (ci.home / ".docker" / "config.json").write_text(json.dumps(before))
    seen = []
    cloud.before_tagging = lambda: seen.extend(json.loads(p.read_text()) for p in ci.temporary.rglob("config.json"))

    run = ci.hand_over(image="app=app")

    assert run.returncode == 0
    assert not {"credsStore", "credHelpers"} & set(seen[0])
    assert {k: v for k, v in before.items() if k not in ("auths", "credsStore", "credHelpers")}.items() <= seen[
        0
    ].items()
    assert list(seen[0]["auths"]) == kept


@pytest.mark.parametrize(
    ("settings", "written"),
    [(None, []), ({"credsStore": "pass"}, []), ({"proxies": {}}, [])],
    ids=["no settings", "a store", "settings without a login"],
)
def test_a_credential_store_that_docker_finds_by_itself_keeps_nothing(ci, cloud, settings, written):
    if settings is not None:
        (ci.home / ".docker").mkdir()
        (ci.home / ".docker" / "config.json").write_text(json.dumps(settings))

    run = ci.hand_over(image="app=app")

    assert run.returncode == 0
    assert cloud.stored == written
    assert cloud.store == set()


def test_only_the_owner_can_read_what_the_run_keeps(ci, cloud):
    modes = []
    cloud.before_tagging = lambda: modes.extend(p.stat().st_mode & 0o077 for p in ci.temporary.iterdir())

    ci.hand_over(image="app=app")

    assert modes == [0]


# --- the dry run


def test_a_dry_run_calls_nothing_and_says_everything(offline_ci):
    run = offline_ci.hand_over("--dry-run", build_arg=["LICENCE=s3same-0pen"], expect_digest=f"app={OTHER}")

    assert (run.returncode, run.stderr) == (0, "")
    for part in (
        f"build  {APP}\n",
        f"build  {NGINX}\n",
        f"for linux/arm64, cache {REGISTRY}/dev/api/cache:app-arm64\n",
        "with build argument LICENCE\n",
        f"only if its tag holds {OTHER} already\n",
        f"put    s3://{BUCKET}/{KEY}\n",
        "/codepipeline/pipelines/dev-api/view?region=ap-northeast-1\n",
    ):
        assert part in run.stdout
    assert json.loads(re.search(r"\[\n.*\n *\]\n", run.stdout, re.DOTALL).group()) == DEFINITIONS
    assert "s3same-0pen" not in run.stdout
    assert offline_ci.left_behind() == []


def test_the_environment_can_ask_for_a_dry_run(offline_ci):
    run = offline_ci.hand_over(variables={"HANDOFF_DRY_RUN": "yes"})

    assert run.stdout.startswith("Dry run: ")


# --- arguments


@pytest.mark.parametrize(
    ("changes", "parts"),
    [
        ({"env": None}, ["--env is missing", "HANDOFF_ENV"]),
        ({"env": "Dev"}, ["--env is 'Dev'", "lower-case"]),
        ({"env": "dev_1"}, ["--env is 'dev_1'"]),
        ({"env": "dev/../prod"}, ["--env is 'dev/../prod'"]),
        ({"env": "d" * 60}, ["longer than 63 characters"]),
        ({"env": ""}, ["--env has an empty value"]),
        ({"env": "dev\nprod"}, ["--env has a value of several lines"]),
        ({"service": None}, ["--service is missing"]),
        ({"service": "api/web"}, ["--service is 'api/web'"]),
        ({"service": "api;id"}, ["--service is 'api;id'"]),
        ({"account": None}, ["--account is missing"]),
        ({"account": "11111111111"}, ["--account is '11111111111'", "twelve digits"]),
        ({"account": "1111111111111"}, ["--account is '1111111111111'"]),
        ({"region": None}, ["--region is missing"]),
        ({"region": "tokyo"}, ["--region is 'tokyo'", "ap-northeast-1"]),
        ({"region": "cn-north-1"}, ["--region is 'cn-north-1'", "partition aws"]),
        ({"region": "us-gov-west-1"}, ["--region is 'us-gov-west-1'", "partition aws"]),
        ({"commit": None}, ["--commit is missing"]),
        ({"commit": "main"}, ["--commit is 'main'", "hexadecimal"]),
        ({"commit": "ABCDEF0"}, ["--commit is 'ABCDEF0'", "lower-case"]),
        ({"commit": "abcdef"}, ["--commit is 'abcdef'", "7 to 64"]),
        ({"platform": None}, ["--platform is missing", "linux/arm64"]),
        ({"platform": "linux/riscv64"}, ["--platform is 'linux/riscv64'", "linux/amd64 or linux/arm64"]),
        ({"platform": "linux/arm64,windows/amd64"}, ["--platform is 'windows/amd64'"]),
        ({"image": None}, ["--image is missing", "NAME=CONTEXT"]),
        ({"image": "app"}, ["--image is 'app'", "NAME=CONTEXT[:DOCKERFILE[:TARGET]]"]),
        ({"image": "App=app"}, ["names the container 'App'"]),
        ({"image": "=app"}, ["names the container ''"]),
        ({"image": "cache=app"}, ["'cache'", "build cache"]),
        ({"image": ["app=app", "app=nginx"]}, ["names the container 'app' twice"]),
        ({"image": "app=nowhere"}, ["'nowhere', which is not a directory"]),
        ({"image": "app=app:Other"}, ["'app/Other', which does not exist"]),
        ({"image": "app=app::a b"}, ["the target 'a b'"]),
        ({"build_arg": "MODE"}, ["--build-arg 'MODE' has no '=VALUE'"]),
        ({"build_arg": "web:MODE=1"}, ["for container 'web', which no --image names"]),
        ({"build_arg": "a-b=1"}, ["the key 'a-b'"]),
        ({"expect_digest": "app=sha256:abc"}, ["--expect-digest is 'app=sha256:abc'", "64 hexadecimal digits"]),
        ({"expect_digest": f"web={OTHER}"}, ["for container 'web', which no --image names"]),
        ({"push": "now"}, ["--push is not an option"]),
    ],
)
def test_a_wrong_argument_is_one_sentence(offline_ci, changes, parts):
    run = offline_ci.hand_over(**changes)

    assert refused(run, 2, *parts, "see handoff.sh --help")
    assert run.stdout == ""
    assert offline_ci.left_behind() == []


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (["--env"], "--env is not an option, or its value is missing"),
        (["dev"], "'dev' is not an option"),
        (["--nonsense"], "--nonsense is not an option"),
    ],
)
def test_a_word_too_few_or_too_many_is_one_sentence(offline_ci, words, part):
    assert refused(offline_ci.hand_over(*words), 2, part)


def test_a_dry_run_that_is_neither_wanted_nor_unwanted_is_refused(offline_ci):
    assert refused(offline_ci.hand_over(variables={"HANDOFF_DRY_RUN": "maybe"}), 2, "HANDOFF_DRY_RUN is 'maybe'")


def test_the_build_argument_in_a_refusal_does_not_show_its_value(offline_ci):
    run = offline_ci.hand_over(build_arg="web:MODE=s3same-0pen")

    assert run.returncode == 2
    assert "s3same-0pen" not in run.stderr


def test_help_names_every_option_and_every_exit_code(offline_ci):
    run = offline_ci.run("--help")

    assert (run.returncode, run.stderr) == (0, "")
    source = (CI / "handoff.sh").read_text()
    options = set(re.findall(r"^ {4}(--[a-z-]+)\)", source, re.MULTILINE))
    assert len(options) == 14
    assert {o for o in options if not re.search(rf"^ +{o}\b", run.stdout, re.MULTILINE)} == set()
    codes = set(re.findall(r"EXIT_[A-Z]+=([0-9]+)", source))
    assert codes == {str(n) for n in range(2, 14)}
    assert {c for c in codes if not re.search(rf"(^| ) {c}  [a-z]", run.stdout, re.MULTILINE | re.IGNORECASE)} == set()
