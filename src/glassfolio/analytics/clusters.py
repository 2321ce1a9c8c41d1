"""Which holdings move together: clusters of a correlation matrix.

Made of returns alone, so a cluster is no sector and bears the name of its largest member. Knows nothing of
symbols or of how correlations come about.
"""

from dataclasses import dataclass

import numpy as np
from scipy.cluster.hierarchy import fcluster, linkage

from glassfolio.analytics.correlation import Correlations
from glassfolio.model.market import FloatArray, IntArray

# At this distance two names have a correlation of 0.5.
CUT = 1.0


@dataclass(frozen=True)
class Clusters:
    """C clusters of U underlyings, the one with the largest gross exposure first.

    label: (U,) cluster of each underlying, -1 for those outside the complete matrix. leader: (C,) column of
    the member with the largest |X|, whose name it bears. gross, net: (C,) USD, sums of |X| and of X.
    average_correlation: (C,) mean over the pairs inside, NaN for a single member.
    """

    label: IntArray
    leader: IntArray
    gross: FloatArray
    net: FloatArray
    average_correlation: FloatArray


def cluster(correlations: Correlations, exposure: FloatArray) -> Clusters:
    """Cluster the underlyings that have all their pairs; exposure: (U,) USD, signed.

    Average linkage on the distance sqrt(2 (1 - rho)), 0 for names that move as one, 2 for opposites (Mantegna
    1999; Sokal and Michener 1958); names are one cluster as long as the average distance is at most 1, the
    distance at a correlation of 0.5. Signs of positions play no part. Ties go by the order of columns.
    """
    kept = np.flatnonzero(correlations.complete)
    matrix = correlations.value[np.ix_(kept, kept)]
    found = _partition(matrix)
    members = [kept[found == each] for each in np.unique(found)]
    size = np.abs(exposure)
    members.sort(key=lambda own: (-size[own].sum(), own[0]))
    label = np.full(len(exposure), -1, dtype=np.int64)
    for place, own in enumerate(members):
        label[own] = place
    return Clusters(
        label=label,
        leader=np.array([own[size[own].argmax()] for own in members], dtype=np.int64),
        gross=np.array([size[own].sum() for own in members]),
        net=np.array([exposure[own].sum() for own in members]),
        average_correlation=np.array([_mean_pair(correlations.value, own) for own in members]),
    )


def _partition(matrix: FloatArray) -> IntArray:
    if len(matrix) < 2:
        return np.arange(len(matrix), dtype=np.int64)
    distance = np.sqrt(2 * (1 - matrix[np.triu_indices(len(matrix), 1)]))
    found: IntArray = fcluster(linkage(distance, "average"), CUT, "distance")
    return found


def _mean_pair(value: FloatArray, own: IntArray) -> float:
    if len(own) < 2:
        return float("nan")
    inside = value[np.ix_(own, own)]
    return float(inside[np.triu_indices(len(own), 1)].mean())
