"""`vedette camera`: add, list, find, import-frigate, remove, probe, snapshot."""

import re
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from agent.cli.address import Address, sound_source, source_address
from agent.cli.look import UNNAMED, lasting_name, probe_source, snapshot_spec_of, spec_of, take_picture, write_picture
from agent.cli.options import AsJson, ConfigFile, name_of, resolve_name
from agent.cli.output import print_json, print_table, remark, say, warn
from agent.errors import redacted

if TYPE_CHECKING:
    from agent.capture.spec import SourceSpec
    from agent.config.schema import Camera

app = typer.Typer(help="Cameras: add them, look through them, take them out.")

Name = Annotated[
    str,
    typer.Argument(metavar="NAME", help='What it is called, such as door or "Eingang Süd".', show_default=False),
]
Source = Annotated[str, typer.Argument(metavar="NAME|URL", help="A camera's name, or any address.")]


@app.command()
def add(
    name: Name,
    url: Annotated[
        str, typer.Argument(metavar="URL", help="rtsp(s)://, http(s)://, 0, v4l2:…, a file, a folder, lavfi:…")
    ],
    user: Annotated[str, typer.Option(metavar="U", help="Login name.")] = "",
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Read the password from stdin, or ask for it on a terminal.")
    ] = False,
    sound: Annotated[
        str, typer.Option(metavar="same|none|DEVICE|URL", help="Where its sound comes from (see `vedette mic list`).")
    ] = "same",
    transport: Annotated[str, typer.Option(metavar="tcp|udp", help="How RTSP carries the media.")] = "tcp",
    snapshot_url: Annotated[
        str, typer.Option("--snapshot-url", metavar="URL", help="Its main stream or JPEG, where URL is the sub stream.")
    ] = "",
    replace: Annotated[bool, typer.Option("--replace", help="Change a camera that exists; zones stay.")] = False,
    config: ConfigFile = None,
) -> None:
    """Add a camera.

    For example: vedette camera add door rtsp://192.0.2.10/stream1 --user admin --password-stdin

    What is not plain (a-z, 0-9, _ and -) is kept as its name, and an identifier for topics and commands is made of it.
    """
    from agent.config.credentials import write_credential
    from agent.config.places import config_path

    camera, called = name_of(name, "camera")
    address, ear = source_address(url), sound_source(sound)
    main = source_address(snapshot_url) if snapshot_url else Address(url="")
    if address.username and ear.username and address.username != ear.username:
        raise typer.BadParameter("one user name serves picture and sound of a camera.", param_hint="--sound")
    if main.username and (main.username, main.password) != (address.username, address.password):
        raise typer.BadParameter("one login serves both streams of a camera.", param_hint="--snapshot-url")
    secrets = {f"camera-{camera}": _password(address, password_stdin), f"sound-{camera}": ear.password}
    _write_camera(
        camera,
        {
            **({"name": called} if called else {}),
            "url": address.url,
            "username": user or address.username or ear.username,
            "sound": ear.url,
            "transport": transport,
            "snapshot_url": main.url,
        },
        replace=replace,
        config=config,
    )
    for credential, secret in secrets.items():
        if secret:
            place = write_credential(credential, secret, config)
            if secret in (address.password, ear.password):
                warn(f"a password in a URL stays in the shell's history; Vedette moved it to {place}")
    told = f"{called} ({camera})" if called else camera
    say(f"{told} is in {config_path(config)}. Next: vedette camera probe {camera}")
    lasting = lasting_name(address.url)
    if lasting != address.url:
        remark(f"{address.url} may be another camera after a restart; {lasting} stays this one (--replace).")


def _password(address: Address, from_stdin: bool) -> str:
    if not from_stdin:
        return address.password
    password = read_password()
    if not password:
        raise typer.BadParameter("there was no password on stdin.", param_hint="--password-stdin")
    return password


def read_password() -> str:
    """Return one line of stdin, unseen where it is a terminal."""
    if sys.stdin.isatty():
        from getpass import getpass

        return getpass("Password: ", stream=sys.stderr)
    return sys.stdin.readline().rstrip("\r\n")


def _write_camera(camera: str, values: dict[str, str], *, replace: bool, config: Path | None) -> None:
    from agent.config.edit import edit, with_key
    from agent.config.text import parse

    plain = {key: value for key, value in values.items() if key == "url" or value != DEFAULTS[key]}

    def change(text: str) -> str:
        cameras = parse(text, "the configuration").get("cameras", {})
        if camera not in cameras:
            return with_key(text, ("cameras", camera), plain)
        if not replace:
            raise typer.BadParameter(f"there is a camera {camera} already. Take another name, or add --replace.")
        for key, value in values.items():
            if cameras[camera].get(key, DEFAULTS.get(key)) != value:
                text = with_key(text, ("cameras", camera, key), value)
        return text

    edit(change, config)


DEFAULTS = {"name": "", "username": "", "sound": "same", "transport": "tcp", "snapshot_url": ""}


@app.command("list")
def list_(
    found: Annotated[bool, typer.Option("--found", help="List what is plugged into this machine instead.")] = False,
    as_json: AsJson = False,
    config: ConfigFile = None,
) -> None:
    """List the cameras of the configuration, or those that are plugged in."""
    from agent.config.load import load

    if found:
        _list_found(as_json)
        return
    cameras = load(config).cameras
    if as_json:
        print_json([{"camera": name, **_told(camera)} for name, camera in cameras.items()])
        return
    rows = [
        (
            name,
            camera.name or "-",
            camera.url,
            camera.sound,
            ", ".join(camera.zones) or "-",
            "yes" if camera.enabled else "no",
        )
        for name, camera in cameras.items()
    ]
    print_table(
        ("camera", "name", "url", "sound", "zones", "enabled"), rows, empty="No camera yet: vedette camera add NAME URL"
    )


def _list_found(as_json: bool) -> None:
    from agent.capture.v4l2 import found_cameras

    cameras = found_cameras()
    if as_json:
        print_json([{**asdict(camera), "url": camera.url} for camera in cameras])
        return
    print_table(
        ("name", "device", "url to configure"),
        [(camera.name, camera.device, camera.url) for camera in cameras],
        empty="No camera is plugged in that may be asked; `ls -l /dev/video*` tells who may.",
    )


@app.command()
def find(
    host: Annotated[str, typer.Option(metavar="ADDRESS", help="Ask only this one, where others are not reached.")] = "",
    user: Annotated[
        str, typer.Option(metavar="U", help="Login name, for those that tell their streams to users only.")
    ] = "",
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Read the password from stdin, or ask for it on a terminal.")
    ] = False,
    seconds: Annotated[float, typer.Option(min=0.5, max=30, help="How long to wait for answers.")] = 3.0,
    as_json: AsJson = False,
) -> None:
    """Find the cameras of this network that speak ONVIF, and the addresses of their streams.

    A login is shown to each camera that answers, as a digest good for one request: name one by --host where you do not
    trust all.
    """
    from agent.cli.find import find_cameras, is_http_host

    if bool(user) != password_stdin:
        raise typer.BadParameter("a login has two parts: --user NAME --password-stdin.", param_hint="--user")
    if host and not is_http_host(host):
        raise typer.BadParameter("ADDRESS is HOST, HOST:PORT or http://…, without a login.", param_hint="--host")
    password = read_password() if password_stdin else ""
    find_cameras(seconds=seconds, host=host, user=user, password=password, as_json=as_json)


@app.command("import-frigate")
def import_frigate(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Frigate's config.yml.", exists=True, dir_okay=False)],
    frigate: Annotated[
        str, typer.Option(metavar="ADDRESS", help="Frigate's machine, where that is another: stands for its 127.0.0.1.")
    ] = "",
    direct: Annotated[
        bool, typer.Option("--direct", help="Take the cameras themselves, not Frigate's restreams of them.")
    ] = False,
    only: Annotated[list[str] | None, typer.Option(metavar="NAME", help="This camera; may be repeated.")] = None,
    write: Annotated[bool, typer.Option("--write", help="Do it; without this it is only shown.")] = False,
    replace: Annotated[bool, typer.Option("--replace", help="Change cameras that exist, too.")] = False,
    config: ConfigFile = None,
) -> None:
    """Take over the cameras, zones and logins of a Frigate configuration; shows them, and writes with --write.

    For example: vedette camera import-frigate /opt/frigate/config/config.yml --frigate 192.0.2.5

    Passwords are kept as those of `camera add`, and never shown. {FRIGATE_…} is read from this command's environment.
    """
    from agent.cli.frigate import import_cameras

    if frigate and not re.fullmatch(r"[\w.-]+|\[[0-9a-fA-F:.]+\]", frigate):
        raise typer.BadParameter("ADDRESS is a host's name or address, without a port.", param_hint="--frigate")
    import_cameras(file, host=frigate, direct=direct, only=only or (), write=write, replace=replace, config=config)


def _told(camera: "Camera") -> dict[str, Any]:
    values: dict[str, Any] = camera.model_dump(mode="json")
    addresses = {key: redacted(values[key]) for key in ("url", "sound", "snapshot_url")}
    return {**values, **addresses}


@app.command()
def remove(name: Name, config: ConfigFile = None) -> None:
    """Take a camera, its zones and its password out of the configuration."""
    from agent.config.credentials import remove_credential
    from agent.config.edit import edit, without_key
    from agent.config.load import load

    camera = resolve_name(load(config).cameras, name, "camera")
    edit(lambda text: without_key(text, ("cameras", camera)), config)
    for credential in (f"camera-{camera}", f"sound-{camera}"):
        remove_credential(credential, config)
    say(f"{camera} is gone from the configuration.")


@app.command()
def probe(
    source: Source,
    seconds: Annotated[float, typer.Option(min=0.5, max=60, help="How long to look and listen.")] = 3.0,
    decoder: Annotated[
        str, typer.Option(metavar="cpu|auto|cuda|vaapi|qsv", help="What is to decode it, if not as configured.")
    ] = "",
    as_json: AsJson = False,
    config: ConfigFile = None,
) -> None:
    """Open a camera and tell what comes: codec, size, pictures per second, what decodes them, sound."""
    told, came = probe_source(_decoded_by(decoder, spec_of(source, config)), seconds)
    found = {**told, **came}
    if as_json:
        print_json(found)
        return
    print_table((source, ""), [(key.replace("_", " "), value) for key, value in found.items() if value is not None])


def _decoded_by(decoder: str, spec: "SourceSpec") -> "SourceSpec":
    from dataclasses import replace
    from typing import get_args

    from agent.capture.devices import DecoderChoice

    if not decoder:
        return spec
    for choice in get_args(DecoderChoice):
        if choice == decoder:
            return replace(spec, decoder=choice)
    raise typer.BadParameter(f"there are {', '.join(get_args(DecoderChoice))}.", param_hint="--decoder")


@app.command()
def snapshot(
    source: Source,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="FILE", help="Where to; NAME.jpg if left out.")
    ] = None,
    config: ConfigFile = None,
) -> None:
    """Take one picture, masks blackened, and write it (JPEG, or PNG by the name); of a camera's main stream, if any.

    People are not blurred in it: it stays on this machine.
    """
    spec = snapshot_spec_of(source, config)
    target = out or Path("snapshot.jpg" if spec.camera == UNNAMED else f"{spec.camera}.jpg")
    write_picture(take_picture(spec), target)
    say(f"{target}")
