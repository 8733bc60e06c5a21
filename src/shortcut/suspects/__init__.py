"""Which labels may be wrong? `suspecting` asks classifiers that have not seen them and returns
`Suspects`.

```
ranking ─── page ─── story       the least believed first, a gallery in which to choose, and the
                                 trainings before
```
"""

from shortcut.suspects.story import Suspects as Suspects
from shortcut.suspects.story import suspecting as suspecting

__all__ = ["Suspects", "suspecting"]
