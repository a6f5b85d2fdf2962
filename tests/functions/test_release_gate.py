"""The Verify stage as CodePipeline sees it: a job goes in, one answer comes out."""

import json
import logging
import threading
import time
from types import SimpleNamespace

import pytest
import yaml

from contract.release import Contract
from functions.gate import changes, images, release_gate, rendering, rollback, scans
from functions.shared import codepipeline_job
from functions.shared.errors import Refusal
from tests.functions import world as w
from tests.functions.world import (
    APPSPEC,
    COMMIT,
    NETWORK,
    REGISTRY,
    RELEASE,
    TASKDEF,
    both,
    context,
    entry,
    template,
    uri,
)


def test_a_good_release_is_pinned_rendered_and_described(world):
    digests = world.push_good()

    operation, body = world.gate(both())

    assert operation == "PutJobSuccessResult"
    assert body["outputVariables"] == {
        "images": f"nginx=prod-{COMMIT}, app=prod-{COMMIT}",
        "digests": f"nginx={digests['nginx']}, app={digests['app']}",
        "commit": COMMIT,
        "scan": "nginx: no findings; app: no findings",
        "changes": "first release: nothing runs yet",
    }
    files = world.released()
    assert sorted(files) == ["appspec.yaml", "imagedefinitions.json", "taskdef.json"]
    properties = yaml.safe_load(APPSPEC)["Resources"][0]["TargetService"]["Properties"]
    assert yaml.safe_load(files["appspec.yaml"])["Resources"][0]["TargetService"]["Properties"] == properties | {
        "NetworkConfiguration": {
            "AwsvpcConfiguration": {
                "Subnets": NETWORK["subnets"],
                "SecurityGroups": NETWORK["securityGroups"],
                "AssignPublicIp": "DISABLED",
            }
        }
    }
    assert files["appspec.yaml"].decode().startswith(APPSPEC.partition("<NETWORK>")[0])
    assert json.loads(files["imagedefinitions.json"]) == [
        {"name": name, "imageUri": f"{REGISTRY}/prod/api/{name}@{digests[name]}"} for name in ("nginx", "app")
    ]
    pinned = [
        {**entry, "image": f"{REGISTRY}/prod/api/{entry['name']}@{digests[entry['name']]}"}
        for entry in TASKDEF["containerDefinitions"]
    ]
    assert json.loads(files["taskdef.json"]) == {**TASKDEF, "containerDefinitions": pinned}


def test_the_order_of_entries_and_of_their_keys_does_not_matter(world):
    world.push_good()
    world.gate(both())
    first = world.released()

    operation, _ = world.gate([{"imageUri": uri(name), "name": name} for name in ("app", "nginx")])

    assert operation == "PutJobSuccessResult"
    assert world.released() == first


def test_the_same_job_twice_writes_the_same_artifact_byte_for_byte(world):
    world.push_good()

    world.gate(both())
    first = world.s3.get_object(Bucket=w.BUCKET, Key="Release")["Body"].read()
    world.gate(both())
    second = world.s3.get_object(Bucket=w.BUCKET, Key="Release")["Body"].read()

    assert first == second
    assert world.answers[0] == world.answers[1]


def test_a_tag_with_the_digest_it_stands_for_is_accepted(world):
    digests = world.push_good()

    operation, _ = world.gate(both(app=f"{uri('app')}@{digests['app']}"))

    assert operation == "PutJobSuccessResult"


def test_containers_of_two_commits_are_both_named(world):
    world.push_good()
    world.push_good("f" * 40)

    _, body = world.gate(both(app=uri("app", "f" * 40)))

    assert body["outputVariables"]["commit"] == "nginx=1a2b3c4, app=fffffff"


def test_a_rolling_service_needs_no_appspec(world):
    world.push_good()
    world.put("Template", template({**RELEASE, "strategy": "rolling", "appspec": False}, appspec=None))

    world.gate(both())

    assert sorted(world.released()) == ["imagedefinitions.json", "taskdef.json"]


def test_a_side_car_that_infrastructure_pins_keeps_its_image(world):
    world.push_good()
    side_car = {"name": "agent", "image": "public.ecr.aws/agent@sha256:1", "essential": False}
    containers = [*TASKDEF["containerDefinitions"], side_car]
    world.put("Template", template(taskdef={**TASKDEF, "containerDefinitions": containers}))

    world.gate(both())

    assert json.loads(world.released()["taskdef.json"])["containerDefinitions"][2] == side_car


def test_the_artifact_is_encrypted_with_the_pipelines_own_key(world):
    world.push_good()
    puts = []
    world.watch("s3", "PutObject", puts.append)

    world.gate(both(), key="arn:aws:kms:ap-northeast-1:123456789012:key/1")

    headers = puts[-1]["headers"]
    assert headers["x-amz-server-side-encryption"] == "aws:kms"
    assert headers["x-amz-server-side-encryption-aws-kms-key-id"] == "arn:aws:kms:ap-northeast-1:123456789012:key/1"


def test_artifacts_are_read_and_written_with_the_jobs_credentials(world):
    world.push_good()
    world.put("Handoff", w.hand_off(both()))
    world.signed.clear()

    world.gate()

    to_s3 = [bytes(one.headers["Authorization"]).decode() for one in world.signed if ".s3." in one.url]
    # Two artifacts read, one written.
    assert len(to_s3) == 3
    assert all("Credential=ASIAJOBACCESSKEY/" in one for one in to_s3)


def test_the_jobs_credentials_stand_in_no_log_and_no_answer(world, caplog, capfd):
    caplog.set_level(logging.DEBUG, logger="functions")
    world.push_good()
    world.gate(both())
    world.gate(b"")
    world.fail("ecr", "BatchGetImage", "AccessDeniedException", message="not allowed")
    world.gate(both())
    world.gate(both(), outputArtifacts=[])

    said = caplog.text + "".join(capfd.readouterr()) + json.dumps(world.answers)

    assert len(world.answers) == 4
    for secret in w.CREDENTIALS.values():
        assert secret not in said


def test_a_job_prints_without_its_credentials():
    job = codepipeline_job.read({"id": "1", "data": w.World.job_data()})

    assert "the-job-secret" not in repr(job)
    assert "the-job-secret" in job.credentials.values()


class TestArchitecture:
    def test_an_image_without_the_tasks_architecture_is_refused(self, world):
        world.push_good()
        world.push_index("app", "prod-" + "b" * 40, machines=("amd64",))

        said = world.refused(both(app=uri("app", "b" * 40)))

        assert said == (
            f"Container app: prod/api/app:prod-{'b' * 40} runs on linux/amd64; the task runs on linux/arm64, so build "
            "it with --platform linux/arm64 under a new commit."
        )

    def test_attestations_in_an_index_do_not_count_as_platforms(self, world):
        world.push_good()
        unknown = {"architecture": "unknown", "os": "unknown"}
        attestation = {"mediaType": w.MANIFEST, "digest": w.sha("a"), "size": 1, "platform": unknown}
        provenance = {
            "mediaType": w.MANIFEST,
            "digest": w.sha("b"),
            "size": 1,
            "annotations": {"vnd.docker.reference.type": "attestation-manifest"},
            "platform": unknown,
        }
        _, children = world.push_index("app", "prod-" + "b" * 40, extra=[attestation, provenance])
        world.scanned("app", children["arm64"])

        operation, _ = world.gate(both(app=uri("app", "b" * 40)))

        assert operation == "PutJobSuccessResult"

    def test_an_index_of_attestations_alone_is_refused(self, world):
        world.push_good()
        unknown = {"architecture": "unknown", "os": "unknown"}
        attestation = {"mediaType": w.MANIFEST, "digest": w.sha("a"), "size": 1, "platform": unknown}
        world.push_index("app", "prod-" + "b" * 40, machines=(), extra=[attestation])

        assert "runs on no platform at all" in world.refused(both(app=uri("app", "b" * 40)))

    def test_a_single_manifest_is_judged_by_its_configuration(self, world):
        world.push_good()
        good = world.push_image("app", "prod-" + "b" * 40, "arm64")
        world.scanned("app", good)
        world.push_image("app", "prod-" + "c" * 40, "amd64")

        operation, _ = world.gate(both(app=uri("app", "b" * 40)))
        said = world.refused(both(app=uri("app", "c" * 40)))

        assert operation == "PutJobSuccessResult"
        assert "runs on linux/amd64" in said

    def test_a_manifest_in_an_index_that_names_no_platform_is_judged_by_its_configuration(self, world):
        world.push_good()
        child = world.push_image("app", None, "arm64", "quiet")
        world.scanned("app", child)
        silent = {"mediaType": w.MANIFEST, "digest": child, "size": 1}
        world.push_index("app", "prod-" + "b" * 40, machines=("amd64",), extra=[silent])

        operation, _ = world.gate(both(app=uri("app", "b" * 40)))

        assert operation == "PutJobSuccessResult"

    def test_an_image_for_windows_is_refused(self, world):
        world.push_good()
        world.push_image("app", "prod-" + "b" * 40, "arm64", os="windows")

        assert "runs on windows/arm64" in world.refused(both(app=uri("app", "b" * 40)))

    def test_a_configuration_that_is_not_the_promised_one_is_refused(self, world):
        world.push_good()
        world.push_image("app", "prod-" + "b" * 40, "arm64")
        world.blobs = dict.fromkeys(world.blobs, b'{"os": "linux", "architecture": "arm64"}')

        assert "is not the sha256:" in world.refused(both(app=uri("app", "b" * 40)))

    def test_a_configuration_that_cannot_be_fetched_is_no_verdict_on_the_image(self, world, monkeypatch):
        world.push_good()
        world.push_image("app", "prod-" + "b" * 40, "arm64")

        def broken(address, cap):
            raise TimeoutError

        monkeypatch.setattr(images, "fetch", broken)

        _, body = world.gate(both(app=uri("app", "b" * 40)))

        assert body["failureDetails"]["type"] == "SystemUnavailable"
        assert "could not be fetched" in body["failureDetails"]["message"]

    @pytest.mark.parametrize(
        ("manifest", "says"),
        [
            ({"config": {"mediaType": "application/vnd.cncf.helm.config.v1+json"}}, "is not a container image"),
            ({"schemaVersion": 2}, "is not a container image"),
            ([], "must be an object"),
            ("{", "is not JSON"),
            ({"manifests": "none"}, "no platform at all"),
            ({"manifests": [{"digest": "sha256:0"}] * 51}, "more than 50 manifests"),
            ({"manifests": [7, {"platform": {"os": 7}, "mediaType": w.INDEX}]}, "runs on 7/None"),
            ({"manifests": [{"platform": 7}]}, 'an entry in its index with the digest "None"'),
            ({"mediaType": "application/vnd.docker.distribution.manifest.v1+prettyjws"}, "is not a container image"),
        ],
    )
    def test_what_is_no_image_is_refused(self, world, manifest, says):
        world.push_good()
        text = manifest if isinstance(manifest, str) else json.dumps(manifest)
        found = {"imageId": {"imageDigest": w.sha(text)}, "imageManifest": text}
        world.reply("ecr", "BatchGetImage", 200, {"images": [found]})

        assert says in world.refused(both())

    @pytest.mark.parametrize(
        ("kind", "parts"),
        [
            (w.MANIFEST, ("config", "layers", "manifests")),
            (w.INDEX, ("config", "layers", "manifests")),
            (w.INDEX, ("manifests", "layers")),
            (None, ("config", "manifests")),
            (w.MANIFEST, ("manifests",)),
            (w.INDEX, ("config",)),
        ],
    )
    def test_a_manifest_with_two_readings_is_refused(self, world, kind, parts):
        world.push_good()
        clean = world.push_image("app", None, "arm64", "decoy")
        world.scanned("app", clean)
        every = {
            "config": {"mediaType": w.CONFIG, "digest": w.sha("x"), "size": 1},
            "layers": [{"digest": w.sha("bad")}],
            "manifests": [
                {"mediaType": w.MANIFEST, "digest": clean, "platform": {"os": "linux", "architecture": "arm64"}}
            ],
        }
        media = {"mediaType": kind} if kind else {}
        manifest = {"schemaVersion": 2, **media, **{part: every[part] for part in parts}}
        text = json.dumps(manifest)
        found = {"imageId": {"imageDigest": w.sha(text)}, "imageManifest": text}
        world.reply("ecr", "BatchGetImage", 200, {"images": [found]})

        said = world.refused(both())

        assert "has two readings" in said
        assert said.startswith("Container nginx: prod/api/nginx:")

    def test_a_manifest_that_ecr_keeps_as_something_else_is_refused(self, world):
        world.push_good()
        text = json.dumps({"schemaVersion": 2, "mediaType": w.INDEX, "manifests": []})
        found = {"imageId": {"imageDigest": w.sha(text)}, "imageManifest": text, "imageManifestMediaType": w.MANIFEST}
        world.reply("ecr", "BatchGetImage", 200, {"images": [found]})

        assert f'has two readings: its manifest says "{w.INDEX}" and ECR keeps it as {w.MANIFEST}' in world.refused(
            both()
        )

    def index_of(self, world, **entry):
        """Push an index for app whose one entry says that it runs on linux/arm64."""
        arm = {"os": "linux", "architecture": "arm64"}
        world.push_index(
            "app", "prod-" + "b" * 40, machines=(), extra=[{"mediaType": w.MANIFEST, "platform": arm, **entry}]
        )
        return world.refused(both(app=uri("app", "b" * 40)))

    def test_an_index_that_says_something_else_than_its_image_is_refused(self, world):
        world.push_good()
        child = world.push_image("app", None, "amd64", "lie")
        world.scanned("app", child)

        said = self.index_of(world, digest=child)

        assert (
            f"says in its index that {child} runs on linux/arm64, and that image's own configuration says linux/amd64"
            in said
        )

    def test_an_index_inside_an_index_is_refused(self, world):
        world.push_good()
        inner, children = world.push_index("app", None, seed="inner")
        world.scanned("app", children["arm64"], {"CRITICAL": 9})

        assert f"has an index inside its index ({inner})" in self.index_of(world, digest=inner)

    def test_an_image_that_is_missing_under_its_index_is_named(self, world):
        world.push_good()
        gone = w.sha("gone")

        said = self.index_of(world, digest=gone)

        assert said == (
            f"Container app: prod/api/app:prod-{'b' * 40} ({gone}) does not exist in ECR; push the image before handing it "
            "over."
        )

    def test_an_entry_that_runs_and_is_no_image_is_refused(self, world):
        world.push_good()
        helm = {"mediaType": "application/vnd.cncf.helm.config.v1+json", "digest": w.sha("h"), "size": 1}
        child = world.push_manifest(
            "app", None, {"schemaVersion": 2, "mediaType": w.MANIFEST, "config": helm, "layers": []}
        )

        assert "is not a container image" in self.index_of(world, digest=child)

    @pytest.mark.parametrize(
        "hidden",
        [
            {"platform": {"os": "linux", "architecture": "aarch64"}},
            {"platform": {"os": "Linux", "architecture": "ARM64"}},
            {
                "platform": {"os": "linux", "architecture": "arm64"},
                "annotations": {"vnd.docker.reference.type": "attestation-manifest"},
            },
            {"annotations": {"vnd.docker.reference.type": "attestation-manifest"}},
        ],
    )
    def test_an_entry_that_a_container_runtime_would_take_is_not_passed_over(self, world, hidden):
        """containerd compares platforms normalized, and reads no annotations (platforms.Normalize, images.Manifest)."""
        world.push_good()
        bad = world.push_image("app", None, "arm64", "hidden")
        world.scanned("app", bad, {"CRITICAL": 9})
        extra = [{"mediaType": w.MANIFEST, "digest": bad, "size": 1, **hidden}]
        _, children = world.push_index("app", "prod-" + "b" * 40, extra=extra)
        world.scanned("app", children["arm64"])

        assert "has findings (9 CRITICAL)" in world.refused(both(app=uri("app", "b" * 40)))


class TestScan:
    def test_findings_at_the_threshold_are_refused_and_counted(self, world):
        world.push_good()
        _, children = world.push_index("app", "prod-" + "b" * 40)
        world.scanned("app", children["arm64"], {"CRITICAL": 2, "HIGH": 5, "MEDIUM": 9})

        said = world.refused(both(app=uri("app", "b" * 40)))

        assert said == (
            f"Container app: prod/api/app:prod-{'b' * 40} has findings (2 CRITICAL and 5 HIGH); prod allows none at HIGH "
            "or above, so fix them and hand over a new commit."
        )

    def test_findings_of_another_architecture_than_the_tasks_do_not_count(self, world):
        world.push_good()
        _, children = world.push_index("app", "prod-" + "b" * 40)
        world.scanned("app", children["arm64"])
        world.scanned("app", children["amd64"], {"CRITICAL": 1})

        operation, _ = world.gate(both(app=uri("app", "b" * 40)))

        assert operation == "PutJobSuccessResult"

    @pytest.mark.parametrize(
        ("threshold", "counts", "refused"),
        [
            ("CRITICAL", {"HIGH": 9}, False),
            ("CRITICAL", {"CRITICAL": 1}, True),
            ("MEDIUM", {"LOW": 9, "UNDEFINED": 3}, False),
            ("MEDIUM", {"CRITICAL": 1}, True),
            ("LOW", {"INFORMATIONAL": 4}, False),
            ("LOW", {"LOW": 1}, True),
            ("LOW", {"UNTRIAGED": 1}, True),
            ("LOW", {"UNDEFINED": 1}, True),
            ("CRITICAL", {"SEVERE": 3}, True),
            ("CRITICAL", {"SEVERE": 0}, False),
            ("NONE", {"CRITICAL": 99, "SEVERE": 1}, False),
        ],
    )
    def test_the_threshold_is_the_lowest_severity_that_refuses(self, world, threshold, counts, refused):
        world.push_good()
        world.put("Template", template({**RELEASE, "scan": {"threshold": threshold, "unsupported": "refuse"}}))
        _, children = world.push_index("app", "prod-" + "b" * 40)
        world.scanned("app", children["arm64"], counts, status="ACTIVE")

        operation, body = world.gate(both(app=uri("app", "b" * 40)))

        assert (operation == "PutJobFailureResult") is refused
        if not refused:
            assert ("no findings" in body["outputVariables"]["scan"].partition("app: ")[2]) is (
                not any(counts.values())
            )

    def test_a_pending_scan_is_waited_for_by_continuation_and_never_by_sleeping(self, world, monkeypatch):
        digests = world.push_good()
        _, children = world.push_index("app", "prod-" + "b" * 40)
        world.scanned("app", children["arm64"], status="IN_PROGRESS")
        monkeypatch.setattr(time, "sleep", pytest.fail)

        operation, waiting = world.gate(both(app=uri("app", "b" * 40)))
        token = waiting["continuationToken"]
        world.scanned("app", children["arm64"], {"LOW": 1})
        after, body = world.gate(number=2, token=token)

        assert operation == "PutJobSuccessResult"
        assert waiting["executionDetails"]["summary"] == "Waiting for the scan of app."
        # The API takes no variables beside a token.
        assert "outputVariables" not in waiting
        assert after == "PutJobSuccessResult"
        assert body["outputVariables"]["scan"] == "nginx: no findings; app: 1 LOW"
        assert body["outputVariables"]["digests"].startswith(f"nginx={digests['nginx']}")

    def test_nothing_is_written_while_a_scan_is_pending(self, world):
        world.push_good()
        _, children = world.push_index("app", "prod-" + "b" * 40)
        world.scanned("app", children["arm64"], status="PENDING")

        world.gate(both(app=uri("app", "b" * 40)))

        assert world.released() is None

    def test_the_wait_for_a_scan_has_an_end(self, world, monkeypatch):
        world.push_good()
        _, children = world.push_index("app", "prod-" + "b" * 40)
        world.scanned("app", children["arm64"], status="IN_PROGRESS")
        began = time.time()
        _, first = world.gate(both(app=uri("app", "b" * 40)))

        monkeypatch.setattr(time, "time", lambda: began + 29 * 60)
        _, second = world.gate(token=first["continuationToken"])
        monkeypatch.setattr(time, "time", lambda: began + 31 * 60)
        said = world.refused(token=second["continuationToken"])

        assert json.loads(second["continuationToken"]) == json.loads(first["continuationToken"])
        assert "is IN_PROGRESS after 30 minutes" in said

    def test_a_scan_that_has_not_begun_gets_a_moment_and_then_counts_as_off(self, world, monkeypatch):
        world.push_good()
        world.push_index("app", "prod-" + "b" * 40)

        _, waiting = world.gate(both(app=uri("app", "b" * 40)))
        waited = time.time()
        monkeypatch.setattr(time, "time", lambda: waited + 121)
        said = world.refused(token=waiting["continuationToken"])

        assert "has no scan result: NOT_SCANNED" in said
        assert "switch scanning on" in said

    @pytest.mark.parametrize(
        ("status", "remark"),
        [
            ("FAILED", "UnsupportedImageError: no packages."),
            ("UNSUPPORTED_IMAGE", ""),
            ("UNSUPPORTED_IMAGE", "Scratch."),
            ("IMAGE_SIZE_EXCEEDED", ""),
        ],
    )
    @pytest.mark.parametrize("threshold", ["HIGH", "NONE"])
    @pytest.mark.parametrize("unsupported", ["allow", "refuse"])
    def test_an_image_that_cannot_be_scanned_is_treated_as_the_contract_says(
        self, world, status, remark, threshold, unsupported
    ):
        world.push_good()
        world.put("Template", template({**RELEASE, "scan": {"threshold": threshold, "unsupported": unsupported}}))
        _, children = world.push_index("app", "prod-" + "b" * 40)
        world.scanned("app", children["arm64"], status=status, description=remark)

        operation, body = world.gate(both(app=uri("app", "b" * 40)))

        if unsupported == "allow":
            assert body["outputVariables"]["scan"].endswith(f"app: no result ({status})")
        else:
            assert operation == "PutJobFailureResult"
            why = f"{status} ({remark.rstrip('.')})" if remark else status
            assert f"cannot be scanned: {why};" in body["failureDetails"]["message"]

    @pytest.mark.parametrize(
        ("status", "remedy"),
        [
            ("SCAN_ELIGIBILITY_EXPIRED", "lengthen the registry's re-scan duration"),
            ("FINDINGS_UNAVAILABLE", "under a new commit"),
            ("LIMIT_EXCEEDED", "tomorrow"),
        ],
    )
    @pytest.mark.parametrize("unsupported", ["allow", "refuse"])
    def test_a_state_that_waiting_does_not_end_is_refused_whatever_the_contract_says(
        self, world, status, remedy, unsupported
    ):
        world.push_good()
        world.put("Template", template({**RELEASE, "scan": {"threshold": "HIGH", "unsupported": unsupported}}))
        _, children = world.push_index("app", "prod-" + "b" * 40)
        world.scanned("app", children["arm64"], {"CRITICAL": 2}, status=status)

        said = world.refused(both(app=uri("app", "b" * 40)))

        assert said.startswith(f"Container app: prod/api/app:prod-{'b' * 40} has no scan result: {status}; ")
        assert remedy in said
        assert world.released() is None

    @pytest.mark.parametrize(
        ("status", "after", "says"),
        [
            ("FAILED", 121, "has no scan result: FAILED (Internal error); the scan failed: let ECR scan it again"),
            ("NEVER_HEARD_OF", 31 * 60, "its scan is NEVER_HEARD_OF after 30 minutes"),
            ("", 31 * 60, "its scan is UNKNOWN after 30 minutes"),
        ],
    )
    def test_another_state_without_a_result_waits_and_is_then_refused(self, world, monkeypatch, status, after, says):
        world.push_good()
        world.put("Template", template({**RELEASE, "scan": {"threshold": "CRITICAL", "unsupported": "allow"}}))
        world.push_index("app", "prod-" + "b" * 40)
        state = {"status": status, "description": "Internal error."} if status else {}
        world.reply("ecr", "DescribeImageScanFindings", 200, {"imageScanStatus": state})
        began = time.time()

        _, waiting = world.gate(both(app=uri("app", "b" * 40)))
        monkeypatch.setattr(time, "time", lambda: began + after)
        said = world.refused(token=waiting["continuationToken"])

        assert says in said

    def test_a_result_without_findings_is_no_result(self, world, monkeypatch):
        world.push_good()
        world.reply("ecr", "DescribeImageScanFindings", 200, {"imageScanStatus": {"status": "COMPLETE"}})
        began = time.time()

        _, waiting = world.gate(both())
        monkeypatch.setattr(time, "time", lambda: began + 31 * 60)

        assert "its scan is COMPLETE after 30 minutes" in world.refused(token=waiting["continuationToken"])

    @pytest.mark.parametrize("counts", [{}, {"findingSeverityCounts": {}}])
    @pytest.mark.parametrize(("kind", "status"), [("findings", "COMPLETE"), ("enhancedFindings", "ACTIVE")])
    def test_findings_that_ecr_has_not_counted_are_counted(self, world, counts, kind, status):
        world.push_good()
        pages = {None: (["HIGH"] * 2, "more"), "more": (["CRITICAL", "LOW"], None)}

        def listed(_, params):
            severities, token = pages[json.loads(params["body"]).get("nextToken")]
            found = {kind: [{"severity": severity} for severity in severities], **counts}
            more = {"nextToken": token} if token else {}
            said = {"imageScanStatus": {"status": status}, "imageScanFindings": found, **more}
            return SimpleNamespace(status_code=200), said

        world.replies["ecr", "DescribeImageScanFindings"] = listed

        assert "has findings (1 CRITICAL and 2 HIGH)" in world.refused(both())

    def test_findings_without_an_end_are_refused(self, world):
        world.push_good()
        found = {"findings": [{"severity": "LOW"}]}
        answer = {"imageScanStatus": {"status": "COMPLETE"}, "imageScanFindings": found, "nextToken": "again"}
        world.reply("ecr", "DescribeImageScanFindings", 200, answer)

        assert "more findings than can be counted" in world.refused(both())

    def test_a_clean_image_whose_findings_are_listed_and_not_counted_is_released(self, world):
        world.push_good()
        found = {"enhancedFindings": []}
        answer = {"imageScanStatus": {"status": "ACTIVE"}, "imageScanFindings": found}
        world.reply("ecr", "DescribeImageScanFindings", 200, answer)

        operation, body = world.gate(both())

        assert operation == "PutJobSuccessResult"
        assert body["outputVariables"]["scan"] == "nginx: no findings; app: no findings"

    def test_an_archived_image_is_refused_whatever_the_contract_says(self, world):
        world.push_good()
        world.put("Template", template({**RELEASE, "scan": {"threshold": "NONE", "unsupported": "allow"}}))
        _, children = world.push_index("app", "prod-" + "b" * 40)
        world.scanned("app", children["arm64"], status="IMAGE_ARCHIVED")

        assert "is archived" in world.refused(both(app=uri("app", "b" * 40)))

    def test_where_no_result_could_refuse_anything_nobody_waits(self, world):
        world.push_good()
        world.put("Template", template({**RELEASE, "scan": {"threshold": "NONE", "unsupported": "allow"}}))
        _, children = world.push_index("app", "prod-" + "b" * 40)
        world.scanned("app", children["arm64"], status="IN_PROGRESS")

        _, body = world.gate(both(app=uri("app", "b" * 40)))

        assert body["outputVariables"]["scan"].endswith("app: no result (IN_PROGRESS)")

    def test_without_a_threshold_an_image_still_has_to_be_scanned_where_the_contract_says_so(self, world, monkeypatch):
        world.push_good()
        world.put("Template", template({**RELEASE, "scan": {"threshold": "NONE", "unsupported": "refuse"}}))
        world.push_index("app", "prod-" + "b" * 40)

        operation, waiting = world.gate(both(app=uri("app", "b" * 40)))
        waited = time.time()
        monkeypatch.setattr(time, "time", lambda: waited + 121)

        assert operation == "PutJobSuccessResult"
        assert "has no scan result: NOT_SCANNED" in world.refused(token=waiting["continuationToken"])


class TestRollBack:
    """A release of what ran before is not refused for what scanning has found since."""

    @pytest.fixture
    def ran(self, world):
        """Two releases, of which the second runs: their hand-offs by number, all with a finding by now."""
        handoffs = []
        digests = {}
        for commit in ("b" * 40, "c" * 40):
            for container in ("nginx", "app"):
                digests[container], children = world.push_index(container, f"prod-{commit}")
                world.scanned(container, children["arm64"], {"CRITICAL": 1})
            handoffs.append([entry(container, uri(container, commit)) for container in ("nginx", "app")])
            if commit.startswith("b"):
                world.register(digests)
        world.run(digests, "ECS")
        return handoffs

    def test_what_ran_before_is_released_and_its_findings_are_shown(self, world, ran):
        operation, body = world.gate(ran[0])

        assert operation == "PutJobSuccessResult", body
        assert body["outputVariables"]["scan"] == "nginx: 1 CRITICAL; app: 1 CRITICAL"

    def test_what_runs_is_released_again(self, world, ran):
        operation, _ = world.gate(ran[1])

        assert operation == "PutJobSuccessResult"

    def test_an_image_that_never_ran_is_refused_beside_one_that_did(self, world, ran):
        _, children = world.push_index("app", "prod-" + "d" * 40)
        world.scanned("app", children["arm64"], {"CRITICAL": 1})

        assert "has findings" in world.refused([ran[0][0], entry("app", uri("app", "d" * 40))])

    def test_an_image_that_ran_in_another_container_is_refused(self, world):
        digests = world.push_good()
        _, children = world.push_index("app", "prod-" + "d" * 40)
        world.scanned("app", children["arm64"], {"CRITICAL": 1})
        world.run({"nginx": digests["nginx"], "app": digests["app"]}, "ECS")

        assert "has findings" in world.refused(both(app=uri("app", "d" * 40)))

    def test_a_revision_that_was_deleted_hides_none_before_it(self, world, ran):
        newest = world.register(world.push_good())
        world.ecs.update_service(cluster="prod", service="prod-api", taskDefinition=newest)
        error = {"Error": {"Code": "ClientException", "Message": "Unable to describe task definition."}}

        def describe(_, params):
            gone = json.loads(params["body"])["taskDefinition"].endswith(":2")
            return (SimpleNamespace(status_code=400), error) if gone else None

        world.replies["ecs", "DescribeTaskDefinition"] = describe

        assert world.gate(ran[0])[0] == "PutJobSuccessResult"
        assert "has findings" in world.refused(ran[1])

    def test_only_the_last_revisions_count(self, world, ran):
        other = world.push_good()
        for _ in range(rollback.REVISIONS):
            newest = world.register(other)
        world.ecs.update_service(cluster="prod", service="prod-api", taskDefinition=newest)

        assert "has findings" in world.refused(ran[0])

    def test_an_archived_image_is_refused_though_it_ran(self, world, ran):
        for digest in (one["imageDigest"] for one in world.ecr.list_images(repositoryName="prod/api/app")["imageIds"]):
            world.scanned("app", digest, status="IMAGE_ARCHIVED")

        assert "is archived" in world.refused(ran[0])

    @pytest.mark.usefixtures("ran")
    def test_nothing_is_looked_up_where_nothing_is_refused(self, world):
        world.push_good()
        world.calls.clear()

        world.gate(both())

        assert world.calls.count("ecs:DescribeTaskDefinition") == 1


class TestChanges:
    def test_each_container_is_compared_with_the_primary_task_set(self, world):
        world.push_good()
        before = world.push_good("0" * 40)
        world.run(before, controller="CODE_DEPLOY")

        _, body = world.gate(both(nginx=uri("nginx", "0" * 40)))

        assert body["outputVariables"]["changes"] == "nginx unchanged (prod-0000000); app prod-0000000 -> prod-1a2b3c4"

    @pytest.mark.parametrize(
        ("service", "live"),
        [
            (
                {
                    "deploymentController": {"type": "CODE_DEPLOY"},
                    "taskSets": [
                        {"status": "ACTIVE", "taskDefinition": "green:8"},
                        {"status": "PRIMARY", "taskDefinition": "blue:7"},
                        {"status": "DRAINING", "taskDefinition": "old:6"},
                    ],
                },
                "blue:7",
            ),
            ({"taskDefinition": "rolling:5", "taskSets": []}, "rolling:5"),
            ({"taskDefinition": "rolling:5"}, "rolling:5"),
            ({"taskSets": []}, None),
        ],
    )
    def test_what_serves_is_the_primary_task_set_and_else_the_services_own_revision(self, service, live):
        assert changes.live_task_definition(service) == live

    def test_a_rolling_service_is_compared_by_its_own_task_definition(self, world):
        world.put("Template", template({**RELEASE, "strategy": "rolling", "appspec": False}, appspec=None))
        world.push_good()
        before = world.push_good("0" * 40)
        world.run(before, controller="ECS")

        _, body = world.gate(both())

        assert body["outputVariables"]["changes"] == (
            "nginx prod-0000000 -> prod-1a2b3c4; app prod-0000000 -> prod-1a2b3c4"
        )

    def test_a_running_image_that_the_registry_forgot_is_named_by_its_digest(self, world):
        world.push_good()
        gone = {"nginx": "sha256:" + "9" * 64, "app": "sha256:" + "8" * 64}
        world.run(gone, controller="CODE_DEPLOY")

        _, body = world.gate(both())

        assert "app 888888888888 -> prod-1a2b3c4" in body["outputVariables"]["changes"]

    def test_settings_that_differ_are_named_without_their_values(self, world):
        before = world.push_good("0" * 40)
        world.push_good()
        world.run(before, controller="CODE_DEPLOY")
        containers = [
            TASKDEF["containerDefinitions"][0],
            {**TASKDEF["containerDefinitions"][1], "environment": [{"name": "KEY", "value": "hidden"}]},
        ]
        world.put("Template", template(taskdef={**TASKDEF, "cpu": "1024", "containerDefinitions": containers}))

        _, body = world.gate(both())

        said = body["outputVariables"]["changes"]
        assert said.endswith("; task settings changed: cpu; app settings changed: environment")
        assert "hidden" not in said

    def test_variables_fit_an_approvals_text_together_however_many_containers_there_are(self):
        pinned = [
            images.PinnedImage(
                container=f"container-{number:02}",
                repository="r",
                tag=f"prod-{number:02}{'a' * 62}",
                commit=f"{number:02}{'a' * 62}",
                digest=w.sha(str(number)),
                runs=(),
            )
            for number in range(40)
        ]
        scanned = [(image, scans.Scan(status="COMPLETE", remark="", counts={"LOW": 1})) for image in pinned]

        variables = release_gate._variables(pinned, scanned, "x" * 5_000)

        assert sum(len(value) for name, value in variables.items() if name != "digests") <= 850
        assert len(variables["digests"]) <= 900
        assert variables["images"].startswith("container-00=prod-00aaaaa, ")
        assert all(value.endswith("...") for value in variables.values())


class TestTemplate:
    @pytest.mark.parametrize(
        ("changed", "says"),
        [
            ({"version": 2}, "has 2 at version"),
            ({"version": None}, "has nothing at version"),
            ({"environment": "Prod"}, "at environment"),
            ({"production": "yes"}, '"yes" at production'),
            ({"account": "12345"}, '"12345" at account'),
            ({"region": "tokyo"}, '"tokyo" at region'),
            ({"service": ""}, "at service"),
            ({"cluster": None}, "nothing at cluster"),
            ({"ecsService": 7}, "7 at ecsService"),
            ({"strategy": "Blue/Green"}, '"Blue/Green" at strategy'),
            ({"strategy": None}, "nothing at strategy"),
            ({"appspec": None}, "nothing at appspec; allowed is true or false"),
            ({"appspec": "yes"}, '"yes" at appspec'),
            ({"architecture": "arm64"}, '"arm64" at architecture; allowed is ARM64 or X86_64'),
            ({"containers": {}}, "at containers"),
            ({"containers": {"app": {}}}, "nothing at containers.app.repository"),
            ({"containers": {"a b": {"repository": "x"}}}, '"a b" at containers'),
            ({"scan": None}, "nothing at scan"),
            ({"scan": {"threshold": "high", "unsupported": "allow"}}, '"high" at scan.threshold'),
            ({"scan": {"threshold": "HIGH"}}, "nothing at scan.unsupported"),
        ],
    )
    def test_a_wrong_contract_is_named_by_its_key(self, changed, says):
        with pytest.raises(Refusal, match=r"^The template's release\.json has ") as refused:
            rendering.contract(json.dumps({**RELEASE, **changed}).encode())

        assert says in str(refused.value)
        assert refused.value.kind == "ConfigurationError"

    def test_a_wrong_contract_fails_the_job_as_a_fault_of_configuration(self, world):
        world.put("Template", template({**RELEASE, "strategy": 7}))

        _, body = world.gate(both())

        assert body["failureDetails"]["type"] == "ConfigurationError"
        assert "7 at strategy" in body["failureDetails"]["message"]

    @pytest.mark.parametrize(
        ("appspec", "says"),
        [
            (None, "appspec.yaml is missing"),
            (APPSPEC.replace("<TASK_DEFINITION>", "arn:aws:ecs:x"), "<TASK_DEFINITION> 0 times"),
            (APPSPEC + "# <TASK_DEFINITION>\n", None),
            (APPSPEC + "Hooks: <TASK_DEFINITION>\n", "2 times"),
            (APPSPEC.partition("        CapacityProviderStrategy")[0], "lacks CapacityProviderStrategy"),
            (APPSPEC.replace("        Cap", "        # Cap"), "lacks CapacityProviderStrategy"),
            (APPSPEC.partition("\n          - CapacityProvider:")[0] + " []\n", "empty CapacityProviderStrategy"),
            (b"\xff" + APPSPEC.encode(), "not UTF-8"),
            (APPSPEC.replace("        Net", "        # Net"), "NetworkConfiguration: <NETWORK> 0 times"),
            (APPSPEC.replace("<NETWORK>", "{}"), "NetworkConfiguration: <NETWORK> 0 times"),
            (APPSPEC + "Network" + "Configuration: <NETWORK>\n", "NetworkConfiguration: <NETWORK> 2 times"),
            (APPSPEC.replace("<NETWORK>", "'<NETWORK>'"), None),
        ],
    )
    def test_an_appspec_that_would_lose_something_is_refused(self, world, appspec, says):
        world.push_good()
        world.put("Template", template(appspec=appspec))

        operation, body = world.gate(both())

        if says is None:
            assert operation == "PutJobSuccessResult"
        else:
            assert says in body["failureDetails"]["message"]
            assert body["failureDetails"]["type"] == "ConfigurationError"
            assert world.released() is None

    @pytest.mark.parametrize("quote", ["", '"', "'"])
    def test_the_network_of_an_appspec_in_one_line_is_an_object(self, quote):
        line = f'{{"T": "<TASK_DEFINITION>", "CapacityProviderStrategy": [1], "NetworkConfiguration": {quote}<NETWORK>'

        spec = rendering.app_spec(f"{line}{quote}}}".encode(), Contract.parse(RELEASE), NETWORK)

        assert yaml.safe_load(spec)["NetworkConfiguration"]["AwsvpcConfiguration"]["Subnets"] == NETWORK["subnets"]

    @pytest.mark.parametrize(
        ("network", "says"),
        [
            (None, "nothing at network.subnets; allowed are 1 to 16 ids like subnet-0a1b2c3d4e5f60718"),
            ("vpc-0a1b2c3d", "nothing at network.subnets"),
            ({**NETWORK, "subnets": []}, "[] at network.subnets"),
            ({**NETWORK, "subnets": "subnet-0a1b2c3d"}, '"subnet-0a1b2c3d" at network.subnets'),
            ({**NETWORK, "subnets": ["sg-0a1b2c3d"]}, '"sg-0a1b2c3d"'),
            ({**NETWORK, "subnets": ['subnet-0a1b2c3d"}\n']}, "at network.subnets"),
            ({**NETWORK, "subnets": ["subnet-0a1b2c3d"] * 17}, "at network.subnets"),
            ({"subnets": NETWORK["subnets"]}, "nothing at network.securityGroups; allowed are 1 to 5 ids like sg-"),
            ({**NETWORK, "securityGroups": [7]}, "[7] at network.securityGroups"),
        ],
    )
    def test_a_network_that_is_none_is_refused(self, world, network, says):
        world.push_good()

        said = world.refused(both(), network=network)

        assert says in said
        assert said.startswith("The pipeline's UserParameters have ")
        assert said.endswith("; bring the stack up again.")

    def test_a_rolling_service_needs_no_network(self, world):
        world.push_good()
        world.put("Template", template({**RELEASE, "strategy": "rolling", "appspec": False}, appspec=None))

        operation, _ = world.gate(both(), network=None)

        assert operation == "PutJobSuccessResult"

    @pytest.mark.parametrize(
        ("containers", "says"),
        [
            ("none", "no list of objects"),
            ([7], "no list of objects"),
            ([TASKDEF["containerDefinitions"][0]], 'no container "app" with the image <IMAGE>'),
            ([*TASKDEF["containerDefinitions"], {"name": "db", "image": "<IMAGE>"}], '"db", which release.json'),
            ([*TASKDEF["containerDefinitions"], TASKDEF["containerDefinitions"][1]], '"app" twice'),
        ],
    )
    def test_a_task_definition_with_other_containers_than_the_contract_is_refused(self, world, containers, says):
        world.push_good()
        world.put("Template", template(taskdef={**TASKDEF, "containerDefinitions": containers}))

        assert says in world.refused(both())

    def test_a_template_of_another_service_is_refused(self, world):
        said = world.refused(both(), service="worker")

        assert said == (
            "The pipeline's UserParameters name the service \"worker\" and its template is api's; bring the stack up "
            "again."
        )

    def test_a_template_with_a_file_too_many_is_refused(self, world):
        world.put("Template", w.zipped({"release.json": RELEASE, "taskdef.json": TASKDEF, "evil.sh": b""}))

        assert "evil.sh" in world.refused(both())

    def test_a_contract_with_keys_of_a_later_gate_is_read(self, world):
        world.push_good()
        world.put("Template", template({**RELEASE, "later": True}))

        operation, _ = world.gate(both())

        assert operation == "PutJobSuccessResult"


class TestFaults:
    @pytest.mark.parametrize(
        ("code", "status", "kind", "says"),
        [
            ("ThrottlingException", 400, "SystemUnavailable", "could not answer BatchGetImage now"),
            ("ServerException", 500, "SystemUnavailable", "retry the stage"),
            ("SomethingNew", 503, "SystemUnavailable", "SomethingNew"),
            ("AccessDeniedException", 400, "PermissionError", "AWS denied BatchGetImage"),
            ("UnrecognizedClientException", 400, "PermissionError", "did not accept the credentials"),
            (
                "InvalidParameterException",
                400,
                "JobFailed",
                "AWS refused BatchGetImage (InvalidParameterException): no",
            ),
            ("RepositoryNotFoundException", 400, "ConfigurationError", "repository prod/api/nginx does not exist"),
        ],
    )
    def test_a_fault_of_aws_fails_the_job_in_one_sentence(self, world, code, status, kind, says):
        world.fail("ecr", "BatchGetImage", code, status)

        _, body = world.gate(both())

        assert body["failureDetails"]["type"] == kind
        assert says in body["failureDetails"]["message"]

    @pytest.mark.parametrize(
        ("service", "operation"),
        [
            ("s3", "GetObject"),
            ("s3", "PutObject"),
            ("ecr", "DescribeImageScanFindings"),
            ("ecs", "DescribeServices"),
        ],
    )
    def test_every_call_that_is_denied_is_named(self, world, service, operation):
        world.push_good()
        world.put("Handoff", w.hand_off(both()))
        world.fail(service, operation, "AccessDenied", 403)

        _, body = world.gate()

        assert body["failureDetails"]["type"] == "PermissionError"
        assert operation in body["failureDetails"]["message"]

    def test_an_artifact_that_is_gone_is_named(self, world):
        _, body = world.gate()

        assert body["failureDetails"] == {
            "type": "RevisionUnavailable",
            "message": "The hand-off imagedefinitions.json.zip is not in the artifact bucket any more; release again.",
        }

    def test_the_gates_own_crash_is_answered_and_logged(self, world, monkeypatch, caplog):
        def crash(*_):
            raise KeyError("oops")

        monkeypatch.setattr(release_gate, "examine", crash)

        said = world.refused(both())

        assert said == "The gate itself failed (KeyError); its log says where."
        assert "oops" in caplog.text

    def test_a_job_that_would_outlive_the_function_is_answered_before(self, world, monkeypatch):
        answered = threading.Event()
        monkeypatch.setattr(release_gate, "examine", lambda *_: answered.wait(60))

        said = world.refused(both(), milliseconds=5_200)
        answered.set()

        assert "ran out of its own time" in said

    @pytest.mark.parametrize("missing", ["Handoff", "Template"])
    def test_a_pipeline_without_an_artifact_is_a_configuration_fault(self, world, missing):
        data = world.job_data()
        left = [one for one in data["inputArtifacts"] if one["name"] != missing]

        _, body = world.gate(inputArtifacts=left)

        assert body["failureDetails"]["type"] == "ConfigurationError"
        assert f"it must have {missing} among them" in body["failureDetails"]["message"]

    @pytest.mark.parametrize("token", ["x", "[]", '{"since": "then"}'])
    def test_a_token_that_the_gate_did_not_write_is_refused(self, world, token):
        assert "continuation token" in world.refused(both(), token=token)

    @pytest.mark.parametrize("missing", sorted(w.CREDENTIALS))
    def test_a_job_without_credentials_does_not_fall_back_on_the_functions_own(self, world, missing):
        world.push_good()
        left = {key: value for key, value in w.CREDENTIALS.items() if key != missing}

        said = world.refused(both(), artifactCredentials=left)

        assert said == f"The job's artifactCredentials lack {missing}; retry the stage."

    def test_user_parameters_that_are_no_json_are_refused(self, world):
        said = world.refused(both(), actionConfiguration={"configuration": {"UserParameters": "api"}})

        assert said.startswith("The action's UserParameters is not JSON")

    def test_a_job_answered_before_is_left_alone(self, world):
        world.push_good()
        world.put("Handoff", w.hand_off(both()))
        world.fail("codepipeline", "PutJobSuccessResult", "InvalidJobStateException")

        said = release_gate.handler(world.job(), context())

        assert said["outcome"] == "success"
        assert world.answers == []

    def test_an_answer_that_codepipeline_does_not_take_becomes_a_refusal(self, world):
        world.push_good()
        world.fail("codepipeline", "PutJobSuccessResult", "OutputVariablesSizeExceededException")

        said = world.refused(both())

        assert "did not take the gate's answer" in said

    def test_a_busy_codepipeline_is_left_to_lambdas_own_retry(self, world):
        world.push_good()
        world.put("Handoff", w.hand_off(both()))
        world.fail("codepipeline", "PutJobSuccessResult", "ThrottlingException")

        with pytest.raises(Exception, match="ThrottlingException"):
            release_gate.handler(world.job(), context())

        assert world.answers == []

    @pytest.mark.parametrize("event", [{}, {"CodePipeline.job": {}}, {"CodePipeline.job": {"id": 7}}, []])
    def test_an_event_that_is_no_job_is_an_error_as_nobody_waits_for_an_answer(self, event):
        with pytest.raises(ValueError, match="not a CodePipeline job"):
            release_gate.handler(event, context())
