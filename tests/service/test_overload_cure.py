"""An overloaded box is told what to do: by what its cameras deliver, and how often they are looked at."""

from agent.capture.spec import MediaInfo
from agent.config.load import of_data
from agent.service.overload_cure import cure_of


def info(width_px: int, height_px: int) -> MediaInfo:
    return MediaInfo(has_picture=True, has_sound=False, width_px=width_px, height_px=height_px, fps=25.0)


def test_large_streams_are_named_first_and_where_the_small_ones_are_found() -> None:
    infos = {"door": info(1920, 1080), "yard": info(640, 360), "late": None}
    said = cure_of(of_data({}, ()), infos, 12.4)
    assert said.startswith(
        "This box looked at 12 of 30 pictures a second of 3 cameras: read the small second stream of"
    )
    assert "door (1920×1080)" in said
    assert "yard" not in said
    assert said.index("vedette camera find") < said.index("vedette config set analysis.fps 5")
    assert "vedette bench --cameras 3" in said


def test_more_than_three_are_counted() -> None:
    infos = {f"c{number}": info(2560, 1440) for number in range(8)}
    said = cure_of(of_data({}, ()), infos, 5.0)
    assert "c2 (2560×1440) and 5 more" in said
    assert "c3" not in said


def test_a_larger_analysis_than_the_usual_is_a_cure_of_its_own() -> None:
    analysis = {"width_px": 832, "height_px": 468}
    assert "analysis.width_px = 320" in cure_of(of_data({"analysis": analysis}, ()), {"door": info(832, 468)}, 2.0)


def test_nothing_is_advised_that_is_so_already() -> None:
    said = cure_of(of_data({"analysis": {"fps": 5}}, ()), {"door": info(640, 360)}, 2.0)
    assert said == (
        "This box looked at 2 of 5 pictures a second of one camera: use a faster box; `vedette bench --cameras 1` "
        "measures it"
    )
