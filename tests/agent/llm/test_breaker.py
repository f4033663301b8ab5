"""The breaker: when a failing model is left alone, and when it is asked again."""

from automl_gpt.agent.llm.breaker import FIRST_PAUSE, INVALID_IN_A_ROW, LONGEST_PAUSE, Breaker


class Time:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_failure_opens_it_for_a_while_and_the_next_one_for_longer() -> None:
    time = Time()
    breaker = Breaker(time)
    assert breaker.allows() and not breaker.open
    assert breaker.failed() == FIRST_PAUSE
    assert not breaker.allows()
    time.now = FIRST_PAUSE
    assert breaker.allows() and breaker.open
    assert breaker.failed() == 2 * FIRST_PAUSE
    for _ in range(9):
        last = breaker.failed()
    assert last == LONGEST_PAUSE


def test_an_answer_closes_it_and_says_that_it_was_open() -> None:
    time = Time()
    breaker = Breaker(time)
    assert not breaker.answered()
    breaker.failed()
    time.now = FIRST_PAUSE
    assert breaker.answered()
    assert not breaker.answered() and breaker.failed() == FIRST_PAUSE


def test_what_can_not_succeed_is_never_asked_again_until_something_changes() -> None:
    time = Time()
    breaker = Breaker(time)
    assert breaker.failed(for_good=True) is None
    time.now = 1e9
    assert not breaker.allows()
    breaker.close()
    assert breaker.allows() and not breaker.open


def test_the_servers_own_wait_counts_where_it_is_longer() -> None:
    assert Breaker(Time()).failed(wait=45.0) == 45.0
    assert Breaker(Time()).failed(wait=1.0) == FIRST_PAUSE
    assert Breaker(Time()).failed(wait=86400.0) == LONGEST_PAUSE


def test_invalid_decisions_count_only_in_a_row() -> None:
    breaker = Breaker(Time())
    for _ in range(INVALID_IN_A_ROW - 1):
        assert not breaker.invalid()
    breaker.decided()
    for _ in range(INVALID_IN_A_ROW - 1):
        assert not breaker.invalid()
    assert breaker.invalid()


def test_a_model_that_answers_but_never_decides_is_left_alone_for_longer_and_longer() -> None:
    time = Time()
    breaker = Breaker(time)
    pauses = [breaker.invalid() for _ in range(INVALID_IN_A_ROW)]
    assert pauses == [*[None] * (INVALID_IN_A_ROW - 1), FIRST_PAUSE] and not breaker.allows()
    for doubled in (2 * FIRST_PAUSE, 4 * FIRST_PAUSE):
        time.now += 1e3
        assert breaker.allows() and not breaker.answered()
        assert breaker.invalid() == doubled
    time.now += 1e3
    assert not breaker.answered() and breaker.decided() and not breaker.decided()
    assert breaker.invalid() is None
