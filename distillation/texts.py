"""Texts as they are compared: in one normal form, as words, and as hashes of runs of words.

Each text is cut into words once; the near-duplicate and the decontamination stage share the hashes.
"""

from __future__ import annotations

import re
import unicodedata
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import xxhash
from numpy.typing import NDArray

Hashes: TypeAlias = NDArray[np.uint64]
Places: TypeAlias = NDArray[np.int64]

# Scripts written without blanks: a word in them is not to be found without a dictionary, so each character is one
# token. Han with all its extensions, the compatibility forms, kana, bopomofo and the iteration mark. Hangul is written
# with blanks, and stays in words; half-width kana and circled characters are gone after NFKC.
CJK = (
    "\u2e80-\u2fdf\u3005-\u3007\u3021-\u3029\u3038-\u303b\u3040-\u312f\u31a0-\u31bf\u31f0-\u31ff"
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00016ff0-\U00016fff\U0001aff0-\U0001b16f\U00020000-\U0003ffff"
)
# `\w` is the standard library's: letters, digits and the underscore. A combining mark that NFKC cannot fold into its
# letter is none of these and ends a word, alike in every text that is compared.
_WORD = re.compile(rf"(?=\w)[{CJK}]|[^\W{CJK}]+")
# The same cut for ASCII alone, six times as fast: letters in lower case, everything that is no word a blank.
_ASCII = bytes(code if chr(code).isalnum() or chr(code) == "_" else 32 for code in range(128)).lower() + bytes(128)
MAX_GRAM = 4096
CHUNK_ROWS = 8192
_SHIFT, _MIX = np.uint64(32), (np.uint64(0xD6E8FEB86659FD93), np.uint64(0xA0761D6478BD642F))


def normalise(text: str) -> str:
    """Return the form in which two texts are the same: NFKC, case folded, every run of blanks one blank."""
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text)
    return " ".join(text.casefold().split())


def words(text: str) -> list[bytes]:
    r"""Cut a text into its tokens: `\w+` after NFKC and case folding, each CJK character a token of its own.

    Returns
    -------
    list of bytes
        Each token in UTF-8, in order.
    """
    if text.isascii():
        return text.encode().translate(_ASCII).split()
    found = _WORD.findall(unicodedata.normalize("NFKC", text).casefold())
    return [word.encode("utf-8", "surrogatepass") for word in found]


def word_hashes(text: str) -> Hashes:
    """Return the 64-bit xxh3 of each token of `text`, shape (tokens,)."""
    return np.array([xxhash.xxh3_64_intdigest(word) for word in words(text)], np.uint64)


def _multipliers() -> Hashes:
    # Odd, so that no token's bits are lost; from a fixed seed, so that every process computes the same hashes.
    return np.random.default_rng(5_8).integers(0, 2**63, MAX_GRAM, np.uint64) * np.uint64(2) + np.uint64(1)


_MULTIPLIERS = _multipliers()


def gram_hashes(tokens: Hashes, size: int) -> Hashes:
    """Hash every run of `size` tokens.

    Parameters
    ----------
    tokens
        Shape (n,), uint64: the hashes of the tokens. Not modified.
    size
        Tokens in a run, 1 to 4096. Runs of different sizes have unrelated hashes.

    Returns
    -------
    ndarray
        Shape (max(0, n - size + 1),), uint64: of the run that begins at each token.

    Notes
    -----
    Multilinear hashing, with random odd multipliers, then mixed: two different runs have the same hash with a
    probability of about 2⁻⁶³, so sets of hashes stand for sets of runs.

    References
    ----------
    D. Lemire, O. Kaser, "Strongly universal string hashing is fast", The Computer Journal 57(11), 2014.
    """
    count = max(0, len(tokens) - size + 1)
    total = np.full(count, size, np.uint64)
    for place in range(size):
        total += tokens[place : place + count] * _MULTIPLIERS[place]
    for factor in _MIX:
        total ^= total >> _SHIFT
        total *= factor
    total ^= total >> _SHIFT
    return total


@dataclass(frozen=True, slots=True)
class Tokens:
    """The tokens of many rows, end to end: instruction, context and response of each.

    Attributes
    ----------
    hashes
        Shape (t,), uint64.
    starts
        Shape (n + 1,), int64: where each row begins; the last is t.
    contexts, responses
        Shape (n,), int64: where the context and the response of each row begin.
    """

    hashes: Hashes
    starts: Places
    contexts: Places
    responses: Places

    def __len__(self) -> int:
        return len(self.contexts)


def tokenise(rows: Iterable[tuple[str, str, str]]) -> Tokens:
    """Cut the instruction, context and response of every row into tokens, and hash them."""
    hashes, borders = array("Q"), array("q", [0])
    for row in rows:
        for text in row:
            hashes.extend(map(xxhash.xxh3_64_intdigest, words(text)))
            borders.append(len(hashes))
    places = np.frombuffer(borders, np.int64)
    flat = np.frombuffer(hashes, np.uint64) if hashes else np.empty(0, np.uint64)
    return Tokens(hashes=flat, starts=places[::3], contexts=places[1::3], responses=places[2::3])


@dataclass(frozen=True, slots=True)
class Shingles:
    """For each row the hashes of its runs of words, end to end. A run that repeats stands as often as it does.

    Attributes
    ----------
    hashes
        Shape (s,), uint64.
    starts
        Shape (n + 1,), int64: where each row begins; the last is s.
    """

    hashes: Hashes
    starts: Places

    def __len__(self) -> int:
        return len(self.starts) - 1

    def sizes(self) -> Places:
        return np.diff(self.starts)


def shingles(tokens: Tokens, size: int, rows: Places | None = None, *, prompts: bool = False) -> Shingles:
    """Hash all runs of `size` words of each row; a row with fewer words has one run, all of them.

    Parameters
    ----------
    tokens
        The rows. Not modified.
    size
        Words in a run.
    rows
        Which rows, in which order; all when none are given.
    prompts
        Of instruction and context alone; else of the response too. Runs go across the borders between these.

    Returns
    -------
    Shingles
        Shape as `rows`. A row without a word has none.
    """
    chosen = np.arange(len(tokens), dtype=np.int64) if rows is None else rows
    begin = tokens.starts[chosen]
    end = tokens.responses[chosen] if prompts else tokens.starts[chosen + 1]
    lengths = end - begin
    counts = np.where(lengths >= size, lengths - size + 1, np.minimum(lengths, 1))
    starts = np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)])
    out = np.empty(int(starts[-1]), np.uint64)
    for first in range(0, len(chosen), CHUNK_ROWS):
        part = slice(first, first + CHUNK_ROWS)
        gathered = tokens.hashes[ranges(begin[part], lengths[part])]
        inside = np.cumsum(lengths[part]) - lengths[part]
        is_long = lengths[part] >= size
        out[ranges(starts[:-1][part][is_long], counts[part][is_long])] = gram_hashes(gathered, size)[
            ranges(inside[is_long], counts[part][is_long])
        ]
    for row in np.flatnonzero((lengths < size) & (lengths > 0)):
        out[starts[row]] = gram_hashes(tokens.hashes[begin[row] : end[row]], int(lengths[row]))[0]
    return Shingles(out, starts)


def ranges(begin: Places, counts: Places) -> Places:
    """Return begin[0], begin[0] + 1, … (counts[0] of them), begin[1], …: shape (sum of counts,)."""
    total = int(counts.sum())
    firsts = np.cumsum(counts) - counts
    return np.repeat(begin - firsts, counts) + np.arange(total, dtype=np.int64)


def joined(parts: Sequence[Shingles]) -> Shingles:
    """Return the rows of all parts, in order."""
    hashes = np.concatenate([part.hashes for part in parts])
    sizes = np.concatenate([part.sizes() for part in parts])
    return Shingles(hashes, np.concatenate([np.zeros(1, np.int64), np.cumsum(sizes)]))
