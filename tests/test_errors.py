"""No login gets through `redacted`, however a person wrote it; what is no login stays readable."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.errors import SourceError, redacted


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("rtsp://u:p@h/x", "rtsp://…@h/x"),
        ("rtsp://u@h/x", "rtsp://…@h/x"),
        ("rtsp://u:12345@h/", "rtsp://…@h/"),
        ("rtsp://admin:hun/ter2@192.0.2.1/", "rtsp://…@192.0.2.1/"),
        ("rtsp://admin:hun?ter#2@192.0.2.1/a, then", "rtsp://…@192.0.2.1/a, then"),
        ('{"url": "rtsp://a:p/w@h/", "to": "a@b"}', '{"url": "rtsp://…@h/", "to": "a@b"}'),
        ("rtsp://192.0.2.1:554/s@1", "rtsp://192.0.2.1:554/s@1"),
        ("rtsp://[2001:db8::1]:554/a@b", "rtsp://[2001:db8::1]:554/a@b"),
        ("mqtts://broker:8883 and a@b", "mqtts://broker:8883 and a@b"),
        (
            "rtsp://h/user=admin_password=t/J_w_channel=1_stream=0.sdp",
            "rtsp://h/user=admin_password=…_channel=1_stream=0.sdp",
        ),
        ("rtsp://h/user=admin&password=tJw&channel=1", "rtsp://h/user=admin&password=…&channel=1"),
        ("http://h/x?token=abc&y=1", "http://h/x?token=…&y=1"),
    ],
)
def test_logins_go_and_the_rest_stays(text: str, shown: str) -> None:
    assert redacted(text) == shown


@given(
    st.text("abcXYZ0129!$&'()*+,;=._~-", min_size=1, max_size=8),
    st.text("abcXYZ!$&()*+,;=._~-/?#:@", min_size=1, max_size=12),
)
def test_a_password_of_any_letters_is_not_shown(user: str, password: str) -> None:
    secret = f"Q{password}Q"
    error = SourceError(
        "rtsp failed", fault="refused", why=f"rtsp://{user}:{secret}@192.0.2.1:554/stream does not answer"
    )
    assert secret not in error.line()
    assert "192.0.2.1:554/stream" in error.line()
