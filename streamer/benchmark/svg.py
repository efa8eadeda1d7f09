"""A drawing as SVG: text that any browser shows, sharp at any size."""

from xml.sax.saxutils import escape

from streamer.benchmark.timeline import Box, Drawing, Words

_FONTS = "Inter, 'Helvetica Neue', Arial, sans-serif"
_CAP_SHARE = 0.716
"""Height of a capital letter in these fonts, for a font of size 1."""


def svg(drawing: Drawing) -> str:
    """The whole file."""
    size = f"{drawing.width:g} {drawing.height:g}"
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size}" font-family="{_FONTS}">'
    paper = f'<rect width="{drawing.width:g}" height="{drawing.height:g}" fill="#ffffff"/>'
    return "\n".join([head, paper, *map(_box, drawing.boxes), *map(_words, drawing.words), "</svg>", ""])


def _box(box: Box) -> str:
    place = f'x="{box.x:.2f}" y="{box.y:.2f}" width="{box.width:.2f}" height="{box.height:.2f}" fill="{box.color}"'
    return f"<rect {place}><title>{escape(box.told)}</title></rect>" if box.told else f"<rect {place}/>"


def _words(words: Words) -> str:
    place = f'x="{words.x:.2f}" y="{words.y:.2f}" font-size="{words.cap / _CAP_SHARE:.1f}" fill="{words.color}"'
    weight = ' font-weight="600"' if words.bold else ""
    anchor = "" if words.anchor == "start" else f' text-anchor="{words.anchor}"'
    return f"<text {place}{anchor}{weight}>{escape(words.text)}</text>"
