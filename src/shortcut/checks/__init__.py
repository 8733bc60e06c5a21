"""Is a data set fit to be learnt from? `checking` looks at every picture and returns `Checked`.

```
story ── layout ─── findings ── wording        words first, then what is found in
      ├─ counts ──┤                            folders, numbers, files, copies;
      ├─ pictures ┤                            the story asks all of them
      └─ copies ──┘
page                   shows what was found
```
"""

from shortcut.checks.findings import Finding as Finding
from shortcut.checks.page import render_page as render_page
from shortcut.checks.story import Checked as Checked
from shortcut.checks.story import checking as checking

__all__ = ["Checked", "Finding", "checking", "render_page"]
