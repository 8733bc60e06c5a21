"""Is a data set fit to be learnt from? `checking` looks at every picture and returns `Checked`.

```
story ── layout ─── findings ── wording        words first, then what is found in
      ├─ counts ──┤                            folders, numbers, files, copies;
      ├─ pictures ┤                            the story asks all of them
      └─ copies ──┘
page                   shows what was found
short                  the part of it that opens no picture, before a training
```
"""

from shortcut.checks.findings import Finding as Finding
from shortcut.checks.page import render_page as render_page
from shortcut.checks.short import checking_shortly as checking_shortly
from shortcut.checks.short import finding_table as finding_table
from shortcut.checks.short import tell_findings as tell_findings
from shortcut.checks.story import Checked as Checked
from shortcut.checks.story import checking as checking

__all__ = [
    "Checked",
    "Finding",
    "checking",
    "checking_shortly",
    "finding_table",
    "render_page",
    "tell_findings",
]
