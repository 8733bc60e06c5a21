"""The short check before every training: what is found without opening a picture."""

import json
from collections.abc import Sequence
from itertools import pairwise

from shortcut.checks.copies import check_copies
from shortcut.checks.counts import check_counts
from shortcut.checks.findings import Finding
from shortcut.checks.layout import check_layout
from shortcut.data.copies import Pair
from shortcut.data.looks import Look, find_equal
from shortcut.data.samples import Source


def check_shortly(source: Source) -> list[Finding]:
    """What folders, numbers and equal files tell. Of the files only those are read that have the
    size of another, and training reads them next anyway."""
    findings = check_layout(source.root) if source.root.is_dir() else []
    parts = {sample.path: part for part, chosen in source.parts.items() for sample in chosen}
    looks = [Look(sample) for chosen in source.parts.values() for sample in chosen]
    equal = [Pair(a, b, 1.0) for group in find_equal(looks) for a, b in pairwise(group)]
    return findings + check_copies(looks, parts, equal) + check_counts(source)


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
            "level": finding.kind.level,
            "count": finding.count,
            "what": finding.kind.title,
            "advice": finding.kind.advice,
        }
        for finding in findings
    ]
    return json.dumps(rows, indent=1, ensure_ascii=False)
