import cv2
import numpy as np
import pytest

from agent.uplink.messages.jpeg import encode_jpeg


def decoded(jpeg: bytes) -> np.ndarray:
    picture = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None
    return cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)


def test_colours_keep_their_channels() -> None:
    picture = np.zeros((32, 48, 3), np.uint8)
    picture[..., 0] = 250
    red, green, blue = decoded(encode_jpeg(picture, quality=95, max_width_px=1280)).mean((0, 1))
    assert (red > 240, green < 10, blue < 10) == (True, True, True)


@pytest.mark.parametrize(
    ("size", "shape"),
    [((90, 159), (90, 159)), ((90, 160), (90, 160)), ((180, 320), (90, 160)), ((1, 4000), (1, 160)), ((1, 1), (1, 1))],
)
def test_only_wider_pictures_are_scaled_down(size: tuple[int, int], shape: tuple[int, int]) -> None:
    jpeg = encode_jpeg(np.zeros((*size, 3), np.uint8), quality=80, max_width_px=160)
    assert decoded(jpeg).shape[:2] == shape


def test_a_lower_quality_is_smaller() -> None:
    noise = np.random.default_rng(1).integers(0, 255, (120, 160, 3), dtype=np.uint8)
    small, large = (encode_jpeg(noise, quality=quality, max_width_px=160) for quality in (30, 95))
    assert len(small) < len(large) / 2
