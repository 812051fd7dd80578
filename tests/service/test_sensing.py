"""Each camera has an eye and an ear of its own, whoever asks that it begin anew meanwhile."""

import threading

from agent.service.sensing import OfEach


def test_each_has_its_own_until_it_is_forgotten() -> None:
    eyes = OfEach(lambda camera: [camera])
    door, yard = eyes.of("door"), eyes.of("yard")
    assert eyes.of("door") is door
    eyes.forget("door")
    eyes.forget("unknown")
    assert eyes.of("door") == ["door"]
    assert eyes.of("door") is not door
    assert eyes.of("yard") is yard


def test_forgetting_one_from_another_thread_takes_nothing_from_who_uses_it() -> None:
    eyes, done = OfEach(lambda camera: [camera]), threading.Event()
    given: list[list[str]] = []

    def use() -> None:
        try:
            given.extend(eyes.of("door") for _ in range(30_000))
        finally:
            done.set()

    thread = threading.Thread(target=use)
    thread.start()
    while not done.is_set():
        eyes.forget("door")
    thread.join()
    assert given == [["door"]] * 30_000
