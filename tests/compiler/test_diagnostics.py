"""The text of a diagnostic."""

from __future__ import annotations

from sqlwright.diagnostics import Code, Diagnostic, Place, format_diagnostic


def test_of_a_very_long_line_the_frame_shows_what_surrounds_the_mistake() -> None:
    line = "SELECT '" + "x" * 50_000 + "', nope, '" + "y" * 50_000 + "'"
    column = line.index("nope") + 1
    arrow, _, shown, carets = format_diagnostic(
        Diagnostic(Code.REFUSED_QUERY, "no such column", Place("q.sql", 2, column, line, 4))
    ).splitlines()[1:]
    assert arrow == f"  --> q.sql:2:{column}"
    assert len(shown) < 500
    assert shown[carets.index("^") : carets.rindex("^") + 1] == "nope"
    assert (shown[6], shown[-1]) == ("…", "…")
