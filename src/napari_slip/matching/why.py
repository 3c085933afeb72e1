"""Sentences for prompts that have accepted nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from napari_slip.matching.match import Match
    from napari_slip.settings import Select

CANDIDATES = 3
"""How many of the best segments are named."""


def why_nothing(match: Match, rule: Select) -> str:
    """Say why prompts of a match have accepted nothing.

    Parameters
    ----------
    match : Match
        Which holds the scores.
    rule : Select
        By which it accepts.

    Returns
    -------
    str
        One sentence for each such prompt; empty if every prompt has accepted a segment.
    """
    n = len(match.segments)
    if not n:
        return "No segment was found in this image: try another contrast, lower thresholds, or another model."
    if not match.selection.any():
        return f"The filters hide {'the only segment' if n == 1 else f'all {n} segments'}: widen them."
    floor = rule.number if rule.rule == "above" else match.settings.min_score
    sentences = []
    for column, name in enumerate(match.names):
        rows = match.ranked(column)
        if match.calibrated[rows[0], column] >= floor:
            continue
        best = ", ".join(
            f"segment {row + 1} ({match.calibrated[row, column]:.2f})" for row in rows[:CANDIDATES]
        )
        sentences.append(
            f"Nothing reaches {floor:g} for {name!r}; the best: {best}{_never_seen(match, name)}."
        )
    return " ".join(sentences)


def _never_seen(match: Match, name: str) -> str:
    words = match.unknown.get(name, ())
    if not words:
        return ""
    listed = ", ".join(repr(word) for word in words)
    plural = "s" if len(words) > 1 else ""
    return f"; {match.model or 'the model'} has never seen the word{plural} {listed}, a bigger one may have"
