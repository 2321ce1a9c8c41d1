"""Clusters of holdings that move together, against scikit-learn and by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.cluster import AgglomerativeClustering

from glassfolio.analytics.clusters import cluster
from glassfolio.model.market import FloatArray, IntArray
from tests.analytics.test_correlation import last, sample, with_correlation

NAN = float("nan")


def groups(seed: int = 0) -> FloatArray:
    """Three groups that move together: names 0, 3, 5; 1, 4; and 2 by itself."""
    rng = np.random.default_rng(seed)
    common = rng.normal(0, 0.01, (90, 3))
    return common[:, [0, 1, 2, 0, 1, 0]] + rng.normal(0, 0.004, (90, 6))


def same_partition(left: IntArray, right: IntArray) -> bool:
    return bool(((left[:, None] == left) == (right[:, None] == right)).all())


def test_names_that_move_together_are_one_cluster_named_by_the_largest() -> None:
    x = np.array([100.0, -400.0, 50.0, -300.0, 20.0, 10.0])
    found = cluster(last(groups()), x)
    np.testing.assert_array_equal(found.label, [1, 0, 2, 1, 0, 1])
    np.testing.assert_array_equal(found.leader, [1, 3, 2])
    np.testing.assert_array_equal(found.gross, [420, 410, 50])
    np.testing.assert_array_equal(found.net, [-380, -190, 50])


def test_each_cluster_says_how_close_its_members_are() -> None:
    correlations = last(groups())
    found = cluster(correlations, np.ones(6))
    rho = correlations.value
    np.testing.assert_allclose(
        found.average_correlation, [(rho[0, 3] + rho[0, 5] + rho[3, 5]) / 3, rho[1, 4], NAN], rtol=1e-12
    )


@pytest.mark.parametrize(("rho", "together"), [(0.503, True), (0.497, False), (-0.9, False), (1.0, True)])
def test_two_names_belong_together_from_a_correlation_of_one_half(rho: float, together: bool) -> None:
    """The cut: a distance sqrt(2 (1 - rho)) of 1."""
    found = cluster(last(with_correlation(rho)), np.ones(2))
    assert (found.label[0] == found.label[1]) == together


@given(st.integers(0, 10_000), st.integers(2, 25))
@settings(max_examples=40, deadline=None)
def test_the_partition_is_that_of_scikit_learn(seed: int, names: int) -> None:
    """Average linkage on the distances, cut at 1."""
    correlations = last(sample(names, seed=seed))
    theirs = AgglomerativeClustering(
        n_clusters=None, metric="precomputed", linkage="average", distance_threshold=1.0
    ).fit(np.sqrt(2 * (1 - correlations.value)))
    assert same_partition(cluster(correlations, np.ones(names)).label, theirs.labels_)


@given(st.permutations(range(6)))
@settings(max_examples=30, deadline=None)
def test_the_order_of_names_permutes_the_labels(order: list[int]) -> None:
    x = np.array([100.0, -400.0, 50.0, -300.0, 20.0, 10.0])
    base = cluster(last(groups()), x)
    turned = cluster(last(groups()[:, order]), x[order])
    np.testing.assert_array_equal(turned.label, base.label[order])
    np.testing.assert_array_equal(np.array(order)[turned.leader], base.leader)
    np.testing.assert_allclose(turned.gross, base.gross, rtol=1e-12)


def test_a_reversed_book_has_the_same_clusters() -> None:
    x = np.array([100.0, -400.0, 50.0, -300.0, 20.0, 10.0])
    base, turned = cluster(last(groups()), x), cluster(last(groups()), -x)
    np.testing.assert_array_equal(turned.label, base.label)
    np.testing.assert_array_equal(turned.net, -base.net)


def test_names_outside_the_complete_matrix_are_in_no_cluster() -> None:
    returns = groups()
    returns[:-40, 3] = NAN
    found = cluster(last(returns), np.ones(6))
    assert found.label[3] == -1
    assert found.gross.sum() == 5


def test_of_equals_the_first_column_leads() -> None:
    found = cluster(last(groups()), np.ones(6))
    np.testing.assert_array_equal(found.leader, [0, 1, 2])
    np.testing.assert_array_equal(cluster(last(groups()), np.zeros(6)).leader, [0, 1, 2])


@pytest.mark.parametrize("names", [0, 1])
def test_few_names_are_no_special_case(names: int) -> None:
    found = cluster(last(groups()[:, :names]), np.ones(names))
    np.testing.assert_array_equal(found.label, np.zeros(names))
    assert len(found.leader) == names
