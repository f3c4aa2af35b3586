"""Seeded chance without state: the same seed, purpose and number always give the same draw.

A stream of random numbers would shift for everyone when one request more or less draws from it.
"""

from __future__ import annotations

from hashlib import blake2b


def digest(seed: int, purpose: str, number: int) -> bytes:
    """16 bytes that depend on nothing else."""
    return blake2b(f"{seed}/{purpose}/{number}".encode(), digest_size=16).digest()


def unit(seed: int, purpose: str, number: int) -> float:
    """A number above 0 and below 1."""
    return (int.from_bytes(digest(seed, purpose, number)[:6], "big") + 0.5) / 2**48
