"""Names of the files of a release, and the placeholders in them.

CI hands over `imagedefinitions.json`, infrastructure the template (`taskdef.json`, `appspec.yaml`, `release.json`);
the release gate makes the release of both, and the Deploy stage takes it.
"""

from __future__ import annotations

from typing import Final

IMAGE_DEFINITIONS: Final = "imagedefinitions.json"
TASK_DEFINITION: Final = "taskdef.json"
APPSPEC: Final = "appspec.yaml"
RELEASE: Final = "release.json"

HANDOFF_ARCHIVE: Final = f"{IMAGE_DEFINITIONS}.zip"
TEMPLATE_ARCHIVE: Final = "template.zip"

#: The same as artifacts of a pipeline: what the gate takes, and what it gives.
HANDOFF_ARTIFACT: Final = "Handoff"
TEMPLATE_ARTIFACT: Final = "Template"
RELEASE_ARTIFACT: Final = "Release"

#: Where the gate puts a pinned image, CodePipeline the registered revision, the gate the pipeline's network.
IMAGE_PLACEHOLDER: Final = "<IMAGE>"
TASK_DEFINITION_PLACEHOLDER: Final = "<TASK_DEFINITION>"
NETWORK_PLACEHOLDER: Final = "<NETWORK>"
