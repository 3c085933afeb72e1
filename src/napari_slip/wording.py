"""Numbers in sentences."""

from __future__ import annotations


def counted(n: int, noun: str) -> str:
    """Say how many: ``"1 plane"``, ``"2 planes"``; the plural of `noun` ends in s."""
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"
