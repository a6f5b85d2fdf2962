"""Scan findings of an image, checked against the contract's threshold.

There are two questions, and a setting of the contract for each. `threshold` is about findings: which refuse a release.
`unsupported` is about images of which ECR says that it cannot scan them: whether they are released. Every other state
without a result is neither: it is waited for, then refused. Only with the threshold NONE and `allow` could no result
refuse anything, so that none is waited for.

Source: Amazon ECR API reference, ImageScanStatus, ImageScanFindings and FindingSeverity; Amazon ECR user guide,
"Troubleshooting image scanning".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from functions.shared.errors import Refusal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from contract.release import Contract

#: From the gravest; the last three are what ECR and Amazon Inspector say of findings that nobody has rated.
SEVERITIES: Final = ("CRITICAL", "HIGH", "MEDIUM", "LOW", "UNDEFINED", "UNTRIAGED", "INFORMATIONAL")
_UNRATED: Final = ("UNDEFINED", "UNTRIAGED")
#: What DescribeImageScanFindings is taken to have said when it knows of no scan.
NO_SCAN: Final = "NOT_SCANNED"
#: ECR does not serve such an image to a task.
ARCHIVED: Final = "IMAGE_ARCHIVED"
_DONE: Final = frozenset({"COMPLETE", "ACTIVE"})
#: The image is of a kind, or of a size, that is not scanned; a FAILED scan says so in its description.
_CANNOT: Final = frozenset({"UNSUPPORTED_IMAGE", "IMAGE_SIZE_EXCEEDED"})
_CANNOT_IN_WORDS: Final = "UnsupportedImageError"
#: States that waiting does not end, and what does.
_REMEDIES: Final = {
    "SCAN_ELIGIBILITY_EXPIRED": "its findings are of long ago: hand over a new commit, or lengthen the registry's "
    "re-scan duration and retry the stage",
    "FINDINGS_UNAVAILABLE": "ECR keeps no findings of it: push it again under a new commit",
    "LIMIT_EXCEEDED": "the registry's scans of a day are used up: retry the stage tomorrow",
}


@dataclass(frozen=True, kw_only=True)
class Scan:
    """One image's scan: a ScanStatus of ECR or NO_SCAN, ECR's remark on it, findings by severity.

    `counts` is None where the answer has no findings part at all, which does not say that there are none.
    """

    status: str
    remark: str
    counts: Mapping[str, int] | None

    @property
    def done(self) -> bool:
        """Whether there is a result."""
        return self.status in _DONE and self.counts is not None

    @property
    def cannot(self) -> bool:
        """Whether ECR says that it cannot scan the image."""
        return self.status in _CANNOT or (self.status == "FAILED" and _CANNOT_IN_WORDS in self.remark)

    def words(self) -> str:
        """What the person who approves reads."""
        if self.done:
            return counted(self.counts or {}) or "no findings"
        return f"no result ({self.status})"


def judge(name: str, scan: Scan, contract: Contract, *, waited_enough: bool) -> bool:
    """Hold a scan against the contract; True when its result has to be waited for.

    Args:
        name: the image in words, for the sentences.
        scan: its scan.
        contract: the release contract.
        waited_enough: whether a scan that has not even begun, or has failed, will not begin any more.

    Raises:
        Refusal: for findings at or above the threshold, for an image that cannot be scanned where the contract refuses
            these, and for one without a result; an archived image always (ECR does not serve it to a task).
    """
    if scan.status == ARCHIVED:
        raise Refusal(f"{name} is archived in ECR and cannot be pulled; restore it or hand over another commit.")
    if scan.done:
        if bad := over(scan.counts or {}, contract.scan_threshold):
            raise Refusal(
                f"{name} has findings ({counted(bad)}); {contract.environment} allows none at "
                f"{contract.scan_threshold} or above, so fix them and hand over a new commit."
            )
        return False
    if (contract.scan_threshold, contract.scan_unsupported) == ("NONE", "allow"):
        return False
    why = f"{scan.status} ({scan.remark})" if scan.remark else scan.status
    if scan.cannot:
        if contract.scan_unsupported == "allow":
            return False
        raise Refusal(
            f"{name} cannot be scanned: {why}; {contract.environment} allows scanned images only, so build it on a "
            "base that ECR can scan."
        )
    if remedy := _remedy(scan, waited_enough=waited_enough):
        raise Refusal(f"{name} has no scan result: {why}; {remedy}.")
    return True


def _remedy(scan: Scan, *, waited_enough: bool) -> str | None:
    """What ends a state that waiting does not end; None where waiting may."""
    if scan.status in _REMEDIES:
        return _REMEDIES[scan.status]
    if scan.status == NO_SCAN and waited_enough:
        return "no scan of it has begun: switch scanning on for the repository, let ECR scan it and retry the stage"
    if scan.status == "FAILED" and waited_enough:
        return "the scan failed: let ECR scan it again and retry the stage"
    return None


def over(counts: Mapping[str, int], threshold: str) -> dict[str, int]:
    """The part of `counts` at or above `threshold`; empty for the threshold NONE.

    A severity of another name counts as the highest. Findings that nobody has rated count from LOW on.
    """
    if threshold == "NONE":
        return {}
    barred = set(SEVERITIES[: SEVERITIES.index(threshold) + 1]) | (set(_UNRATED) if threshold == "LOW" else set())
    return {key: number for key, number in counts.items() if number and (key in barred or key not in SEVERITIES)}


def counted(counts: Mapping[str, int]) -> str:
    """Write counts as "2 CRITICAL and 5 HIGH", gravest first, names that nobody knows before all."""
    order = [*sorted(key for key in counts if key not in SEVERITIES), *SEVERITIES]
    parts = [f"{counts[severity]} {severity[:40]}" for severity in order if counts.get(severity)]
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)
