"""A chart as SVG: lines over a few points, readable on a phone, with nothing from elsewhere and nothing that runs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

_WIDTH, _HEIGHT = 420, 470
_LEFT, _RIGHT, _TOP, _BOTTOM = 56, 404, 150, 404
_LEGEND_TOP, _LEGEND_STEP, _LEGEND_COLUMN = 70, 24, 190
_TICKS = (0, 20, 40, 60, 80, 100)
_COLOURS = ("#0072b2", "#d55e00", "#b8860b", "#777777", "#009e73")
"""Told apart by people who see colours otherwise, too; dashes and marks help."""
_DASHES = ("", "7 4", "2 4", "", "10 3 2 3")
_STYLE = """
text{font-family:system-ui,-apple-system,"Segoe UI",Roboto,"DejaVu Sans",sans-serif;font-size:14px;fill:#1b1b1b}
.head{font-size:17px;font-weight:600}.soft{fill:#555}.back{fill:#fff}.grid{stroke:#ddd}.axis{stroke:#888}
@media (prefers-color-scheme:dark){text{fill:#eee}.soft{fill:#bbb}.back{fill:#16181c}.grid{stroke:#33363c}}
"""


@dataclass(frozen=True, slots=True)
class Line:
    """One line: its name and its value (percent) at each point."""

    name: str
    values: Sequence[float]


def chart(title: str, subtitle: str, *, points: Sequence[str], along: str, lines: Sequence[Line]) -> str:
    """Return the chart. `points` are the labels along the horizontal axis, `along` says what they are."""
    body = [
        f'<rect class="back" width="{_WIDTH}" height="{_HEIGHT}"/>',
        f'<text class="head" x="16" y="28">{escape(title)}</text>',
        f'<text class="soft" x="16" y="50">{escape(subtitle)}</text>',
        *_legend(lines),
        *_axes(points, along),
        *(part for number, line in enumerate(lines) for part in _line(number, line)),
    ]
    described = ", ".join(line.name for line in lines)
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img">',
            f"<title>{escape(title)}</title>",
            f"<desc>{escape(subtitle)}: {escape(described)}</desc>",
            f"<style>{_STYLE}</style>",
            *body,
            "</svg>\n",
        ]
    )


def _legend(lines: Sequence[Line]) -> Iterator[str]:
    for number, line in enumerate(lines):
        x = 16 + _LEGEND_COLUMN * (number % 2)
        y = _LEGEND_TOP + _LEGEND_STEP * (number // 2)
        yield f'<path d="M{x} {y}h30" {_stroke(number)}/>'
        yield _mark(number, x + 15, y)
        yield f'<text x="{x + 38}" y="{y + 5}">{escape(line.name)}</text>'


def _axes(points: Sequence[str], along: str) -> Iterator[str]:
    for tick in _TICKS:
        y = _y(tick)
        yield f'<path class="{"grid" if tick else "axis"}" d="M{_LEFT} {y}H{_RIGHT}"/>'
        yield f'<text class="soft" x="{_LEFT - 8}" y="{y + 5}" text-anchor="end">{tick}%</text>'
    for number, label in enumerate(points):
        x = _x(number, len(points))
        yield f'<path class="axis" d="M{x} {_BOTTOM}v5"/>'
        yield f'<text class="soft" x="{x}" y="{_BOTTOM + 22}" text-anchor="middle">{escape(label)}</text>'
    yield f'<text x="{(_LEFT + _RIGHT) / 2:g}" y="{_BOTTOM + 48}" text-anchor="middle">{escape(along)}</text>'


def _line(number: int, line: Line) -> Iterator[str]:
    places = [(_x(place, len(line.values)), _y(value)) for place, value in enumerate(line.values)]
    path = "L".join(f"{x} {y}" for x, y in places)
    yield f'<path d="M{path}" {_stroke(number)}/>'
    for (x, y), value in zip(places, line.values, strict=True):
        yield _mark(number, x, y, f"{line.name}: {value:.1f}%")


def _stroke(number: int) -> str:
    dash = _DASHES[number % len(_DASHES)]
    dashed = f' stroke-dasharray="{dash}"' if dash else ""
    return f'fill="none" stroke="{_colour(number)}" stroke-width="2.5" stroke-linejoin="round"{dashed}'


def _mark(number: int, x: float, y: float, says: str = "") -> str:
    shapes = (
        f'<circle cx="{x}" cy="{y}" r="4.5"',
        f'<rect x="{x - 4}" y="{y - 4}" width="8" height="8"',
        f'<path d="M{x} {y - 5.5}l5 9h-10z"',
        f'<circle cx="{x}" cy="{y}" r="3"',
        f'<path d="M{x} {y - 6}l6 6l-6 6l-6 -6z"',
    )
    return f'{shapes[number % len(shapes)]} fill="{_colour(number)}"><title>{escape(says)}</title>{_END[number % 5]}'


_END = ("</circle>", "</rect>", "</path>", "</circle>", "</path>")


def _colour(number: int) -> str:
    return _COLOURS[number % len(_COLOURS)]


def _x(place: int, count: int) -> float:
    inner_left, inner_right = _LEFT + 24, _RIGHT - 24
    return round(inner_left + (inner_right - inner_left) * (place / (count - 1) if count > 1 else 0.5), 1)


def _y(value: float) -> float:
    return round(_BOTTOM - (_BOTTOM - _TOP) * min(100.0, max(0.0, value)) / 100, 1)
