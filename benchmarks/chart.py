"""The chart: the time of each contender relative to the generated function, drawn as SVG without a drawing library."""

from __future__ import annotations

from xml.sax.saxutils import escape

from benchmarks.names import ASYNC, GENERATED, MANY_ROWS, ONE_ROW
from benchmarks.results import Results, compare

CASES = (ONE_ROW, MANY_ROWS, f"{ONE_ROW}{ASYNC}", f"{MANY_ROWS}{ASYNC}")

_WIDTH = 920
_PANEL_WIDTH = _WIDTH // 2
_LABEL_WIDTH = 176
_BAR_WIDTH = _PANEL_WIDTH - _LABEL_WIDTH - 76
_BAR, _GAP, _HEAD, _MARGIN = 16, 6, 34, 20
_SHORTER = {"psycopg, text rows and dict parameters": "psycopg, text and dicts"}
_OURS, _THEIRS = "#2f7d4f", "#9aa5b1"
_STYLE = """
  text { font: 12px system-ui, -apple-system, "Segoe UI", Helvetica, Arial, sans-serif; fill: #24292f; }
  .title { font-weight: 600; font-size: 14px; }
  .case { font-weight: 600; }
  .label { text-anchor: end; }
"""


def chart(results: Results) -> str:
    """Return the SVG: a panel for each case in the run, with its contenders as bars, ours in green."""
    panels = [(case, _bars(results, case)) for case in CASES if results.get(case, GENERATED)]
    heights = [_HEAD + len(bars) * (_BAR + _GAP) + _MARGIN for _, bars in panels]
    rows = [max(heights[start : start + 2]) for start in range(0, len(heights), 2)]
    height = _MARGIN * 2 + 10 + sum(rows)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{height}" viewBox="0 0 {_WIDTH} {height}" role="img">',
        "<title>Time relative to the generated function</title>",
        f"<style>{_STYLE}</style>",
        f'<rect width="{_WIDTH}" height="{height}" rx="8" fill="#ffffff"/>',
        f'<text class="title" x="{_MARGIN}" y="{_MARGIN + 6}">Time relative to the generated function: shorter is faster</text>',
    ]
    top = _MARGIN + 22
    for index, (case, bars) in enumerate(panels):
        left = index % 2 * _PANEL_WIDTH
        lines += _panel(left, top, case, bars)
        if index % 2:
            top += rows[index // 2]
    return "\n".join([*lines, "</svg>", ""])


def _bars(results: Results, case: str) -> list[tuple[str, float]]:
    ours = results.get(case, GENERATED)
    return [(one.contender, compare(one, ours).median) for one in results.contenders(case)] if ours else []


def _panel(left: int, top: int, case: str, bars: list[tuple[str, float]]) -> list[str]:
    longest = max(ratio for _, ratio in bars)
    start = left + _LABEL_WIDTH + 12
    lines = [f'<text class="case" x="{start}" y="{top + 16}">{escape(case)}</text>']
    for index, (contender, ratio) in enumerate(bars):
        y = top + _HEAD - 8 + index * (_BAR + _GAP)
        width = max(1, round(ratio / longest * _BAR_WIDTH))
        colour = _OURS if contender == GENERATED else _THEIRS
        lines += [
            f'<text class="label" x="{start - 8}" y="{y + 12}">{escape(_SHORTER.get(contender, contender))}</text>',
            f'<rect x="{start}" y="{y}" width="{width}" height="{_BAR}" rx="2" fill="{colour}"/>',
            f'<text x="{start + width + 6}" y="{y + 12}">{ratio:.2f}</text>',
        ]
    return lines
