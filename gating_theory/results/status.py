"""How a calculation ended, for programs (a code) and for readers (words)."""

from __future__ import annotations

from dataclasses import dataclass

from .encoding import dict_of, result

__all__ = ["Status"]


@result("status")
@dataclass(frozen=True)
class Status:
    """How a calculation ended. It prints as its words; programs ask for the code and never take the words apart.

    Attributes
    ----------
    code : str, one of the few that the docstring of the result lists
    text : str, the same in words, with its numbers; empty where the code says it all
    ok : bool, whether the result is what was asked for
    """

    code: str
    text: str = ""
    ok: bool = True

    as_dict = dict_of

    def __str__(self) -> str:
        return self.text or self.code
