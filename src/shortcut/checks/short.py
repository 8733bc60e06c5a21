"""The short check before every training: what is found without opening a picture."""

import json
from collections.abc import Generator, Mapping, Sequence

from shortcut.checks.copies import check_copies
from shortcut.checks.counts import check_counts
from shortcut.checks.findings import Finding
from shortcut.checks.layout import check_layout
from shortcut.data.copies import chained
from shortcut.data.looks import Look, finding_equal
from shortcut.data.samples import Sample, Source
from shortcut.events import Progress


def checking_shortly(
    source: Source, parts: Mapping[str, Sequence[Sample]]
) -> Generator[Progress, None, list[Finding]]:
    """What folders, numbers and equal files tell; yields progress.

    Args:
        parts: those of the training, where val may have been carved off.
    """
    findings = check_layout(source.root) if source.root.is_dir() else []
    where = {sample.path: part for part, chosen in parts.items() for sample in chosen}
    looks = [Look(sample) for chosen in parts.values() for sample in chosen]
    groups = yield from finding_equal(looks)
    return findings + check_copies(looks, where, chained(groups)) + check_counts(source)


def tell_findings(findings: Sequence[Finding], data: str) -> list[str]:
    """What a person should know before the training, in one line; nothing where all is well."""
    grave = [finding for finding in findings if finding.kind.level != "note"]
    if not grave:
        return []
    told = "; ".join(f"{finding.count:,} {finding.kind.title[0]}" for finding in grave)
    return [f"short check: {told}. `shortcut check {data}` looks at every picture"]


def finding_table(findings: Sequence[Finding]) -> str:
    """As JSON, English and Chinese, for the report."""
    rows = [
        {
            "kind": finding.kind.name,
            "level": finding.kind.level,
            "count": finding.count,
            "what": finding.kind.title,
            "advice": finding.kind.advice,
        }
        for finding in findings
    ]
    return json.dumps(rows, indent=1, ensure_ascii=False)
