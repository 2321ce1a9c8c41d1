"""Rows that belong together, and their sums.

A sum runs over its rows one after the other, so its last bits hang on them and their order alone.
"""

from typing import Any

import numpy as np
from scipy.sparse import csr_array

from glassfolio.model.market import FloatArray, IntArray


def adder(group: IntArray, count: int) -> Any:
    """A matrix that sums rows by group: adder @ (n, R) is (count, R). group: (n,) from 0 to count - 1."""
    order = np.argsort(group, kind="stable")
    begins = np.concatenate([[0], np.cumsum(np.bincount(group, minlength=count))])
    return csr_array((np.ones(len(group)), order, begins), shape=(count, len(group)))


def totals(place: IntArray, amount: FloatArray, count: int) -> FloatArray:
    """(count,) sums of the amounts at each place."""
    # Without places, bincount forgets the type of its weights.
    return np.bincount(place, weights=amount, minlength=count).astype(np.float64, copy=False)


def by_first(keys: IntArray) -> tuple[IntArray, IntArray]:
    """Number equal keys in the order in which they first occur.

    Returns (n,) the number of each key, and where each number first occurs.
    """
    _, first, inverse = np.unique(keys, return_index=True, return_inverse=True)
    order = np.argsort(first)
    number = np.empty(len(first), dtype=np.int64)
    number[order] = np.arange(len(first))
    return number[inverse], first[order]


def spans(begins: IntArray, ends: IntArray) -> tuple[IntArray, IntArray]:
    """All places of n ranges, one range after the other: which range each belongs to, and the place."""
    length = ends - begins
    of = np.repeat(np.arange(len(begins)), length)
    within = np.arange(len(of)) - np.repeat(np.cumsum(length) - length, length)
    return of, begins[of] + within


def level(group: IntArray, begins: IntArray, ends: IntArray, count: int, width: int) -> IntArray:
    """How many of n ranges of each group cover each place; (count, width). 0 <= begins <= ends <= width."""
    step = np.bincount(group * (width + 1) + begins, minlength=count * (width + 1))
    step = step - np.bincount(group * (width + 1) + ends, minlength=count * (width + 1))
    return np.cumsum(step.reshape(count, width + 1), axis=1)[:, :width]


def merge(group: IntArray, begins: IntArray, ends: IntArray) -> tuple[IntArray, IntArray, IntArray]:
    """The ranges of each group, those that overlap made into one: group, begin and end of each."""
    order = np.lexsort((begins, group))
    group, begins, ends = group[order], begins[order], ends[order]
    apart = group * (ends.max(initial=0) + 1)
    reach = np.maximum.accumulate(ends + apart)
    new = np.append(True, (begins + apart)[1:] > reach[:-1])[: len(group)]
    last = np.append(new[1:], True)[: len(group)]
    return group[new], begins[new], (reach - apart)[last]
