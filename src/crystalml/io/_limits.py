"""How much of one file is read. What is beyond a limit is reported, never cut off silently.

The limits are far above any file that describes crystals (of 16,634 files from the COD and the
Materials Project the longest has 530,000 words, and two data blocks are the most), and low enough
that a file which was made to take all time or memory takes little of both.
"""

from time import perf_counter, thread_time

import numpy as np

MAX_SECONDS = 60.0  # by the clock, and then as much processor time again
MAX_BLOCKS = 100_000
MAX_WORDS = 10_000_000  # in a list that is read, or in a file whose layout needs a full parse

_PIECE = 2**24  # bytes


class FileLimitError(Exception):
    """A file takes more than is allowed to one; the message says of what."""


class Allowance:
    """What the reading of one file may still take."""

    def __init__(self):
        self._earliest_end = perf_counter() + MAX_SECONDS
        self._end = None
        self._n_blocks = 0

    def check_time(self):
        """Raise FileLimitError if the time is over; to be called in every long loop."""
        if perf_counter() < self._earliest_end:
            return
        # A busy machine is no fault of the file: processor time counts. Its clock is asked only
        # now, as that takes a tenth of the time of a small file.
        if self._end is None:
            self._end = thread_time() + MAX_SECONDS
        if thread_time() > self._end:
            raise FileLimitError(
                f"reading the file takes more than {MAX_SECONDS:g} seconds of processor time"
            )

    def take_block(self):
        """Count one more data block."""
        self._n_blocks += 1
        if self._n_blocks > MAX_BLOCKS:
            raise FileLimitError(
                f"the file has more than {MAX_BLOCKS:,} data blocks; split it into several files"
            )
        self.check_time()


def check_words(text):
    """Raise FileLimitError if a text (bytes) has too many words to be taken apart."""
    if len(text) >= 2 * MAX_WORDS and _count_words(text) > MAX_WORDS:
        raise FileLimitError(
            f"the file has more than {MAX_WORDS:,} words in a list or layout that would have to "
            "be read word by word"
        )


def _count_words(text):
    """Count the ends of words piece by piece; a list of the words would take all memory."""
    count, in_word = 0, False
    for start in range(0, len(text), _PIECE):
        is_word = np.frombuffer(text, np.uint8, min(_PIECE, len(text) - start), start) > ord(" ")
        count += int(np.count_nonzero(is_word[:-1] & ~is_word[1:])) + (in_word and not is_word[0])
        in_word = bool(is_word[-1])
    return count + in_word
