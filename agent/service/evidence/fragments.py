"""A film that is written while it goes on: fragments of MP4, of which each that is there can be played.

For good a film is put into one piece, for players tell the length of that and jump in it. Nothing is coded anew.
"""

import io
import struct

import av

FRAGMENTED = {"movflags": "empty_moov+delay_moov+default_base_moof", "frag_duration": "1000000"}
"""Options of the MP4 muxer: a fragment a second. The head waits for the first, which knows when the film begins."""
_HEAD = struct.Struct(">I4s")  # of a box: its length in bytes with this head, and its type


def in_one_piece(fragments: bytes) -> bytes:
    """Return the film that whole fragments make; the last one may be cut off. Empty where there is none.

    Raises av.error.FFmpegError.
    """
    there = _whole(fragments)
    if not there:
        return b""
    film = io.BytesIO()
    with av.open(io.BytesIO(there), "r") as source, av.open(film, "w", format="mp4") as target:
        streams = {stream.index: target.add_stream_from_template(stream) for stream in source.streams}
        for packet in source.demux():
            if packet.dts is not None:
                packet.stream = streams[packet.stream.index]
                target.mux(packet)
    return film.getvalue()


def mended(fragments: bytes) -> bytes:
    """As `in_one_piece`, of what a loss of power left: empty where that cannot be read."""
    try:
        return in_one_piece(fragments)
    except (av.error.FFmpegError, ValueError):  # the disk has lost something in the middle
        return b""


def _whole(fragments: bytes) -> bytes:
    """Return all up to the end of the last whole box of media."""
    at = end = 0
    while at + _HEAD.size <= len(fragments):
        length, kind = _HEAD.unpack_from(fragments, at)
        at += max(length, _HEAD.size)
        if kind == b"mdat" and at <= len(fragments):
            end = at
    return fragments[:end]
