"""`vedette run`: what it says when it is ready."""

from agent.config.schema import Camera, Config
from agent.service.run import watched


def test_a_camera_that_is_off_is_not_said_to_be_watched_and_names_are_those_of_people() -> None:
    cameras = {
        "hall": Camera(url="x", name="Eingang Süd"),
        "attic": Camera(url="y", enabled=False),
        "yard": Camera(url="z"),
    }
    assert watched(Config(cameras=cameras)) == "Eingang Süd, yard"
