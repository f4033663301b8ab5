"""Few validation rows draw an ensemble towards a plain mixture of the best of each model; many leave it alone."""

from __future__ import annotations

import numpy as np

from automl_gpt.tools.compose.selection import SHRINK_ROWS, Costs, shrink

CHOSEN, PLAIN = np.array([1.0, 0.0, 0.0]), np.array([0.5, 0.5, 0.0])
FREE = Costs(np.ones((3, 1)), np.array([np.inf]))


def test_few_rows_are_believed_to_one_half() -> None:
    np.testing.assert_allclose(shrink(CHOSEN, PLAIN, SHRINK_ROWS, FREE), [0.75, 0.25, 0.0])


def test_many_rows_leave_the_selection_as_it_is() -> None:
    np.testing.assert_allclose(shrink(CHOSEN, PLAIN, 50_000, FREE), CHOSEN)


def test_a_mixture_that_costs_too_much_is_not_taken() -> None:
    dear = Costs(np.ones((3, 1)), np.array([1.5]))
    np.testing.assert_allclose(shrink(CHOSEN, PLAIN, SHRINK_ROWS, dear), CHOSEN)
