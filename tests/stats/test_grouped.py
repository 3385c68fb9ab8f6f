"""Quantiles of groups against those of NumPy, one group at a time."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from app.stats.grouped import grouped_quantiles

VALUES = st.one_of(st.floats(0, 1e6), st.just(float("nan")))


@given(st.lists(st.tuples(st.integers(0, 4), VALUES), max_size=60), st.floats(0, 1))
def test_each_group_has_its_own(pairs, share):
    groups = np.array([group for group, _ in pairs], np.intp)
    values = np.array([value for _, value in pairs], np.float64)
    (found,), counts = grouped_quantiles(groups, values, 6, (share,))
    for group in range(6):
        own = values[(groups == group) & np.isfinite(values)]
        assert counts[group] == len(own)
        if len(own):
            np.testing.assert_allclose(found[group], np.quantile(own, share), rtol=1e-9, atol=1e-9)
        else:
            assert np.isnan(found[group])
