#!/usr/bin/python3
"""A small RTSP server for the tests; needs the system's python3-gi and GStreamer, not our environment.

usage: rtsp_server.py PORT [--user U --password P --auth basic|digest] [--clip FILE] [--tls PEM]
prints `port N` when it listens; PEM holds a certificate and its key, and makes it rtsps
Mounts, all generated while they are watched: /h264_aac /h264_pcma /h264_opus /h265_pcmu /mute /sound_only
and /clip: the H.264 pictures of an MP4 file, once from the start for whoever comes first.
"""

import argparse
import sys

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtsp", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import Gio, GLib, Gst, GstRtsp, GstRtspServer

PICTURE = "videotestsrc is-live=true pattern=ball ! video/x-raw,width=320,height=180,framerate=15/1 ! "
H264 = "x264enc tune=zerolatency speed-preset=ultrafast key-int-max=15 bitrate=300 ! rtph264pay config-interval=1"
H265 = "x265enc tune=zerolatency speed-preset=ultrafast key-int-max=15 bitrate=300 ! rtph265pay config-interval=1"
SOUND = "audiotestsrc is-live=true wave=sine freq=1000 volume=0.5 ! audio/x-raw,rate={rate},channels=1 ! "
AAC = SOUND.format(rate=48000) + "avenc_aac ! aacparse ! rtpmp4gpay"
OPUS = SOUND.format(rate=48000) + "opusenc ! rtpopuspay"
PCMA = SOUND.format(rate=8000) + "alawenc ! rtppcmapay"
PCMU = SOUND.format(rate=8000) + "mulawenc ! rtppcmupay"

MOUNTS = {
    "/h264_aac": (PICTURE + H264, AAC),
    "/h264_opus": (PICTURE + H264, OPUS),
    "/h264_pcma": (PICTURE + H264, PCMA),
    "/h265_pcmu": (PICTURE + H265, PCMU),
    "/mute": (PICTURE + H264,),
    "/sound_only": (PCMA,),
}
STATIC_PT = {PCMA: 8, PCMU: 0}


CLIP = "filesrc location={clip} ! qtdemux ! queue ! h264parse config-interval=-1 ! rtph264pay config-interval=1"


def launch_line(branches):
    named = (f"{branch} name=pay{n} pt={STATIC_PT.get(branch, 96 + n)}" for n, branch in enumerate(branches))
    return f"( {' '.join(named)} )"


def add_mounts(server, role, clip):
    mounts = {**MOUNTS, "/clip": (CLIP.format(clip=clip),)} if clip else MOUNTS
    for path, branches in mounts.items():
        factory = GstRtspServer.RTSPMediaFactory()
        factory.set_launch(launch_line(branches))
        factory.set_shared(True)
        if role:
            permissions = GstRtspServer.RTSPPermissions()
            permissions.add_role(role)
            for what in (
                GstRtspServer.RTSP_PERM_MEDIA_FACTORY_ACCESS,
                GstRtspServer.RTSP_PERM_MEDIA_FACTORY_CONSTRUCT,
            ):
                permissions.add_permission_for_role(role, what, True)
            factory.set_permissions(permissions)
        server.get_mount_points().add_factory(path, factory)


def make_auth(arguments):
    """Return who may come in; None where everybody may, unencrypted."""
    if not arguments.user and not arguments.tls:
        return None
    token = GstRtspServer.RTSPToken()
    token.set_string(GstRtspServer.RTSP_TOKEN_MEDIA_FACTORY_ROLE, "viewer")
    auth = GstRtspServer.RTSPAuth.new()
    if arguments.tls:
        auth.set_tls_certificate(Gio.TlsCertificate.new_from_file(arguments.tls))
    if not arguments.user:
        auth.set_default_token(token)
    elif arguments.auth == "digest":
        auth.set_supported_methods(GstRtsp.RTSPAuthMethod.DIGEST)
        auth.add_digest(arguments.user, arguments.password, token)
    else:
        auth.add_basic(GstRtspServer.RTSPAuth.make_basic(arguments.user, arguments.password), token)
    return auth


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("port", help="0 takes a free one")
    parser.add_argument("--user")
    parser.add_argument("--password")
    parser.add_argument("--auth", choices=("basic", "digest"), default="basic")
    parser.add_argument("--clip")
    parser.add_argument("--tls", metavar="PEM")
    arguments = parser.parse_args()
    Gst.init(None)
    server = GstRtspServer.RTSPServer()
    server.set_address("127.0.0.1")
    server.set_service(arguments.port)
    auth = make_auth(arguments)
    add_mounts(server, "viewer" if auth else None, arguments.clip)
    if auth:
        server.set_auth(auth)
    if server.attach(None) == 0:
        sys.exit("cannot listen")
    sys.stdout.write(f"port {server.get_bound_port()}\n")
    sys.stdout.flush()
    GLib.MainLoop().run()


if __name__ == "__main__":
    main()
