"""What opens, when, and what it says: the whole door with synthetic observations."""

from dataclasses import replace

import pytest

from agent.config.schema import Camera, Config, Zone
from agent.config.schema import Policy as PolicyTable
from agent.inference.hear import AGAIN_S
from agent.scene import Policy, Scene
from agent.types import KINDS, NS_PER_S, Box, Detection, Incident, IncidentChange, Opened, Updated
from tests.scene.observe import (
    STATS,
    T3_BEEPS,
    T4_BEEPS,
    bang,
    beeping,
    blind,
    closed,
    falling,
    heard,
    in_order,
    kinds,
    listening,
    noisy,
    ns,
    opened,
    person,
    play,
    score,
    seen,
    ticks,
    times,
    walking,
    watching,
)

DOOR = Zone(polygon=((0.5, 0.5), (1.0, 0.5), (1.0, 1.0), (0.5, 1.0)))


def zones(*rules: str, **changes: float | str) -> Policy:
    zone = DOOR.model_copy(update={"rules": rules, **changes})
    return Policy(zones={"cam": {"door": zone}})


def only(changes: list[IncidentChange]) -> Incident:
    (incident,) = opened(changes)
    return incident


def test_somebody_who_walks_by_opens_nothing() -> None:
    assert play(in_order(watching(12, lambda t: [walking(t)]), listening(12))) == []


def test_a_fall_opens_within_0_8_s_on_the_floor_and_says_how() -> None:
    incident = only(play(in_order(watching(8, lambda t: [falling(t, falls_s=3.0, takes_s=0.6)]), listening(8))))
    assert incident.kind == "fall"
    assert incident.severity == "critical"
    assert 3.0 <= incident.at_ns / NS_PER_S <= 3.6 + 0.8
    assert incident.started_ns == pytest.approx(ns(3.1), abs=ns(0.25))
    assert incident.summary.startswith("Person fell at cam: went from walking to lying in 0.")
    assert (incident.without_sound, incident.without_picture) == (True, False)
    assert [evidence.signal for evidence in incident.evidence] == ["went_down"]
    assert incident.tracks == (1,)


def test_a_thud_makes_a_fall_open_sooner_and_is_told() -> None:
    people = watching(8, lambda t: [falling(t, prob=0.6)])
    alone = only(play(in_order(people, listening(8))))
    both = only(play(in_order(people, bang("crash", 3.4, 4.5, 8))))
    assert both.kind == "fall"
    assert both.at_ns < alone.at_ns
    assert "a thud was heard" in both.summary
    assert {"vision", "sound"} == {evidence.modality for evidence in both.evidence}
    assert both.without_sound is False


def test_that_it_would_have_opened_without_the_sound_is_told_as_soon_as_it_is_true() -> None:
    changes = play(in_order(watching(9, lambda t: [falling(t, prob=0.6)]), bang("crash", 3.4, 4.5, 9)))
    updates = [change.incident for change in changes if isinstance(change, Updated)]
    assert updates[0].without_sound is True
    assert closed(changes)[0].without_sound is True


@pytest.mark.parametrize(("sound_late_s", "picture_late_s"), [(0.4, 0.0), (1.2, 0.0), (0.0, 0.6), (0.0, 1.2)])
def test_a_camera_whose_sound_and_picture_come_apart_is_neither_deaf_nor_blind(
    sound_late_s: float, picture_late_s: float
) -> None:
    pictures = watching(12.0, lambda t: [falling(t)])
    sounds = bang("gunshot", 9.0, 9.0, 12.0)
    arriving = [(one.at_ns + ns(picture_late_s), one) for one in pictures]
    arriving += [(one.at_ns + ns(sound_late_s), one) for one in sounds]
    scene, changes = Scene(Policy()), list[IncidentChange]()
    present = []
    for _, observation in sorted(arriving, key=lambda pair: (pair[0], pair[1].at_ns)):
        changes += scene.step(observation)
        if observation.at_ns > ns(3.0):
            present.append(len(scene.tracks("cam")))
    assert scene.dropped == 0
    assert sorted(kinds(changes)) == ["fall", "gunshot"]
    assert set(present) == {1}


def test_who_was_found_lying_opens_within_2_5_s_as_fallen() -> None:
    changes = play(watching(8, lambda t: [person(0.5, 0.8, height=0.12, ratio=2.4)] if t >= 1 else []))
    incident = only(changes)
    assert incident.at_ns <= ns(1 + 2.5)
    assert incident.evidence[0].signal == "fallen"
    assert "how it came to that was not seen" in incident.summary


def test_who_gets_up_at_once_did_not_fall() -> None:
    def ties_a_shoe(t: float) -> list[object]:
        down = 2.0 <= t < 2.3
        return [person(0.4, 0.8, height=0.2 if down else 0.4, ratio=1.3 if down else 0.4)]

    assert play(watching(8, ties_a_shoe)) == []


def test_who_lies_still_stays_lying_while_the_picture_stands_still() -> None:
    pictures = watching(5, lambda t: [falling(t)]) + watching(20, lambda _: None, start_s=5)
    changes = play(pictures)
    assert kinds(changes) == ["fall"]
    assert closed(changes)[0].close_reason == "stopped"
    scene = Scene(Policy())
    for picture in pictures:
        scene.step(picture)
    (track,) = scene.tracks("cam")
    assert track.behaviour == "lying"
    assert scene.beliefs("cam")["fall"] > 0.9


def test_a_thud_confirms_the_fall_that_it_belongs_to_and_no_later_one() -> None:
    def reasons(thud_s: float) -> set[str]:
        pictures = watching(9, lambda t: [falling(t, falls_s=5.0)])
        incident = only(play(in_order(pictures, bang("door_slam", thud_s, 6.0, 9.0))))
        assert incident.kind == "fall"
        return {evidence.signal for evidence in incident.evidence}

    assert "thud" in reasons(5.4)
    assert "thud" not in reasons(3.6)


def test_a_fall_closes_some_time_after_the_person_got_up() -> None:
    def falls_and_rises(t: float) -> list[object]:
        return [falling(t) if t < 6 else falling(3.6 - min(0.6, t - 6))]

    (end,) = closed(play(watching(30, falls_and_rises)))
    assert end.close_reason == "quiet"
    assert end.ended_ns == pytest.approx(ns(6.5), abs=ns(0.5))


@pytest.mark.parametrize("kind", ["gunshot", "explosion", "glass_break", "scream", "crash"])
def test_a_bang_opens_within_0_8_s_once_and_closes(kind: str) -> None:
    changes = play(bang(kind, 12.3, 7.0, 60))
    incident = only(changes)
    assert incident.kind == kind
    assert incident.started_ns == ns(12.3)
    assert incident.at_ns <= ns(12.3 + 0.8)
    assert (incident.without_sound, incident.without_picture) == (False, True)
    assert [end.close_reason for end in closed(changes)] == ["quiet"]


@pytest.mark.parametrize("kind", ["gunshot", "scream"])
@pytest.mark.parametrize(
    ("ends", "opens"),
    [((12.5, 13.0), False), ((12.5, 13.0, 14.0), True), ((12.5, 13.0, 14.5), False), ((12.5, 13.5, 14.0), True)],
)
def test_what_may_be_something_else_must_be_heard_in_three_windows_of_two_seconds(
    kind: str, ends: tuple[float, ...], opens: bool
) -> None:
    windows = [heard(t, **({kind: 7.0} if t in ends else {})) for t in times(0.5, 20, 0.5)]
    began = [(one.kind, one.started_ns) for one in opened(play(windows))]
    assert began == ([(kind, ns(12.25))] if opens else [])


def test_the_tail_of_a_slam_is_no_shot_but_a_shot_after_it_is() -> None:
    def opens(begins_as: str, *, onset_at: float | None = None, with_onset: bool = True) -> list[str]:
        """A thing at 12.3 s whose windows say `begins_as`; those after it, without its beginning, a shot."""
        windows = bang(begins_as, 12.3, 6.0, 13.9)
        windows += [
            heard(t, gunshot=7.0, onset_s=onset_at if t == 15.0 else None) for t in (14.5, 15.0, 15.5, 16.0, 16.5)
        ]
        windows += [heard(t) for t in times(17.0, 30, 0.5)]
        return kinds(play(one if with_onset else replace(one, onset_ns=None) for one in windows))

    assert "gunshot" not in opens("door_slam")
    assert "gunshot" in opens("door_slam", onset_at=14.8)
    assert "gunshot" in opens("door_slam", with_onset=False)
    assert "gunshot" in opens("gunshot")
    assert "gunshot" in opens("speech")


def test_glass_breaks_at_once_so_a_sound_without_an_onset_has_to_be_surer() -> None:
    def opens(kind: str, llr: float, *, with_onset: bool) -> list[str]:
        windows = bang(kind, 12.3, llr, 30)
        return kinds(play(one if with_onset else replace(one, onset_ns=None) for one in windows))

    assert opens("glass_break", 5.0, with_onset=True) == ["glass_break"]
    assert "glass_break" not in opens("glass_break", 5.0, with_onset=False)
    assert opens("glass_break", 7.0, with_onset=False) == ["glass_break"]
    assert opens("scream", 5.0, with_onset=False) == ["scream"]


def test_a_card_says_from_which_llr_on_its_labels_open() -> None:
    def opens(alarm_llr: float | None, llr: float) -> list[str]:
        windows = bang("gunshot", 12.3, llr, 30)
        return kinds(
            play(replace(one, scores=tuple(replace(s, alarm_llr=alarm_llr) for s in one.scores)) for one in windows)
        )

    assert [opens(3.0, llr) for llr in (2.9, 3.1)] == [["loud_noise"], ["gunshot"]]
    assert [opens(8.0, llr) for llr in (7.9, 8.1)] == [["loud_noise"], ["gunshot"]]
    assert opens(None, 5.1) == opens(5.0, 5.1) == ["gunshot"]


def test_a_look_between_two_steps_opens_at_once_and_tells_nothing_but_its_scores() -> None:
    windows = bang("explosion", 12.3, 7.0, 30)
    look = replace(heard(12.4, explosion=7.0, onset_s=12.3), between=True, level_dbfs=0.0, peak_dbfs=0.0)
    quiet = [replace(one, scores=()) for one in windows]
    incident = only(play(in_order(quiet, [look]))[:1])
    assert (incident.kind, incident.started_ns, incident.at_ns) == ("explosion", ns(12.3), ns(12.4))
    before = play(in_order(windows))
    silent = replace(look, scores=())
    assert play(in_order(windows, [silent])) == before


def test_what_is_half_heard_all_the_time_opens_nothing() -> None:
    assert play([heard(t, gunshot=4.5) for t in times(0.5, 60, 0.5)][8:]) == []
    steps = [heard(t, gunshot=4.4 if round(t * 2) % 3 else 1.0) for t in times(0.5, 60, 0.5)]
    assert play(steps) == []


def test_steps_that_sound_like_shots_are_known_by_their_rhythm() -> None:
    def walk(first_s: float, period_s: float, louder_db: float = 0.0) -> list[object]:
        knocks = [first_s + k * period_s for k in range(12)]
        windows = []
        for t in times(0.5, 20, 0.5):
            newest = [k for k in knocks if t - 0.5 <= k < t]
            level = -35.0 + (louder_db if newest and newest[0] == knocks[8] else 0.0) if newest else -60.0
            llr = 6.4 if any(k in knocks[4:] for k in knocks if t - 2 <= k < t) else -3.0
            windows.append(heard(t, level_dbfs=level, onset_s=newest[0] if newest else None, gunshot=llr))
        loud = {"level_dbfs": -35.0 + louder_db, "onset_s": knocks[8], "gunshot": 6.4}
        again = [replace(heard(knocks[8] + after_s, **loud), between=True) for after_s in AGAIN_S[:2]]
        return in_order(windows, again if louder_db else [])

    assert play(walk(3.1, 0.58)) == []
    assert "gunshot" in kinds(play(walk(3.1, 0.58, louder_db=20.0)))
    assert kinds(play(walk(3.1, 1.3))) == ["gunshot"]


def test_the_strongest_reading_of_one_bang_wins() -> None:
    both = [replace(h, scores=(score("gunshot", 7.0), score("explosion", 8.0))) for h in bang("gunshot", 12.3, 7, 14.2)]
    changes = play(in_order(listening(12), [h for h in both if h.at_ns > ns(12.3)], listening(40, start_s=14.2)))
    assert kinds(changes) == ["explosion"]


def test_two_bangs_in_one_place_within_seconds_are_one_incident() -> None:
    changes = play(in_order(bang("gunshot", 5.2, 7, 7.5), bang("gunshot", 9.2, 7, 40)[15:]))
    assert kinds(changes) == ["gunshot"]


def test_two_bangs_far_apart_are_two_incidents() -> None:
    changes = play(in_order(bang("gunshot", 5.2, 7, 40), bang("gunshot", 45.2, 7, 60)[80:]))
    assert kinds(changes) == ["gunshot", "gunshot"]


def test_one_bang_on_three_cameras_is_one_incident_with_all_of_them() -> None:
    streams = [bang("gunshot", 12.3, 7, 30, camera=camera, phase_s=phase) for camera, phase in
               (("east", 0.0), ("north", 0.17), ("west", 0.4))]  # fmt: skip
    changes = play(in_order(*streams))
    assert kinds(changes) == ["gunshot"]
    (end,) = closed(changes)
    assert sorted(end.cameras) == ["east", "north", "west"]
    assert end.camera == end.cameras[0]
    assert "east" in end.summary
    assert "north" in end.summary


def test_a_bang_that_a_far_camera_takes_for_a_crash_is_one_incident_whichever_comes_first() -> None:
    for shot_s, crash_s in ((12.3, 12.6), (12.6, 12.3)):
        near, far = bang("gunshot", shot_s, 7, 30, camera="near"), bang("crash", crash_s, 7, 30, camera="far")
        ends = closed(play(in_order(near, far)))
        assert [end.kind for end in ends if end.close_reason != "absorbed"] == ["gunshot"]


def test_bangs_a_second_apart_on_two_cameras_are_two_incidents() -> None:
    changes = play(in_order(bang("gunshot", 12.3, 7, 30, camera="a"), bang("gunshot", 13.3, 7, 30, camera="b")))
    assert kinds(changes) == ["gunshot", "gunshot"]


def test_a_smoke_alarm_is_known_by_its_rhythm_after_two_cycles() -> None:
    changes = play(beeping(T3_BEEPS, 4.0, 6.0, 25))
    incident = only(changes)
    assert incident.kind == "alarm"
    assert incident.started_ns == pytest.approx(ns(6.0), abs=ns(0.05))
    assert incident.at_ns <= ns(6 + 4 + 2.5 + 0.55)
    assert incident.summary == "Smoke alarm sounding at cam: 2 cycles of three beeps (T3)."
    assert incident.severity == "warning"


def test_a_carbon_monoxide_alarm_is_known_by_its_rhythm_after_two_cycles() -> None:
    incident = only(play(beeping(T4_BEEPS, 5.7, 6.0, 30)))
    assert incident.at_ns <= ns(6 + 5.7 + 0.7 + 0.55)
    assert "Carbon monoxide" in incident.summary


@pytest.mark.parametrize("cycle_s", [1.0, 1.6, 2.0])
def test_beeps_without_the_pause_of_an_alarm_are_no_alarm(cycle_s: float) -> None:
    assert play(beeping(((0.0, 0.3),), cycle_s, 3.0, 40)) == []


def test_a_siren_opens_within_2_s_and_holds() -> None:
    windows = [heard(t, alarm=7.0 if t > 10 else -3.0) for t in times(0.5, 40, 0.5)]
    incident = only(play(windows))
    assert incident.kind == "alarm"
    assert incident.at_ns <= ns(12.0)


def test_a_card_says_from_which_llr_on_alarms_count() -> None:
    def opens(alarm_llr: float | None, llr: float) -> list[str]:
        windows = [heard(t, alarm=llr) for t in times(0.5, 40, 0.5)]
        return kinds(
            play(replace(one, scores=tuple(replace(s, alarm_llr=alarm_llr) for s in one.scores)) for one in windows)
        )

    assert [opens(None, llr) for llr in (2.7, 3.5)] == [[], ["alarm"]]
    assert [opens(4.0, llr) for llr in (1.7, 2.5)] == [[], ["alarm"]]
    assert [opens(8.0, llr) for llr in (5.7, 6.5)] == [[], ["alarm"]]


@pytest.mark.parametrize(("llr", "windows", "expected"), [(7.0, 3, ["alarm"]), (7.0, 2, []), (4.0, 3, [])])
def test_a_sure_alarm_needs_three_windows_and_a_likely_one_more(llr: float, windows: int, expected: list[str]) -> None:
    """A siren of three seconds seldom has a fourth."""
    end_s = 10.0 + 0.5 * windows
    assert kinds(play([heard(t, alarm=llr if 10.0 <= t < end_s else -3.0) for t in times(0.5, 40, 0.5)])) == expected


def test_half_a_second_of_something_like_an_alarm_opens_nothing() -> None:
    assert play([heard(t, alarm=6.0 if t in (10.0, 10.5) else -3.0) for t in times(0.5, 40, 0.5)]) == []


def test_a_fire_opens_within_3_s_of_the_first_evidence() -> None:
    pictures = [seen(t, scene=[score("fire", 4.0 if t >= 5 else -4.0)]) for t in times(0, 20, 0.1)]
    changes = play(pictures)
    incident = only(changes)
    assert (incident.kind, incident.severity) == ("fire", "critical")
    assert incident.at_ns <= ns(8)
    assert incident.summary == "Fire seen at cam."


@pytest.mark.parametrize(("flicker", "expected"), [(None, []), (3.0, []), (40.0, ["fire"])])
def test_what_might_be_a_flame_is_one_if_it_flickers(flicker: float | None, expected: list[str]) -> None:
    pictures = [seen(t, scene=[score("fire", -0.5)], flicker=flicker) for t in times(0, 20, 0.1)]
    assert kinds(play(pictures)) == expected


def test_flicker_alone_is_no_fire() -> None:
    assert play([seen(t, scene=[score("fire", -3.0)], flicker=500.0) for t in times(0, 60, 0.1)]) == []


def test_a_fire_counts_by_the_second_and_not_by_the_picture() -> None:
    def opens_after(fps: float) -> float:
        pictures = [seen(t, scene=[score("fire", 4.0 if t >= 5 else -4.0)]) for t in times(0, 20, 1 / fps)]
        return only(play(pictures)).at_ns / NS_PER_S

    assert opens_after(25) == pytest.approx(opens_after(5), abs=0.25)


def test_an_alarm_makes_a_fire_open_sooner_and_the_fire_the_alarm() -> None:
    pictures = [seen(t, scene=[score("fire", 1.9 if t >= 5 else -4.0)]) for t in times(0, 20, 0.1)]
    siren = [heard(t, alarm=7.0 if t > 5 else -3.0) for t in times(0.5, 20, 0.5)]
    fire_alone, alarm_alone = only(play(pictures)), only(play(siren))
    together = {incident.kind: incident for incident in opened(play(in_order(pictures, siren)))}
    assert together["fire"].at_ns < fire_alone.at_ns
    assert together["alarm"].at_ns <= alarm_alone.at_ns
    assert together["fire"].summary == "Fire seen at cam; an alarm was heard."


@pytest.mark.parametrize(("label", "llr"), [("smoke", 2.2), ("fire", 1.45)])
def test_what_looks_a_little_like_it_for_minutes_is_neither_smoke_nor_fire(label: str, llr: float) -> None:
    """Frosted glass and haze do; what is surer opens."""
    assert play([seen(t, scene=[score(label, llr)]) for t in times(0, 120, 0.1)]) == []
    assert kinds(play([seen(t, scene=[score(label, llr + 0.5)]) for t in times(0, 120, 0.1)])) == [label]


def test_an_alarm_alone_is_no_fire() -> None:
    pictures = [seen(t, scene=[score("fire", -3.0)]) for t in times(0, 30, 0.1)]
    siren = [heard(t, alarm=9.0) for t in times(0.5, 30, 0.5)]
    assert kinds(play(in_order(pictures, siren))) == ["alarm"]


def test_smoke_of_a_fire_is_part_of_the_fire() -> None:
    def scores_at(t: float) -> list[object]:
        return [score("smoke", 4.0 if t >= 5 else -4.0), score("fire", 4.0 if t >= 12 else -4.0)]

    changes = play([seen(t, scene=scores_at(t)) for t in times(0, 30, 0.1)])
    smoke, fire = opened(changes)
    assert (smoke.kind, fire.kind) == ("smoke", "fire")
    assert fire.absorbs == (smoke.ordinal,)
    assert [(end.kind, end.close_reason) for end in closed(changes)] == [("smoke", "absorbed"), ("fire", "stopped")]


def test_an_intrusion_opens_after_its_dwell_with_the_zone() -> None:
    changes = play(watching(15, lambda t: [walking(t)]), zones("intrusion"))  # crosses x = 0.5 at 5 s
    incident = only(changes)
    assert incident.kind == "intrusion"
    assert ns(5.4) <= incident.at_ns <= ns(5 + 0.5 + 0.3)
    assert incident.zones == ("door",)
    assert "zone door" in incident.summary
    assert incident.evidence[0].modality == "rule"


def test_the_sentence_calls_camera_and_zone_as_people_do_and_the_rest_keeps_identifiers() -> None:
    plain = zones("intrusion", name="Tür {0}")
    camera = next(iter(plain.zones))
    named = replace(plain, names={camera: "Eingang Süd %s"})
    people = watching(15, lambda t: [walking(t)])
    incident, without = only(play(people, named)), only(play(people, zones("intrusion")))
    assert "at Eingang Süd %s, zone Tür {0}, for" in incident.summary
    assert replace(incident, summary=without.summary) == without


def test_breaking_glass_shortens_the_dwell_of_an_intrusion() -> None:
    policy = zones("intrusion", intrusion_dwell_s=2.0)
    people = watching(15, lambda t: [walking(t)])
    alone = only(play(people, policy))
    glass, intrusion = opened(play(in_order(people, bang("glass_break", 4.7, 8.0, 15)), policy))
    assert (glass.kind, intrusion.kind) == ("glass_break", "intrusion")
    assert intrusion.at_ns < alone.at_ns
    assert "breaking glass was heard" in intrusion.summary


@pytest.mark.parametrize(("llr", "said"), [(0.5, False), (1.9, False), (2.1, True)])
def test_the_sentence_claims_a_sound_only_where_it_adds_half_of_what_it_may(llr: float, said: bool) -> None:
    people = watching(15, lambda t: [walking(t)])
    intrusion = only(play(in_order(people, bang("glass_break", 4.7, llr, 15)), zones("intrusion")))
    heard = [evidence.llr for evidence in intrusion.evidence if evidence.signal == "glass_break"]
    assert heard  # it stands among the reasons all the same
    assert ("breaking glass was heard" in intrusion.summary) is said


def test_what_does_not_count_in_a_zone_opens_nothing() -> None:
    def dog(t: float) -> list[object]:
        return [replace(walking(t), label="dog")]

    assert play(watching(15, dog), zones("intrusion", "loitering")) == []


def test_loitering_opens_after_its_dwell_and_not_before() -> None:
    def stays(t: float) -> list[object]:
        return [person(0.7, 0.8)]

    incident = only(play(watching(15, stays), zones("loitering", loitering_dwell_s=8.0)))
    assert incident.kind == "loitering"
    assert ns(8.0) <= incident.at_ns <= ns(8.3)
    assert play(watching(7.9, stays), zones("loitering", loitering_dwell_s=8.0)) == []


def test_dwelling_goes_on_while_the_picture_stands_still() -> None:
    pictures = watching(3, lambda _: [person(0.7, 0.8)]) + watching(12, lambda _: None, start_s=3)
    assert kinds(play(pictures, zones("loitering", loitering_dwell_s=8.0))) == ["loitering"]


def test_a_covered_lens_is_noticed_within_5_s_and_its_uncovering_too() -> None:
    hand = replace(STATS, brightness_frac=0.2, contrast_frac=0.03, sharpness_frac=0.004, grid=(0.2,) * 48)
    pictures = [seen(t, stats=noisy(hand if 20 <= t < 40 else STATS, t)) for t in times(0, 60, 0.1)]
    changes = play(pictures)
    incident = only(changes)
    assert incident.kind == "camera_covered"
    assert incident.at_ns <= ns(25)
    (end,) = closed(changes)
    assert end.close_reason == "quiet"
    assert end.ended_ns is not None
    assert end.ended_ns <= ns(45)


def test_dusk_and_lights_off_do_not_cover_the_lens() -> None:
    def dimmed(share: float) -> object:
        return replace(
            STATS,
            brightness_frac=STATS.brightness_frac * share,
            contrast_frac=STATS.contrast_frac * share,
            sharpness_frac=STATS.sharpness_frac * share,
            grid=tuple(cell * share for cell in STATS.grid),
        )

    slowly = [seen(t, stats=noisy(dimmed(max(0.25, 1 - t / 60)), t)) for t in times(0, 90, 0.2)]
    at_once = [seen(t, stats=noisy(dimmed(1.0 if t < 20 else 0.3), t)) for t in times(0, 60, 0.2)]
    assert play(slowly) == []
    assert play(at_once) == []


def test_a_frozen_camera_is_noticed_but_a_still_picture_without_noise_is_not() -> None:
    freezes = [seen(t, stats=noisy(STATS, min(t, 40.0))) for t in times(0, 60, 0.1)]
    changes = play(freezes)
    assert kinds(changes) == ["camera_frozen"]
    assert ns(42) <= opened(changes)[0].at_ns <= ns(45)
    assert play([seen(t, None, stats=STATS) for t in times(0, 60, 0.1)]) == []


def test_a_lost_source_opens_within_5_s_and_nothing_else() -> None:
    changes = play(in_order(
        watching(5, lambda t: [walking(t)]), listening(5),
        [blind(5, "timeout"), blind(5.05, "timeout", modality="sound")], ticks(30, start_s=5),
    ))  # fmt: skip
    incident = only(changes)
    assert incident.kind == "source_lost"
    assert incident.at_ns <= ns(10)
    assert incident.summary == "Camera cam is lost: it stopped answering."


def test_what_is_told_of_a_lost_source_is_why_it_does_not_come_back() -> None:
    changes = play([*watching(5), blind(5, "cut"), blind(6, "refused"), *ticks(20, start_s=6)])
    assert opened(changes)[0].summary == "Camera cam is lost: it refuses the connection."


def test_an_incident_outlasts_a_camera_that_ends_its_connection_and_is_back() -> None:
    def walker(at_s: float) -> list[Detection]:
        return [person(0.75, 0.8)]

    before, after = watching(5.0, walker), watching(15.0, walker, start_s=6.5)
    changes = play(in_order(before, [blind(5.0, "cut")], ticks(6.5, start_s=5.0), after), zones("intrusion"))
    assert kinds(changes) == ["intrusion"]


def test_a_source_that_is_back_at_once_was_not_lost() -> None:
    assert play(in_order(watching(5), [blind(5, "timeout")], ticks(6.5, start_s=5), watching(20, start_s=6.5))) == []


def test_a_source_that_comes_back_ends_its_loss() -> None:
    changes = play(in_order(watching(5), [blind(5, "timeout")], ticks(12, start_s=5), watching(30, start_s=12)))
    (end,) = closed(changes)
    assert (end.kind, end.close_reason) == ("source_lost", "quiet")


def test_a_silent_microphone_is_told_where_the_picture_goes_on() -> None:
    changes = play(in_order(watching(20), listening(5), [blind(5, "silent", modality="sound")]))
    incident = only(changes)
    assert incident.kind == "mic_silent"
    assert incident.at_ns <= ns(10)


@pytest.mark.parametrize(("sound_back_s", "told"), [(41.0, []), (60.0, ["mic_silent"])])
def test_a_microphone_was_lost_with_its_camera_until_the_picture_is_back(sound_back_s: float, told: list[str]) -> None:
    """Also where nobody wants to hear of lost cameras, which would silence it."""
    stream = in_order(
        watching(5),
        listening(5),
        [blind(5, "timeout"), blind(5, "timeout", modality="sound")],
        ticks(40, start_s=5),
        watching(70, start_s=40),
        listening(70, start_s=sound_back_s),
    )
    policy = replace(Policy(), disabled_kinds=frozenset({"source_lost"}))
    assert [one.incident.kind for one in play(stream, policy) if isinstance(one, Opened)] == told


def test_what_is_open_when_its_camera_is_lost_closes_with_that_reason() -> None:
    changes = play(in_order(watching(5, lambda t: [falling(t)]), [blind(5, "timeout")], ticks(60, start_s=5)))
    assert [(end.kind, end.close_reason) for end in closed(changes)] == [
        ("fall", "source_lost"),
        ("source_lost", "stopped"),
    ]


def test_what_is_open_when_its_sources_end_closes_once_all_of_them_ended() -> None:
    stream = in_order(
        watching(5, lambda t: [falling(t)]), listening(6), [blind(5, "ended"), blind(6, "ended", modality="sound")]
    )
    (end,) = closed(play(stream))
    assert (end.close_reason, end.ended_ns) == ("source_ended", ns(6))
    assert kinds(play(stream)) == ["fall"]


def test_evidence_that_passes_at_the_very_end_opens_and_closes() -> None:
    changes = play([*listening(12), heard(12.4, onset_s=12.3, explosion=8.0), blind(12.4, "ended", modality="sound")])
    assert [type(change).__name__ for change in changes] == ["Opened", "Closed"]
    assert changes[1].incident.close_reason == "source_ended"


def test_a_loud_noise_stands_far_above_what_is_usual() -> None:
    def room(level: float) -> list[object]:
        return [heard(t, level_dbfs=level if t == 30 else -62.0) for t in times(0.5, 60, 0.5)]

    assert kinds(play(room(-20.0))) == ["loud_noise"]
    assert play(room(-45.0)) == []
    assert "above what is usual" in only(play(room(-20.0))).summary


def test_a_place_that_is_always_loud_is_not_loud() -> None:
    assert play([heard(t, level_dbfs=-18.0 + 3 * (t % 2)) for t in times(0.5, 120, 0.5)]) == []


def test_a_shot_explains_its_loudness() -> None:
    loud = [replace(h, level_dbfs=-10.0) if h.onset_ns else h for h in bang("gunshot", 20.3, 8.0, 60)]
    assert kinds(play(loud)) == ["gunshot"]


def test_a_drill_is_marked() -> None:
    drilled = [replace(h, drill=h.at_ns > ns(12)) for h in bang("gunshot", 12.3, 7.0, 20)]
    assert only(play(drilled)).drill is True
    assert only(play(bang("gunshot", 12.3, 7.0, 20))).drill is False


def test_sensitivity_moves_the_threshold() -> None:
    def opens(sensitivity: str, llr: float) -> bool:
        windows = [heard(t, gunshot=llr if 12.5 <= t <= 13.5 else -3.0) for t in times(0.5, 20, 0.5)]
        return bool(play(windows, Policy.of(Config(policy=PolicyTable(sensitivity=sensitivity)))))

    assert [opens("low", llr) for llr in (5.1, 6.1, 6.3)] == [False, False, True]
    assert [opens("normal", llr) for llr in (4.9, 5.1)] == [False, True]
    assert [opens("high", llr) for llr in (3.7, 3.9)] == [False, True]


def test_a_policy_takes_over_zones_sensitivity_and_disabled_kinds() -> None:
    camera = Camera(url="x", zones={"door": DOOR, "off": DOOR.model_copy(update={"enabled": False})})
    policy = Policy.of(Config(cameras={"cam": camera}, policy=PolicyTable(armed=True, disabled_kinds=("fall",))))
    assert list(policy.zones["cam"]) == ["door"]
    assert not policy.allows("fall")
    assert policy.allows("fire")
    assert not Policy(rules={}).allows("fire")  # no rule


def test_beliefs_name_every_kind_and_tell_nothing_for_what_is_not_modelled_yet() -> None:
    scene = Scene(Policy())
    for picture in watching(5, lambda t: [falling(t)]):
        scene.step(picture)
    beliefs = scene.beliefs("cam")
    assert tuple(beliefs) == KINDS
    assert beliefs["fight"] == 0.0
    assert beliefs["fall"] > 0.5
    assert scene.beliefs("nowhere") == dict.fromkeys(KINDS, 0.0)


def test_tracks_tell_who_is_there_and_how_fast() -> None:
    scene = Scene(zones("intrusion"), lateness_ns=0)
    for picture in watching(7, lambda t: [walking(t)]):
        scene.step(picture)
    (track,) = scene.tracks("cam")
    assert (track.track_id, track.label, track.behaviour, track.zones) == (1, "person", "walking", ("door",))
    assert track.speed_heights_per_s == pytest.approx(0.08 * 16 / 9 / 0.4, rel=0.15)
    assert track.since_ns == 0


def test_what_was_explained_does_not_open_when_its_explanation_ends() -> None:
    scores_seen = [score("fire", 5.0), score("smoke", 5.0)]
    pictures = [seen(t, scene=scores_seen) for t in times(0, 10, 0.1)]
    changes = play([*pictures, blind(10, "ended"), blind(10, "ended", modality="sound")])
    assert kinds(changes) == ["fire"]


def test_disarming_closes_what_is_open_and_opens_nothing_more() -> None:
    scene = Scene(zones("intrusion"), lateness_ns=0)
    pictures = watching(15, lambda t: [walking(t)])
    before = [change for picture in pictures[:80] for change in scene.step(picture)]
    disarmed = scene.adopt(replace(zones("intrusion"), armed=False))
    after = [change for picture in pictures[80:] for change in scene.step(picture)]
    assert kinds(before) == ["intrusion"]
    assert [end.close_reason for end in closed(disarmed)] == ["disarmed"]
    assert [*after, *scene.finish(ns(15), "stopped")] == []


def test_who_walks_out_below_the_picture_has_not_fallen() -> None:
    def leaving(t: float) -> list[object]:
        if t < 2.0:
            return [person(0.5, 0.95 + 0.05 * t / 1.9, height=0.5)]
        left = max(0.04, 0.5 - 0.55 * (t - 2.0))  # what is still in the picture, and wider as others come along
        box = Box(left_frac=0.38, top_frac=1.0 - left, right_frac=0.62, bottom_frac=1.0)
        return [Detection(label="person", score_prob=0.6, box=box)] if t < 2.75 else []

    assert play(watching(8, leaving)) == []


def test_who_walks_out_below_in_a_widening_stride_has_not_fallen() -> None:
    """A box that was never cut off before, and is as wide as high while the head sinks to the border."""

    def leaving(t: float) -> list[object]:
        if t < 2.0:
            return [person(0.5, 0.75 + 0.1 * t, height=0.5)]
        top = min(1.0, 0.45 + 0.4 * (t - 2.0))
        box = Box(left_frac=0.42, top_frac=top, right_frac=0.57, bottom_frac=1.0)
        return [Detection(label="person", score_prob=0.6, box=box)] if top < 0.96 else []

    assert play(watching(8, leaving)) == []


def test_whose_legs_are_hidden_has_not_fallen() -> None:
    """Behind a table only head and shoulders are left: wider than high, but the head is where it was."""

    def behind(t: float) -> list[object]:
        if t < 2.0:
            return [person(0.5, 0.8, height=0.5)]
        return [person(0.5, 0.48, height=0.18, ratio=1.4)]

    assert play(watching(8, behind)) == []


def test_a_torso_that_was_never_seen_whole_is_nobody_lying() -> None:
    assert play(watching(8, lambda _: [person(0.5, 0.7, height=0.3, ratio=1.1)])) == []
    assert play(watching(8, lambda _: [person(0.5, 1.0, height=0.2, ratio=2.0)])) == []


def test_who_is_too_small_for_a_posture_to_be_read_does_not_fall() -> None:
    def tiny(t: float) -> list[object]:
        fallen = falling(t)
        box = fallen.box
        height = 0.25 * box.height_frac
        small = replace(box, top_frac=box.bottom_frac - height, right_frac=box.left_frac + 0.25 * box.width_frac)
        return [replace(fallen, box=small)]

    assert kinds(play(watching(8, lambda t: [falling(t)]))) == ["fall"]
    assert play(watching(8, tiny)) == []


def test_a_second_worse_box_around_somebody_who_sits_does_not_fall() -> None:
    def sits(t: float) -> list[object]:
        if t < 2.0:
            return [person(0.5, 0.8, height=0.5, prob=0.6)]
        return [person(0.55, 0.8, height=0.34, ratio=1.6, prob=0.3), person(0.5, 0.8, height=0.3, ratio=0.6, prob=0.6)]

    assert play(watching(8, sits)) == []
