"""Pieces of sentences."""

from __future__ import annotations


def counted(n: int, noun: str) -> str:
    """Say how many: ``"1 plane"``, ``"2 planes"``; the plural of `noun` ends in s."""
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"


def unforeseen(name: str, error: Exception) -> str:
    """Say that a file failed for a reason that nobody has a sentence for."""
    said = " ".join(str(error).split())[:300]
    return f"{name} failed for a reason that was not foreseen ({type(error).__name__}: {said})."
