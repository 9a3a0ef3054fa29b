"""Answers that are kept for the next file, without keeping what a hostile file fills them with."""

from functools import update_wrapper
from typing import Any

LONGEST_KEY = 256  # bytes or characters; longer values hardly come again


def remember(n_most, *, longest=LONGEST_KEY):
    """Decorate a function of one text, bytes or tuple so that it remembers its answers.

    At most `n_most` answers are kept, and none to a key longer than `longest`. The answers of
    ``functools.lru_cache`` are limited in number only: some thousand keys of some megabytes,
    which any file may hold, take all memory.
    """
    return lambda function: _Remembered(function, n_most, longest)


class _Remembered(dict):
    """Key -> answer; a dict, as looking up is what the reader does most."""

    def __init__(self, function, n_most, longest):
        super().__init__()
        self._function, self._n_most, self._longest = function, n_most, longest
        update_wrapper(self, function)

    # A hit then runs in C alone, and never enters Python.
    __call__ = dict.__getitem__

    def __missing__(self, key: Any) -> Any:
        answer = self._function(key)
        # The answer is given in any case; only keeping it is optional.
        if len(key) <= self._longest:
            if len(self) >= self._n_most:
                self.clear()  # once in a while, instead of keeping an order at every look-up
            self[key] = answer
        return answer

    def cache_parameters(self):
        """Return what ``functools.lru_cache`` returns here."""
        return {"maxsize": self._n_most, "longest": self._longest}

    cache_clear = dict.clear
