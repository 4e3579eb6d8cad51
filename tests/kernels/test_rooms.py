"""Rows of factors grow to few sizes, layers together, and hold the same kernel."""

import jax.numpy as jnp
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from neuronal.drivers.sgd.loop import with_room
from neuronal.kernels import Factored, rows_together, with_room_for, with_rows

SIZES = st.lists(st.tuples(st.integers(1, 600), st.integers(0, 900)), min_size=1, max_size=6)


@given(SIZES)
def test_there_is_room_for_what_is_needed_and_nothing_grows_for_nothing(pairs):
    rows, needed = zip(*pairs, strict=True)
    found = rows_together(rows, needed)
    full = any(n > k for k, n in pairs)
    for k, n, after in zip(rows, needed, found, strict=True):
        assert after >= max(k, n)
        grows = n > k or (full and n > 0.75 * k)
        assert (after > k) == grows
        if grows:
            assert after % 16 == 0
            assert k + k // 4 <= after < max(k + k // 4, n + 8) + 16


def test_layers_that_fill_up_one_after_the_other_meet_as_few_combinations_of_sizes_as_one_layer():
    """Ranks from 20 to 400, the other layers' behind the first's."""

    def sizes(ranks):
        rows, met = (32,) * len(ranks(20)), set()
        for rank in range(20, 401):
            rows = rows_together(rows, ranks(rank))
            met.add(rows)
        return len(met)

    assert sizes(lambda rank: (rank,)) == 11  # in steps of 16: 24
    assert sizes(lambda rank: (rank, int(0.95 * rank))) == 11
    assert sizes(lambda rank: (rank, rank // 2, rank // 4)) == 11


def kernel(rows):
    rng = np.random.default_rng(rows)
    f, g, s = (rng.normal(size=size) for size in ((rows, 5), (rows, 4), rows))
    return Factored(jnp.asarray(f), jnp.asarray(g), jnp.asarray(s))


def test_kernels_grow_and_stay_the_same():
    weights = (kernel(16), jnp.ones((5, 4)), kernel(48), kernel(32))
    grown = with_room_for(weights, (17, 0, 20, 30))
    assert [w.shape for w in grown] == [w.shape for w in weights]
    assert [len(grown[i].s) for i in (0, 2, 3)] == [32, 48, 48]
    for a, b in zip(grown, weights, strict=True):
        np.testing.assert_array_equal(np.asarray(a), np.asarray(b))
    alike = with_rows(weights, (20, 7, 40, 33))
    assert [len(alike[i].s) for i in (0, 2, 3)] == [20, 48, 33]
    assert alike[1] is weights[1]


def test_layers_that_stay_as_they_are_need_none():
    weights = (jnp.ones((5, 2)), kernel(16), kernel(16), jnp.ones((4, 1)))
    grown = with_room(weights, jnp.asarray([40]), (False, True, False, False))
    assert grown[1] is weights[1]
    assert len(grown[2].s) == 48
