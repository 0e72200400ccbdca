"""Threads of a run keep their books one at a time."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from scenarios.turns import Turns


def test_one_has_the_turn_and_all_may_be_aside():
    turns, barrier = Turns(), threading.Barrier(4, timeout=20)
    keeping: list[int] = []
    most: list[int] = []

    def keep(number: int) -> None:
        with turns.taken():
            for _ in range(20):
                keeping.append(number)
                most.append(len(keeping))
                time.sleep(1e-4)  # others would get in here
                keeping.remove(number)
                with turns.aside():
                    barrier.wait()  # passes only if all four are aside at once

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(keep, range(4)))
    assert len(most) == 80
    assert max(most) == 1


def test_an_error_gives_the_turn_back():
    turns = Turns()
    with pytest.raises(ZeroDivisionError), turns.taken(), turns.aside():
        raise ZeroDivisionError
    with turns.taken():
        pass
