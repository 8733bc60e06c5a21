"""The whole check, as a story: find the pictures, look at each, compare all, say what was found."""

import os
import time
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

from shortcut.checks.copies import check_copies
from shortcut.checks.counts import check_counts
from shortcut.checks.findings import Finding
from shortcut.checks.layout import check_layout, read_anyhow
from shortcut.checks.pictures import check_pictures
from shortcut.checks.wording import LEVELS
from shortcut.data.looks import finding_copies, looking
from shortcut.data.samples import Source
from shortcut.data.sources import reading_source
from shortcut.errors import DataError
from shortcut.events import Event
from shortcut.language import Text


@dataclass(frozen=True)
class Checked:
    """A data set and all that was found in it."""

    source: Source
    findings: tuple[Finding, ...]
    """The worst first."""
    seconds: float
    """That it took."""

    @property
    def pictures(self) -> int:
        """In all parts."""
        return sum(map(len, self.source.parts.values()))

    @property
    def verdict(self) -> Text:
        """In one sentence, English and Chinese."""
        errors, warnings, _ = (self._kinds(level) for level in LEVELS)
        if errors:
            en = f"not ready: {errors} thing{'s' * (errors > 1)} to mend"
            return (
                f"{en}, {warnings} to look at",
                f"尚不可用：{errors} 项须修正，{warnings} 项需查看",
            )
        if warnings:
            plural = "s" * (warnings > 1)
            return (
                f"can be trained on; {warnings} thing{plural} to look at",
                f"可以训练；{warnings} 项需查看",
            )
        return "nothing wrong was found", "没有发现问题"

    @property
    def exclusions(self) -> dict[Path, str]:
        """Pictures that a training should do without, and the first reason for each."""
        reasons: dict[Path, str] = {}
        for finding in self.findings:
            for path in finding.exclude:
                reasons.setdefault(path, finding.kind.name)
        return reasons

    @property
    def is_clean(self) -> bool:
        """Whether there is nothing to mend and nothing to look at."""
        return not (self._kinds("error") or self._kinds("warning"))

    def as_dict(self) -> dict[str, object]:
        """For JSON, in English."""
        return {
            "data": str(self.source.root),
            "verdict": self.verdict[0],
            "pictures": self.pictures,
            "classes": list(self.source.classes),
            "parts": {part: len(samples) for part, samples in self.source.parts.items()},
            "findings": [finding.as_dict() for finding in self.findings],
        }

    def _kinds(self, level: str) -> int:
        return sum(finding.kind.level == level for finding in self.findings)


def checking(
    location: str | Path,
    *,
    cache: Path | None = None,
    download: bool = False,
    max_pixels: int | None = None,
) -> Generator[Event, None, Checked]:
    """Look at the pictures at `location`, whatever state they are in; nothing there is changed.

    Args:
        location: as for training.
        max_pixels: larger pictures count as unreadable.

    Raises:
        DataError: there are no pictures, or the place cannot be read.
    """
    began = time.monotonic()
    source, findings = yield from _find(location, cache, download)
    parts = {sample.path: part for part, chosen in source.parts.items() for sample in chosen}
    samples = [sample for chosen in source.parts.values() for sample in chosen]
    threads = os.cpu_count() or 1
    looks = yield from looking(samples, threads=threads, max_pixels=max_pixels)
    seen = [look for look in looks if not look.problem]
    findings += check_copies(seen, parts, (yield from finding_copies(seen)))
    findings += check_pictures(looks) + check_counts(source)
    ranks = list(LEVELS)  # the worst first
    findings.sort(key=lambda finding: ranks.index(finding.kind.level))
    return Checked(source, tuple(findings), time.monotonic() - began)


def _find(
    location: str | Path, cache: Path | None, download: bool
) -> Generator[Event, None, tuple[Source, list[Finding]]]:
    root = Path(location).expanduser()
    findings = check_layout(root) if root.is_dir() else []
    try:
        source = yield from reading_source(location, cache=cache, download=download)
    except DataError as refusal:
        source, refused = read_anyhow(root, refusal)
        findings = refused + findings
    return source, findings
