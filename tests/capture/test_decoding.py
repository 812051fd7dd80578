"""Devices that decode, played by FFmpeg's own decoders: whatever a device does wrong, no picture is missing."""

import logging
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.packet import Packet
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from agent.capture.container import Reader
from agent.capture.decoding import DAMAGED_PACKETS, SILENT_PACKETS, Decoding, Hardware, PictureDecoder
from agent.capture.devices import DEVICES, REFUSALS, DeviceName, Offer, offer_of, open_decoder
from agent.capture.pictures import NativePicture, Scaler
from agent.capture.source import open_media
from agent.capture.spec import SourceSpec
from agent.capture.timeline import Ticks, Timeline

PICTURES, GROUP = 60, 12


class Device:
    """Decodes as the CPU does, and gives what a device gives; `spoil` may raise, or change the pictures."""

    def __init__(self, stream: VideoStream, spoil: Callable[[int, Sequence[VideoFrame]], Sequence[VideoFrame]]) -> None:
        known = stream.codec_context
        context = av.CodecContext.create(known.codec.canonical_name, "r")
        assert isinstance(context, VideoCodecContext)
        context.extradata, context.reorder_depth = known.extradata, known.reorder_depth
        self._context, self._spoil = context, spoil
        self.packets: list[bool] = []

    def decode(self, packet: Packet | None = None) -> Sequence[VideoFrame]:
        assert packet is not None
        self.packets.append(packet.is_keyframe)
        frames = []
        for frame in self._context.decode(packet):
            given = frame.reformat(format="nv12")  # as NVDEC and VA-API give them
            given.pts, given.time_base = frame.pts, frame.time_base
            frames.append(given)
        return self._spoil(len(self.packets), frames)


@pytest.fixture(scope="module", params=[0, 2], ids=["cameras", "b-frames"])
def film(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures of which each tells its number by its grey."""
    path = tmp_path_factory.mktemp("film") / "film.mp4"
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.options = {"g": str(GROUP), "bf": str(request.param), "sc_threshold": "0"}
        for number in range(PICTURES):
            picture = VideoFrame.from_ndarray(np.full((48, 64, 3), 3 * number + 20, np.uint8), "rgb24")
            picture.pts, picture.time_base = number, Fraction(1, 10)
            out.mux(stream.encode(picture))
        out.mux(stream.encode())
    return path


def usable(name: DeviceName) -> Offer:
    return Offer(name=name, usable=True, what="it is there")


def as_is(_: int, frames: Sequence[VideoFrame]) -> Sequence[VideoFrame]:
    return frames


def read(
    path: Path, make: Callable[[VideoStream, DeviceName], Device], *, skip: int = 0
) -> tuple[list[tuple[int, float]], Decoding]:
    """Return the time in ms and the grey of each picture, and what decoded them in the end; `skip` packets are lost."""
    hardware = Hardware("door", "cuda", create=make, offer=usable)
    scaler = Scaler(64, 48)
    with av.open(str(path)) as opened:
        stream = opened.streams.video[0]
        stream.codec_context.thread_count = 1
        decoder = PictureDecoder(stream, hardware)
        reader = Reader(
            opened=opened, picture=stream, sound=None, timeline=Timeline(0), ticks=Ticks(None, patient=False),
            live=True, decoder=decoder,
        )  # fmt: skip
        for _, packet in zip(range(skip), opened.demux(stream), strict=False):
            assert packet.size
        pictures = [item for item in reader.read() if not hasattr(item, "samples")]
    return [(item.at_ns // 10**6, float(scaler.scaled(item.frame).mean())) for item in pictures], hardware.decoding  # type: ignore[union-attr]


def check_whole(pictures: list[tuple[int, float]], first: int = 0) -> None:
    """Every picture is there, at its own time, and shows what it should."""
    assert [at_ms for at_ms, _ in pictures] == [100 * number for number in range(first, PICTURES)]
    assert [grey for _, grey in pictures] == pytest.approx([3 * n + 20 for n in range(first, PICTURES)], abs=3)


def test_a_device_that_works_decodes_all_at_the_same_times(film: Path, caplog: pytest.LogCaptureFixture) -> None:
    made: list[Device] = []

    def make(stream: VideoStream, _: DeviceName) -> Device:
        made.append(Device(stream, as_is))
        return made[0]

    pictures, decoding = read(film, make)
    check_whole(pictures)
    assert decoding == Decoding("cuda")
    assert len(made[0].packets) > PICTURES  # and the last, empty one
    assert not caplog.records


def test_a_device_that_refuses_to_open_leaves_it_to_the_cpu_with_one_line_and_a_cure(
    film: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def make(stream: VideoStream, name: DeviceName) -> Device:
        raise av.error.PermissionError(1, "Operation not permitted")

    with caplog.at_level(logging.INFO):
        pictures, decoding = read(film, make)
    check_whole(pictures)
    assert decoding.by == "cpu"
    assert decoding.fault == "cuda does not decode it: operation not permitted"
    assert "install.md" in decoding.cure
    assert [record.getMessage() for record in caplog.records] == [
        f"door: {decoding.fault}. The CPU does. {decoding.cure}"
    ]


def failing_from(packet: int, error: Exception) -> Callable[[VideoStream, DeviceName], Device]:
    def spoil(number: int, frames: Sequence[VideoFrame]) -> Sequence[VideoFrame]:
        if number >= packet:
            raise error
        return frames

    return lambda stream, _: Device(stream, spoil)


@pytest.mark.parametrize("packet", [1, 2, GROUP, GROUP + 1, GROUP + 7, PICTURES])
def test_a_device_that_fails_at_any_packet_leaves_no_gap(film: Path, packet: int) -> None:
    pictures, decoding = read(film, failing_from(packet, av.error.ExternalError(-542398533, "Generic error")))
    if (
        packet == GROUP + 1 and len(pictures) < PICTURES
    ):  # two that a device with B-frames held back of the group before
        assert PICTURES - 2 == len(pictures) == len(set(pictures))
    else:
        check_whole(pictures)
    assert decoding.by == "cpu"
    assert "generic error" in decoding.fault


def test_a_device_that_only_finds_damage_is_left_and_one_damaged_packet_is_not_its_fault(film: Path) -> None:
    damaged = av.error.InvalidDataError(-1094995529, "Invalid data found when processing input")
    pictures, decoding = read(film, failing_from(GROUP + 3, damaged))
    assert decoding.by == "cpu"
    missing = set(range(PICTURES)) - {at_ms // 100 for at_ms, _ in pictures}
    assert len(missing) < DAMAGED_PACKETS

    def once(number: int, frames: Sequence[VideoFrame]) -> Sequence[VideoFrame]:
        if number == GROUP + 3:
            raise damaged
        return frames

    pictures, decoding = read(film, lambda stream, _: Device(stream, once))
    assert decoding == Decoding("cuda")
    assert len(pictures) >= PICTURES - 2


def test_a_device_that_keeps_silent_is_left(film: Path) -> None:
    pictures, decoding = read(film, lambda stream, _: Device(stream, lambda *_: ()))
    assert f"{SILENT_PACKETS + 1} packets gave no picture" in decoding.fault
    # What came before the last key frame is gone; from there on all is there.
    check_whole(pictures, first=SILENT_PACKETS // GROUP * GROUP)


def test_pictures_that_stay_in_the_devices_memory_are_made_by_the_cpu(film: Path) -> None:
    def foreign(_: int, frames: Sequence[VideoFrame]) -> Sequence[VideoFrame]:
        return [VideoFrame(0, 0, "cuda") for _ in frames]

    pictures, decoding = read(film, lambda stream, _: Device(stream, foreign))
    check_whole(pictures)
    assert "come as cuda" in decoding.fault


def test_a_device_is_asked_from_a_key_frame_on(film: Path) -> None:
    made: list[Device] = []

    def make(stream: VideoStream, _: DeviceName) -> Device:
        made.append(Device(stream, as_is))
        return made[0]

    pictures, decoding = read(film, make, skip=5)
    assert made[0].packets[0] is True
    assert decoding.by == "cuda"
    assert [at_ms for at_ms, _ in pictures][-PICTURES + GROUP :] == [100 * n for n in range(GROUP, PICTURES)]


def test_what_failed_once_is_not_asked_again_by_a_new_connection(film: Path) -> None:
    tried: list[DeviceName] = []

    def make(stream: VideoStream, name: DeviceName) -> Device:
        tried.append(name)
        return Device(stream, as_is)

    hardware = Hardware("door", "qsv", create=make, offer=usable)
    with av.open(str(film)) as opened:
        for _ in range(2):  # connections
            assert hardware.opened(opened.streams.video[0]) is not None
            assert hardware.decoding == Decoding("qsv")
        hardware.failed("it hangs")
        hardware.failed("somebody who is late says so again")
        assert hardware.opened(opened.streams.video[0]) is None
    assert tried == ["qsv", "qsv"]
    assert "it hangs" in hardware.decoding.fault


def test_auto_takes_the_first_device_that_is_there_and_opens_and_says_nothing_where_none_is(
    film: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def make(stream: VideoStream, name: DeviceName) -> Device:
        if name == "vaapi":
            raise av.error.OSError(5, "Input/output error")
        return Device(stream, as_is)

    def without_cuda(name: DeviceName) -> Offer:
        return Offer(name=name, usable=name != "cuda", what="")

    def nothing(name: DeviceName) -> Offer:
        return Offer(name=name, usable=False, what="there is none")

    with av.open(str(film)) as opened:
        stream = opened.streams.video[0]
        found = Hardware("door", "auto", create=make, offer=without_cuda)
        assert found.opened(stream) is not None
        assert found.decoding == Decoding("qsv")
        assert len(caplog.records) == 1  # of the one that failed
        none = Hardware("door", "auto", create=make, offer=nothing)
        assert none.opened(stream) is None
    assert none.decoding == Decoding()
    assert len(caplog.records) == 1


@pytest.mark.parametrize("name", DEVICES)
def test_the_real_edge_refuses_in_words_where_there_is_no_such_device(film: Path, name: DeviceName) -> None:
    if offer_of(name).usable:
        pytest.skip(f"{name} may be there")
    hardware = Hardware("door", name)
    with av.open(str(film)) as opened:
        with pytest.raises(REFUSALS):
            open_decoder(opened.streams.video[0], name)
        assert hardware.opened(opened.streams.video[0]) is None
    assert hardware.decoding.fault.startswith(f"{name} does not decode it: ")
    assert hardware.decoding.cure


def test_offers_say_what_is_missing(tmp_path: Path) -> None:
    def built() -> list[str]:
        return ["cuda", "vaapi", "qsv"]

    assert "built without vaapi" in offer_of("qsv", tmp_path, lambda: ["cuda", "qsv"]).what
    missing = offer_of("vaapi", tmp_path, built)
    assert (missing.usable, missing.what) == (False, f"there is no {tmp_path / 'dri/renderD*'}")
    (tmp_path / "dri").mkdir()
    (tmp_path / "dri" / "renderD128").touch()
    assert offer_of("vaapi", tmp_path, built).usable
    assert offer_of("qsv", tmp_path, built).usable
    assert not offer_of("cuda", tmp_path, built).usable


def test_recordings_are_for_the_cpu(film: Path) -> None:
    with open_media(SourceSpec(camera="door", url=str(film), decoder="cuda")) as media:
        assert len(list(media.read())) == PICTURES
        assert media.decoding == Decoding()


def test_pictures_of_devices_scale_to_the_same_bytes_as_those_of_the_cpu() -> None:
    shades = np.random.default_rng(0).integers(0, 255, (90, 160, 3)).astype(np.uint8).repeat(8, 0).repeat(8, 1)
    planar = VideoFrame.from_ndarray(shades, "rgb24").reformat(format="yuv420p")
    expected = Scaler(320, 192).scaled(planar)
    assert expected.shape == (180, 320, 3)
    assert (Scaler(320, 192).scaled(planar.reformat(format="nv12")) == expected).all()


@pytest.mark.parametrize("size", [(64, 48), (63, 47), (65, 49)])
def test_parts_of_pictures_of_devices_are_those_of_the_cpu(size: tuple[int, int]) -> None:
    shades = np.random.default_rng(0).integers(0, 255, (size[1], size[0], 3)).astype(np.uint8)
    planar = VideoFrame.from_ndarray(shades, "rgb24").reformat(format="yuv420p")
    device = planar.reformat(format="nv12")
    assert device.format.name == "nv12"
    for corners in ((0.0, 0.0, 1.0, 1.0), (0.3, 0.2, 0.7, 0.6), (0.6, 0.6, 1.0, 1.0)):
        expected, at = NativePicture(planar, ()).cut(corners, 320, 192)
        part, part_at = NativePicture(device, ()).cut(corners, 320, 192)
        assert part_at == at
        assert (part == expected).all()
