"""Remembering millions of names in little memory."""

import tracemalloc

from hypothesis import given
from hypothesis import strategies as st

from enforcement.rights.seen import Seen


@given(st.lists(st.text(max_size=4)))
def test_it_says_what_a_set_would(names: list[str]) -> None:
    seen, known = Seen(), set[str]()
    for name in names:
        assert seen.add(name) == (name not in known)
        known.add(name)


def test_a_name_costs_a_few_bytes() -> None:
    count = 200_000
    tracemalloc.start()
    seen = Seen()
    assert all(seen.add(f"R{number}") for number in range(count))
    used, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert used / count <= 32
    assert not any(seen.add(f"R{number}") for number in range(count))
