import json
import logging
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from agent.errors import StoreError
from agent.types import NS_PER_S
from agent.uplink.messages.payload import schema
from agent.uplink.outbox.outbox import HEAL_EVERY_NS, Outbox
from agent.uplink.outbox.sequence_file import BLOCK, Mark, read_mark
from tests.uplink.made import Clock, outbox, put, put_snapshot, seqs, take, take_everything


@pytest.fixture
def clock() -> Clock:
    return Clock()


def refuse_writes(box: Outbox) -> None:
    """Make the real database refuse as a read-only disk does."""
    assert box._disk is not None
    with box._disk.reading() as db:
        db.execute("PRAGMA query_only = 1")


def fill_disk(box: Outbox) -> None:
    """Make the real database refuse as a full disk does."""
    assert box._disk is not None
    with box._disk.reading() as db:
        db.execute("PRAGMA max_page_count = 1")  # clamps to the present size


def heal_disk(box: Outbox, clock: Clock) -> None:
    assert box._disk is not None
    with box._disk.reading() as db:
        db.execute("PRAGMA query_only = 0")
        db.execute("PRAGMA max_page_count = 1000000")
    clock.advance(HEAL_EVERY_NS / NS_PER_S)


def gap_of(messages: list) -> list[dict]:
    found = [json.loads(queued.payload) for queued in messages if queued.role == "gap"]
    for message in found:
        Draft202012Validator(schema("gap-1")).validate(message)
    return found


def test_numbers_are_complete_and_survive_a_restart(tmp_path: Path, clock: Clock) -> None:
    box = outbox(tmp_path, clock)
    assert [put(box, clock, f"i{n}") for n in range(3)] == [1, 2, 3]
    box.close()
    box = outbox(tmp_path, clock, run="second")
    assert [put(box, clock, f"j{n}") for n in range(2)] == [4, 5]
    assert seqs(take_everything(box)) == [1, 2, 3, 4, 5]


def test_an_empty_outbox_keeps_its_number_over_a_restart(tmp_path: Path, clock: Clock) -> None:
    box = outbox(tmp_path, clock)
    put(box, clock, "a")
    take_everything(box)
    box.close()
    assert put(outbox(tmp_path, clock), clock, "b") == 2


def test_a_failing_body_puts_nothing_and_uses_no_number(tmp_path: Path, clock: Clock) -> None:
    box = outbox(tmp_path, clock)

    def body(batch):
        batch.take_seq()
        raise RuntimeError("a fault of the caller")

    with pytest.raises(RuntimeError):
        box.write(body)
    assert put(box, clock, "a") == 1
    assert box.state().depth == 1


def test_what_was_taken_is_not_taken_again_until_its_lease_ends(tmp_path: Path, clock: Clock) -> None:
    box = outbox(tmp_path, clock)
    put(box, clock, "a")
    assert seqs(take(box)) == [1]
    assert take(box) == []
    clock.advance(59)
    assert take(box) == []
    clock.advance(2)
    assert seqs(take(box)) == [1]


def test_a_jump_of_the_wall_clock_ends_no_lease(tmp_path: Path, clock: Clock) -> None:
    box = outbox(tmp_path, clock)
    put(box, clock, "a")
    take(box)
    clock.wall_ns += 10**15
    assert take(box) == []


def test_only_what_was_delivered_is_deleted(tmp_path: Path, clock: Clock) -> None:
    box = outbox(tmp_path, clock)
    put(box, clock, "a")
    put(box, clock, "b")
    first, _ = take(box)
    box.delivered([first.id])
    box.release()
    assert seqs(take(box)) == [2]


def test_one_incident_is_sent_in_order_and_one_message_at_a_time(tmp_path: Path, clock: Clock) -> None:
    box = outbox(tmp_path, clock)
    put_snapshot(box, clock, "a")
    for _ in range(3):
        put(box, clock, "a")
    put(box, clock, "b")
    messages = take(box)
    assert [(queued.chain, queued.role) for queued in messages] == [("a", "snapshot"), ("b", "incident")]
    box.delivered([messages[0].id])
    assert seqs(take(box)) == [1]


def test_critical_goes_before_a_backlog_and_takes_its_earlier_messages_along(tmp_path: Path, clock: Clock) -> None:
    box = outbox(tmp_path, clock)
    for n in range(50):
        put(box, clock, f"old{n}")
    put(box, clock, "escalates", severity="warning")
    put(box, clock, "escalates", severity="critical", phase="update")
    assert seqs(take(box, 1)) == [51]


def test_a_live_critical_incident_goes_before_a_backlog_of_critical_ones(tmp_path: Path, clock: Clock) -> None:
    box = outbox(tmp_path, clock)
    for n in range(50):
        put(box, clock, f"old{n}", severity="critical")
    put(box, clock, "now", severity="critical")
    assert seqs(take(box, 1)) == [51]


def test_what_follows_a_critical_message_keeps_its_place(tmp_path: Path, clock: Clock) -> None:
    box = outbox(tmp_path, clock)
    put(box, clock, "a", severity="critical")
    put(box, clock, "backlog")
    put(box, clock, "a", severity="warning", phase="close")
    assert seqs(take_everything(box)) == [1, 2, 3]
    put(box, clock, "a", severity="critical")
    put(box, clock, "backlog")
    put(box, clock, "a", severity="warning", phase="close")
    first = take(box, 1)
    box.delivered([first[0].id])
    assert seqs(first) + seqs(take(box, 1)) == [4, 6]


def test_a_refused_topic_waits_and_others_go_on(tmp_path: Path, clock: Clock) -> None:
    box = outbox(tmp_path, clock)
    put(box, clock, "a", topic="vedette/box/forbidden/incident")
    put(box, clock, "b")
    messages = take(box)
    box.refused(messages[0], 30 * NS_PER_S)
    box.delivered([messages[1].id])
    assert take(box) == []
    clock.advance(31)
    assert seqs(take(box)) == [1]


def test_the_limit_of_bytes_lets_one_big_letter_pass(tmp_path: Path, clock: Clock) -> None:
    box = outbox(tmp_path, clock)
    put(box, clock, "a", size=5000)
    put(box, clock, "b", size=5000)
    assert seqs(take(box, 10, 1000)) == [1]


def test_too_many_bytes_evict_low_severity_first_and_say_so(tmp_path: Path, clock: Clock) -> None:
    box = outbox(tmp_path, clock, max_bytes=20_000)
    severities = ["critical", "notice", "warning"]
    for n in range(30):
        put(box, clock, f"i{n}", severity=severities[n % 3], size=1000)
    messages = take_everything(box)
    arrived = set(seqs(messages))
    gaps = gap_of(messages)
    given_up = {seq for gap in gaps for first, last in gap["ranges"] for seq in range(first, last + 1)}
    assert arrived | given_up == set(range(1, 32))
    assert not arrived & given_up
    # The numbers of gap messages shift those that follow, so ask the payloads who was critical.
    critical = {queued.seq for queued in messages if queued.role == "incident" and int(queued.chain[1:]) % 3 == 0}
    assert len(critical) == 10
    assert len(gaps) == 1, "ranges are merged into one message while nobody has read it"


def test_within_a_severity_pictures_and_updates_go_first(tmp_path: Path, clock: Clock) -> None:
    box = outbox(tmp_path, clock, max_bytes=11_000)
    put(box, clock, "a", phase="open", size=3000)
    put_snapshot(box, clock, "b", size=3000)
    put(box, clock, "a", phase="update", size=3000)
    put(box, clock, "a", phase="close", size=3000)
    put(box, clock, "c", phase="open", size=3000)
    assert [(queued.chain, queued.phase) for queued in take_everything(box) if queued.role != "gap"] == [
        ("a", "open"),
        ("c", "open"),
        ("a", "close"),
    ]


def test_a_gap_that_was_handed_out_never_changes_and_is_never_evicted(tmp_path: Path, clock: Clock) -> None:
    box = outbox(tmp_path, clock, max_bytes=5_000)
    for n in range(10):
        put(box, clock, f"i{n}", size=1000)
    before = gap_of(take(box))
    assert len(before) == 1
    box.release()
    for n in range(10):
        put(box, clock, f"j{n}", size=1000)
    after = {gap["seq"]: gap for gap in gap_of(take_everything(box))}
    assert after[before[0]["seq"]] == before[0]
    assert len(after) == 2


def test_a_frozen_gap_stays_frozen_over_a_restart(tmp_path: Path, clock: Clock) -> None:
    box = outbox(tmp_path, clock, max_bytes=5_000)
    for n in range(10):
        put(box, clock, f"i{n}", size=1000)
    before = gap_of(take(box))
    box.close()
    box = outbox(tmp_path, clock, max_bytes=5_000, run="second")
    for n in range(10):
        put(box, clock, f"j{n}", size=1000)
    assert before[0] in gap_of(take_everything(box))


def test_what_is_on_its_way_is_not_evicted(tmp_path: Path, clock: Clock) -> None:
    box = outbox(tmp_path, clock, max_bytes=5_000)
    put(box, clock, "a", severity="notice", size=1000)
    (leased,) = take(box)
    for n in range(10):
        put(box, clock, f"i{n}", size=1000)
    box.release()
    assert leased.seq in seqs(take_everything(box))


def test_age_evicts_all_but_critical_and_only_by_a_clock_that_is_right(tmp_path: Path, clock: Clock) -> None:
    box = outbox(tmp_path, clock, max_age_ns=100 * NS_PER_S)
    put(box, clock, "critical", severity="critical")
    put(box, clock, "warning")
    clock.synchronised = False
    put(box, clock, "wrongly dated")
    clock.advance(101)
    box.evict_old()
    assert box.state().depth == 3, "this clock cannot be trusted"
    clock.synchronised = True
    box.evict_old()
    messages = take_everything(box)
    assert seqs(messages) == [1, 3, 4]
    assert gap_of(messages)[0]["ranges"] == [[2, 2]]
    assert gap_of(messages)[0]["reason"] == "age"


@pytest.mark.parametrize("age_s", [99, 100])
def test_up_to_the_limit_of_age_nothing_is_evicted(tmp_path: Path, clock: Clock, age_s: int) -> None:
    box = outbox(tmp_path, clock, max_age_ns=100 * NS_PER_S)
    put(box, clock, "a")
    clock.advance(age_s)
    box.evict_old()
    assert box.state().depth == 1


@pytest.mark.parametrize("spoil", [refuse_writes, fill_disk])
def test_a_disk_that_refuses_costs_nothing_and_heals(
    tmp_path: Path, clock: Clock, spoil, caplog: pytest.LogCaptureFixture
) -> None:
    box = outbox(tmp_path, clock)
    put(box, clock, "before")
    spoil(box)
    with caplog.at_level(logging.INFO):
        numbers = [put(box, clock, f"i{n}", size=2000) for n in range(50)]
    assert numbers == list(range(2, 52))
    state = box.state()
    assert (state.degraded, state.depth) == (True, 51)
    assert state.why
    assert len([record for record in caplog.records if record.levelno == logging.ERROR]) == 1
    first = take(box, 10)
    box.delivered([queued.id for queued in first])
    heal_disk(box, clock)
    put(box, clock, "after")
    assert not box.state().degraded
    box.close()
    rest = take_everything(outbox(tmp_path, clock, run="second"))
    assert sorted(seqs(first) + seqs(rest)) == list(range(1, 53))


def test_what_waits_in_memory_is_brought_to_the_disk_at_the_end(tmp_path: Path, clock: Clock) -> None:
    box = outbox(tmp_path, clock)
    refuse_writes(box)
    put(box, clock, "a")
    assert box._disk is not None
    with box._disk.reading() as db:
        db.execute("PRAGMA query_only = 0")
    box.close()
    assert seqs(take_everything(outbox(tmp_path, clock, run="second"))) == [1]


def test_in_memory_an_incident_waits_for_its_beginning_on_the_disk(tmp_path: Path, clock: Clock) -> None:
    box = outbox(tmp_path, clock)
    put(box, clock, "a")
    refuse_writes(box)
    put(box, clock, "a", phase="close")
    put(box, clock, "b", severity="critical")
    messages = take(box)
    assert seqs(messages) == [3, 1]
    box.delivered([queued.id for queued in messages])
    assert seqs(take(box)) == [2]


def test_a_number_given_out_in_memory_is_not_used_again_after_a_crash(tmp_path: Path, clock: Clock) -> None:
    box = outbox(tmp_path, clock)
    put(box, clock, "a")
    refuse_writes(box)
    assert [put(box, clock, "b"), put(box, clock, "c")] == [2, 3]
    assert box._disk is not None
    box._disk.close()  # the agent dies here: memory is gone
    box = outbox(tmp_path, clock, run="second")
    assert put(box, clock, "d") == 5
    messages = take_everything(box)
    assert gap_of(messages)[0]["ranges"] == [[2, 3]]
    assert gap_of(messages)[0]["reason"] == "store_lost"
    assert sorted(seqs(messages)) == [1, 4, 5]


@pytest.mark.parametrize("damage", [b"this is not a database" * 100, b""])
def test_a_broken_database_is_moved_aside_and_the_numbers_go_on(
    tmp_path: Path, clock: Clock, damage: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    box = outbox(tmp_path, clock)
    for n in range(5):
        put(box, clock, f"i{n}")
    reserved = read_mark(tmp_path / "state.seq").reserved
    box.close()
    (tmp_path / "state.db").write_bytes(damage)
    (tmp_path / "state.db-wal").unlink(missing_ok=True)
    box = outbox(tmp_path, clock, run="second")
    assert put(box, clock, "a") == reserved + 2
    (gap,) = gap_of(take_everything(box))
    assert (gap["from_seq"], gap["to_seq"], gap["seq"]) == (1, reserved, reserved + 1)
    if damage:
        assert (tmp_path / "state.db.broken-1").read_bytes() == damage
        assert "moved aside" in caplog.text


def test_damage_inside_the_file_is_found(tmp_path: Path, clock: Clock) -> None:
    box = outbox(tmp_path, clock)
    for n in range(120):
        put(box, clock, f"i{n}", size=1000)
    box.close()
    with (tmp_path / "state.db").open("r+b") as file:
        file.seek(4096 * 3)
        file.write(os.urandom(4096 * 20))
    box = outbox(tmp_path, clock, run="second")
    assert put(box, clock, "a") > 120
    assert (tmp_path / "state.db.broken-1").exists()


def test_a_database_that_breaks_while_it_is_used_is_replaced(tmp_path: Path, clock: Clock) -> None:
    box = outbox(tmp_path, clock)
    for n in range(100):
        put(box, clock, f"i{n}", size=1000)
    with (tmp_path / "state.db").open("r+b") as file:
        file.write(b"\0" * 8192)
    for suffix in ("-wal",):
        os.truncate(tmp_path / f"state.db{suffix}", 0)
    numbers = [put(box, clock, f"j{n}") for n in range(3)]
    clock.advance(HEAL_EVERY_NS / NS_PER_S)
    numbers.append(put(box, clock, "k"))
    messages = take_everything(box)
    assert len(set(seqs(messages))) == len(seqs(messages))
    given_up = {seq for gap in gap_of(messages) for a, b in gap["ranges"] for seq in range(a, b + 1)}
    assert set(range(1, max(numbers) + 1)) <= given_up | set(seqs(messages))


@pytest.mark.parametrize("before", [None, 0o644])
def test_nobody_else_can_read_the_database_or_its_journals(tmp_path: Path, clock: Clock, before: int | None) -> None:
    old = os.umask(0o022)
    try:
        if before is not None:
            (tmp_path / "state.db").touch(before)
        box = outbox(tmp_path, clock)
        put(box, clock, "a")
    finally:
        os.umask(old)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    assert modes.keys() >= {"state.db", "state.db-wal", "state.db-shm", "state.seq"}
    assert set(modes.values()) == {0o600}


def test_two_agents_cannot_have_one_outbox(tmp_path: Path, clock: Clock) -> None:
    box = outbox(tmp_path, clock)
    with pytest.raises(StoreError, match="another Vedette"):
        outbox(tmp_path, clock)
    box.close()
    outbox(tmp_path, clock).close()


def test_a_database_of_a_newer_release_is_left_alone(tmp_path: Path, clock: Clock) -> None:
    box = outbox(tmp_path, clock)
    assert box._disk is not None
    with box._disk.reading() as db:
        db.execute("PRAGMA user_version = 99")
    box.close()
    with pytest.raises(StoreError, match="newer Vedette"):
        outbox(tmp_path, clock)
    assert not list(tmp_path.glob("*.broken*"))


def test_an_old_copy_of_the_database_does_not_use_numbers_again(tmp_path: Path, clock: Clock) -> None:
    box = outbox(tmp_path, clock)
    put(box, clock, "a")
    box.close()
    old = (tmp_path / "state.db").read_bytes()
    (tmp_path / "state.seq").write_text(f"{5 * BLOCK:020d} {0:020d}\n")  # as after a long time
    (tmp_path / "state.db").write_bytes(old)
    assert put(outbox(tmp_path, clock), clock, "b") == 5 * BLOCK + 2


def test_a_state_folder_that_cannot_be_made_is_a_degraded_beginning(tmp_path: Path, clock: Clock) -> None:
    (tmp_path / "folder").write_text("a file stands where the folder should be")
    box = outbox(tmp_path / "folder", clock)
    assert put(box, clock, "a") == 1
    assert box.state().degraded
    (tmp_path / "folder").unlink()
    clock.advance(HEAL_EVERY_NS / NS_PER_S)
    assert put(box, clock, "b") == 2
    assert not box.state().degraded
    box.close()
    assert seqs(take_everything(outbox(tmp_path / "folder", clock, run="second"))) == [1, 2]


def test_what_two_runs_wrote_before_they_could_read_the_disk_is_all_delivered(tmp_path: Path, clock: Clock) -> None:
    state = tmp_path / "state"
    outbox(state, clock).close()
    for run, chain in (("second", "a"), ("third", "b")):
        state.rename(tmp_path / "away")  # the disk is mounted late, twice, while the broker is away
        state.write_text("")
        box = outbox(state, clock, run=run)
        put(box, clock, chain)
        state.unlink()
        (tmp_path / "away").rename(state)
        clock.advance(HEAL_EVERY_NS / NS_PER_S)
        put(box, clock, f"{chain} healed")
        assert not box.state().degraded
        box.close()
    chains = [queued.chain for queued in take_everything(outbox(state, clock, run="last")) if queued.role != "gap"]
    assert sorted(chains) == ["a", "a healed", "b", "b healed"]


def test_what_was_delivered_out_of_memory_is_not_counted_as_left_on_the_disk(tmp_path: Path, clock: Clock) -> None:
    box = outbox(tmp_path, clock)
    put(box, clock, "on the disk")
    refuse_writes(box)
    for n in range(5):
        put(box, clock, f"in memory {n}")
    box.delivered([queued.id for queued in take(box) if queued.chain != "on the disk"])
    put(box, clock, "new")
    assert box.state().depth == 2
    box.release()
    take_everything(box)
    assert box.state().depth == 0
    heal_disk(box, clock)
    put(box, clock, "after")
    assert box.state().depth == 1


def test_the_mark_is_moved_ahead_in_blocks(tmp_path: Path, clock: Clock) -> None:
    outbox(tmp_path, clock).close()
    assert read_mark(tmp_path / "state.seq") == Mark(1 + BLOCK, 0)


def test_writing_is_synced_and_survives_kill_9(tmp_path: Path) -> None:
    program = """
import os, signal, sys
from pathlib import Path
from tests.uplink.made import Clock, outbox, put
clock = Clock()
box = outbox(Path(sys.argv[1]), clock)
for n in range(20):
    print(put(box, clock, f"i{n}"), flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""
    told = subprocess.run([sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, check=False)
    assert told.stdout.split() == [str(n) for n in range(1, 21)], told.stderr
    assert seqs(take_everything(outbox(tmp_path, Clock(), run="second"))) == list(range(1, 21))


def test_the_disk_is_asked_for_full_synchronisation(tmp_path: Path, clock: Clock) -> None:
    box = outbox(tmp_path, clock)
    assert box._disk is not None
    with box._disk.reading() as db:
        assert db.execute("PRAGMA synchronous").fetchone()[0] == 2
        assert db.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
