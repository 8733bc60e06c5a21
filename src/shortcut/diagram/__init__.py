"""Pictures of networks, drawn from what happens inside them.

From a model to a file: `reading` makes a `network` of it, `columns` and `page` lay it out as a
`scene` of plain shapes with the pieces of `blocks` and `bracket`, `svg` and `paint` write that.
What shapes look like stands in `theme`, what they say in `wording`.
"""

from shortcut.diagram.picture import draw_diagram

__all__ = ["draw_diagram"]
