"""Is one trained classifier really better than another? `comparing` measures them on the same
pictures and returns a `Contest`.

```
entries ─┬─ pictures ─┬─ story ── tables ── page      who takes part, which pictures are fair to
wording ─┘            │                               all, the answers compared, what is shown
significance ─────────┘                               whether a difference may be chance
```
"""

from shortcut.comparison.entries import Entry as Entry
from shortcut.comparison.entries import find_entries as find_entries
from shortcut.comparison.page import render_page as render_page
from shortcut.comparison.story import Contest as Contest
from shortcut.comparison.story import compare as compare
from shortcut.comparison.story import comparing as comparing
from shortcut.comparison.tables import result_tables as result_tables
from shortcut.comparison.wording import verdict as verdict

__all__ = [
    "Contest",
    "Entry",
    "compare",
    "comparing",
    "find_entries",
    "render_page",
    "result_tables",
    "verdict",
]
