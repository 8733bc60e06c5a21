"""Which labels may be wrong? `suspecting` asks classifiers that did not learn from them and returns
`Suspects`.

```
ranking ─── page ─── story       the least believed first, a gallery in which to choose, and the
                                 trainings before
```
"""

from shortcut.suspects.story import Suspects as Suspects
from shortcut.suspects.story import is_run as is_run
from shortcut.suspects.story import suspecting as suspecting

__all__ = ["Suspects", "is_run", "suspecting"]
