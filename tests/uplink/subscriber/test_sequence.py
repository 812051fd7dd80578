from hypothesis import given
from hypothesis import strategies as st

from agent.uplink.subscriber.sequence import SequenceCheck


def test_a_complete_sequence_misses_nothing() -> None:
    check = SequenceCheck()
    assert all(check.take(seq, 0.0) for seq in (5, 6, 7))
    assert (check.missing(), check.received) == ([], 3)


def test_a_hole_is_told_once_and_only_after_a_while() -> None:
    check = SequenceCheck()
    check.take(1, 0.0)
    check.take(5, 10.0)
    assert check.missing() == [(2, 4)]
    assert check.newly_missing(39.9, 30.0) == []
    assert check.newly_missing(40.0, 30.0) == [(2, 4)]
    assert check.newly_missing(99.0, 30.0) == []


def test_what_was_overtaken_fills_its_hole() -> None:
    check = SequenceCheck()
    for seq in (1, 4, 3, 2):
        assert check.take(seq, 0.0)
    assert check.missing() == []


def test_a_repetition_is_not_new() -> None:
    check = SequenceCheck()
    assert check.take(1, 0.0)
    assert check.take(2, 0.0)
    assert not check.take(2, 0.0)
    assert not check.take(1, 0.0)
    assert (check.received, check.duplicates) == (2, 2)


def test_a_number_that_was_used_for_two_messages_hides_neither() -> None:
    check = SequenceCheck()
    assert check.take(1, 0.0, "scream open")
    assert check.take(2, 0.0, "scream close")
    assert check.take(2, 9.0, "fall open"), "the box began anew from what its disk knew"
    assert not check.take(2, 9.0, "fall open")
    assert (check.received, check.duplicates, check.reused) == (3, 1, 1)


def test_what_came_before_the_first_is_new_but_not_ours_to_prove() -> None:
    check = SequenceCheck()
    check.take(10, 0.0)
    assert check.take(3, 0.0)
    assert check.missing() == []


def test_a_gap_message_accounts_for_what_will_not_come() -> None:
    check = SequenceCheck()
    check.take(1, 0.0)
    check.take(6, 0.0)
    check.give_up([(2, 3), (5, 9)], 0.0)
    assert check.missing() == [(4, 4)]
    assert check.given_up == 6
    assert check.take(10, 0.0)
    assert check.missing() == [(4, 4)]


@given(st.permutations(range(1, 12)), st.sets(st.integers(1, 11)), st.integers(0, 11))
def test_received_given_up_and_missing_are_all_there_is(order: list[int], lost: set[int], cut: int) -> None:
    check = SequenceCheck()
    check.take(0, 0.0)
    arrived = [seq for seq in order if seq not in lost][:cut]
    for seq in arrived:
        check.take(seq, 0.0)
    check.give_up([(seq, seq) for seq in lost], 0.0)
    newest = max([*arrived, *lost], default=0)
    missing = {seq for first, last in check.missing() for seq in range(first, last + 1)}
    assert missing == set(range(1, newest + 1)) - set(arrived) - lost


def test_a_number_of_any_size_costs_neither_time_nor_memory() -> None:
    check = SequenceCheck()
    check.take(1, 0.0)
    assert check.take(10**15, 1.0, "a number that no box has reached")
    check.give_up([(5, 10**18)], 2.0)
    assert check.missing() == [(2, 4)]
    assert check.take(3, 3.0)
    assert check.newly_missing(40.0, 30.0) == [(2, 2), (4, 4)]
    assert check.newly_missing(40.0, 30.0) == []
    assert not check.take(3, 4.0), "a repetition"
    assert check.given_up == 10**18 - 5
