"""A scene as SVG: real text, classes instead of repeated attributes, nothing from elsewhere."""

from xml.etree import ElementTree as ET

from shortcut.diagram.scene import Arc, Box, Circle, Line, Scene, Shape, Text
from shortcut.diagram.theme import FONTS, Lettering, Paint, Theme

NAMESPACE = "http://www.w3.org/2000/svg"
ANCHORS = {"start": "", "middle": " m", "end": " e"}
"""Class that is added to a text's own."""


def write_svg(scene: Scene, theme: Theme) -> bytes:
    """The whole file, UTF-8."""
    root = ET.Element(
        "svg",
        {
            "xmlns": NAMESPACE,
            "width": _number(scene.width),
            "height": _number(scene.height),
            "viewBox": f"0 0 {_number(scene.width)} {_number(scene.height)}",
            "role": "img",
            "class": theme.name,
        },
    )
    ET.SubElement(root, "title").text = scene.title
    ET.SubElement(root, "desc").text = scene.description
    ET.SubElement(root, "style").text = _style(scene, theme)
    for shape in scene.shapes:
        root.append(_element(shape))
    ET.indent(root, "")
    return ET.tostring(root, encoding="utf-8", xml_declaration=True) + b"\n"


def _style(scene: Scene, theme: Theme) -> str:
    """Rules for the roles that occur; they hold in this picture only, also inside a web page."""
    texts = {shape.role for shape in scene.shapes if isinstance(shape, Text)}
    shapes = {shape.role for shape in scene.shapes if not isinstance(shape, Text)}
    within = f".{theme.name} "
    rules = [
        f"{within}text{{font-family:{FONTS}}}",
        f"{within}.m{{text-anchor:middle}}",
        f"{within}.e{{text-anchor:end}}",
        *(_paint_rule(f"{within}.{role}", theme.paints[role]) for role in sorted(shapes)),
        # The element's name lets a text have the role of a shape, and look otherwise.
        *(_letter_rule(f"{within}text.{role}", theme.letters[role]) for role in sorted(texts)),
    ]
    return "\n".join(rules)


def _paint_rule(selector: str, paint: Paint) -> str:
    stroke = f";stroke:{paint.stroke};stroke-width:{_number(paint.width)}" if paint.stroke else ""
    return f"{selector}{{fill:{paint.fill or 'none'}{stroke}}}"


def _letter_rule(selector: str, letter: Lettering) -> str:
    weight = ";font-weight:bold" if letter.bold else ""
    size = f"{_number(letter.size)}px"
    return f"{selector}{{fill:{letter.colour};stroke:none;font-size:{size}{weight}}}"


def _element(shape: Shape) -> ET.Element:
    match shape:
        case Box(x, y, width, height, role, radius):
            sizes = _numbers(x=x, y=y, width=width, height=height)
            corner = _numbers(rx=radius) if radius else {}
            return ET.Element("rect", {"class": role} | sizes | corner)
        case Circle(x, y, radius, role):
            return ET.Element("circle", {"class": role} | _numbers(cx=x, cy=y, r=radius))
        case Text(x, y, text, role, anchor):
            element = ET.Element("text", {"class": role + ANCHORS[anchor]} | _numbers(x=x, y=y))
            element.text = text
            return element
        case Line(points, role, closed):
            path = "M" + "L".join(f"{_number(x)} {_number(y)}" for x, y in points)
            return ET.Element("path", {"class": role, "d": path + "Z" * closed})
        case Arc():
            return ET.Element("path", {"class": shape.role, "d": _arc(shape)})


def _arc(arc: Arc) -> str:
    (x0, y0), (x1, y1), r = arc.start, arc.end, arc.radius
    turn = f"a{_number(r)} {_number(r)} 0 0 1 "
    return (
        f"M{_number(x0)} {_number(y0)}H{_number(arc.reach - r)}{turn}{_number(r)} {_number(r)}"
        f"V{_number(y1 - r)}{turn}{_number(-r)} {_number(r)}H{_number(x1)}"
    )


def _numbers(**values: float) -> dict[str, str]:
    return {name: _number(value) for name, value in values.items()}


def _number(value: float) -> str:
    """Tenths of a pixel are finer than any eye; zero has no sign."""
    return f"{round(value, 1) + 0.0:.1f}".removesuffix(".0")
