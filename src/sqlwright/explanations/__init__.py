"""The catalogue of diagnostics: each code with a title, its meaning, its fix and an example. docs/errors.md is generated from it."""

from __future__ import annotations

from collections.abc import Mapping

from sqlwright.diagnostics import Code
from sqlwright.explanations.examples import Explanation
from sqlwright.explanations.projects import CONFIGURATION, FILES, SURROUNDINGS
from sqlwright.explanations.queries import GENERATING, PROVING, READING
from sqlwright.explanations.variants import VARIANTS

SECTIONS: Mapping[str, Mapping[Code, Explanation]] = {
    "Reading queries": READING,
    "Proving queries": PROVING,
    "Variants of queries": VARIANTS,
    "Generating code": GENERATING,
    "Configuration": CONFIGURATION,
    "Files": FILES,
    "Programs and servers": SURROUNDINGS,
}
EXPLANATIONS: Mapping[Code, Explanation] = {code: found for section in SECTIONS.values() for code, found in section.items()}
