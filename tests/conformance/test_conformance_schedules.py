"""What every schedule that states its constants keeps: each class has an instance here."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import neuronal as nr
from neuronal.bounds.finding import PROVED, VIOLATED
from neuronal.theory.certificate import schedules as rows

S = nr.schedules
ALL = [
    S.constant(0.7),
    S.constant(0.0),
    S.cosine(5.0, 1.2, 0.2),
    S.cosine(3.0, 0.0, 2.0),
    S.exponential(2.0, 1.5),
    S.warmup(4.0, 0.8),
    S.Frozen(),
]
TIMES = arrays(float, 64, elements=st.floats(0, 50, allow_subnormal=False))


def at(schedule, t):
    with jax.enable_x64(True):
        return np.asarray(schedule(jnp.asarray(t, float)))


def test_every_class_has_an_instance():
    classes = [
        kind for kind in S.AbstractSchedule.__subclasses__() if kind.__module__ == S.__name__
    ]
    assert set(classes) == {type(schedule) for schedule in ALL}


@pytest.mark.parametrize("schedule", ALL, ids=repr)
@given(t=TIMES, s=TIMES)
@settings(max_examples=25, deadline=None, derandomize=True)
def test_the_bound_and_the_lipschitz_constant_hold(schedule, t, s):
    one, two = at(schedule, t), at(schedule, s)
    assert np.all((one >= 0) & (one <= schedule.bound * (1 + 1e-12)))
    assert np.all(np.abs(one - two) <= schedule.lipschitz * np.abs(t - s) * (1 + 1e-9) + 1e-12)


@pytest.mark.parametrize("schedule", ALL, ids=repr)
def test_they_are_proved_and_a_subclass_inherits_no_proof(schedule):
    found = rows.schedule_rows((schedule,) * 2, 20.0)
    assert [row.status for row in found] == [PROVED, PROVED]
    doubled = type("Doubled", (type(schedule),), {"__call__": lambda self, t: 2 + 0 * t})
    changed = doubled(*vars(schedule).values())
    assert changed.interval_form() is None and changed.positivity("xi") is None
    assert PROVED not in {row.status for row in rows.schedule_rows((changed,) * 2, 20.0)}
    assert rows.last_rate_row((changed,), 20.0).status == "measured"


@pytest.mark.parametrize("schedule", ALL, ids=repr)
def test_what_is_proved_positive_is_so_in_the_end(schedule):
    found = schedule.positivity("xi_2")
    late = at(schedule, np.linspace(10, 60, 101)).min()
    if found.status == PROVED:
        assert 0 < found.figure <= late * (1 + 1e-12)
    if found.status == VIOLATED:
        assert found.figure == late == 0


@pytest.mark.parametrize("schedule", ALL, ids=repr)
def test_other_numbers_are_no_other_structure(schedule):
    leaves, structure = jax.tree.flatten(schedule)
    assert leaves == list(vars(schedule).values())
    assert jax.tree.unflatten(structure, leaves) == schedule
