"""Which labels may be wrong? `suspecting` asks classifiers that did not learn from them and returns
`Suspects`.

```
page  ─┬─ story       a gallery in which to choose, a list of changes, and the trainings before
table ─┘
```
"""

from shortcut.suspects.story import Suspects as Suspects
from shortcut.suspects.story import suspecting as suspecting

__all__ = ["Suspects", "suspecting"]
