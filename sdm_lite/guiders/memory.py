"""What a method remembers of the step before, and forgets where a trajectory starts.

Apart because every method that looks back has the same fault to avoid: a momentum left over from the last picture.
"""

from __future__ import annotations

from typing import Generic, TypeVar

from torch import Tensor

T = TypeVar("T")


class Memory(Generic[T]):
    """One value, of the step before. A trajectory falls in t: where t does not, another one has begun."""

    def __init__(self) -> None:
        self._t: int | None = None
        self._value: T | None = None

    def recall(self, t: Tensor) -> T | None:
        """What was kept at the step before t (B,); None at the first step of a trajectory."""
        return self._value if self._t is not None and int(t[0]) < self._t else None

    def keep(self, t: Tensor, value: T) -> None:
        """Keep a value as that of t."""
        self._t, self._value = int(t[0]), value
