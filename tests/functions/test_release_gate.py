"""The Verify stage as CodePipeline sees it: a job goes in, one answer comes out."""

import json

from tests.functions import world as w
from tests.functions.world import COMMIT, REGISTRY, TASKDEF, both, uri


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
    assert files["appspec.yaml"].decode() == w.APPSPEC
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
