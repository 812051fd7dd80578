"""`vedette status` and `vedette set`: how the running agent is, and what may be changed while it runs.

Both ask the agent of this machine through its local socket, so they need neither the broker nor `control.enabled`.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from agent.cli.options import AsJson
from agent.cli.output import print_json, print_table, remark, say, warn
from agent.cli.when import local, seconds

ANSWER_S = 15.0
_SENSES = {"vision": "picture", "sound": "sound"}

State = Annotated[
    Path | None, typer.Option("--state", metavar="DIR", help="The agent's state folder, if not the usual one.")
]


def status(
    state: State = None,
    alive: Annotated[
        bool,
        typer.Option(
            "--alive",
            help="Exit code 0 as long as the agent answers and makes progress, whatever it watches: for health checks.",
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Tell how the running agent is: cameras, models, broker, and what is not as it should be (then exit code 1)."""
    answer = _answer({"action": "status"}, state)
    wrong = list(_stuck(answer)) if alive else list(_wrong(answer))
    if as_json:
        print_json(answer)
    elif alive:
        say(_headline(answer["state"]))
    else:
        _show(answer["state"], answer["settings"], answer.get("names", {}))
    for line in () if as_json else wrong:
        warn(line)
    raise typer.Exit(1 if wrong else 0)


def set_(
    setting: Annotated[
        str,
        typer.Argument(
            metavar="[SETTING]",
            help="armed, profile, sensitivity, CAMERA/armed, CAMERA/enabled, CAMERA/zone/ZONE, CAMERA/line/LINE; "
            "without it all of them are listed.",
            show_default=False,
        ),
    ] = "",
    value: Annotated[
        str,
        typer.Argument(
            metavar="[VALUE]",
            help="on, off, a profile or a sensitivity; 'default': as configured again.",
            show_default=False,
        ),
    ] = "",
    for_: Annotated[
        str | None,
        typer.Option("--for", metavar="30m", help="Only for a while (90s, 30m, 2h, 1d), then as it was before."),
    ] = None,
    state: State = None,
    as_json: AsJson = False,
) -> None:
    """Change the running agent: `vedette set door/enabled off --for 2h`. It lies over the configuration.

    It is what the topics `…/set/…` do over MQTT, and stays over a restart.
    """
    if not setting:
        _list(_answer({"action": "status"}, state)["settings"], as_json=as_json)
        return
    if not value:
        raise typer.BadParameter("say what to set it to: on, off, default …", param_hint="VALUE")
    question: dict[str, Any] = {"action": "set", "setting": setting, "value": value}
    if for_ is not None:
        question["for_s"] = seconds(for_)
    result = _answer(question, state)
    if as_json:
        print_json(result)
    else:
        until = f" until {local(result['until'])}" if "until" in result else ""
        say(f"{setting} is {result['value']}{until}.")
    if not result["kept"]:
        warn("the disk took no note of it: a restart loses it.")


def _answer(question: Mapping[str, Any], state: Path | None) -> dict[str, Any]:
    from agent.config.places import state_dir
    from agent.service.remote.local_socket import answer_of

    return answer_of(state or state_dir(), question, timeout_s=ANSWER_S)


def _list(settings: list[dict[str, Any]], *, as_json: bool) -> None:
    if as_json:
        print_json(settings)
        return
    rows = [
        (its["setting"], its["value"], its["configured"], local(its["until"]) if its["until"] else "")
        for its in settings
    ]
    print_table(("setting", "now", "configured", "until"), rows)


def _show(told: Mapping[str, Any], settings: list[dict[str, Any]], names: Mapping[str, str]) -> None:
    say(_headline(told))
    rows = [(_called(camera, names), *shown) for camera, *shown in _cameras(told, settings)]
    print_table(("camera", "picture", "", "sound", ""), rows, empty="No camera is watched.")
    outbox, protocol = told["outbox"], told["broker"]["protocol"]
    broker = f"connected with MQTT {protocol}" if protocol else "not connected"
    say(f"broker {broker}, {outbox['depth']} messages waiting")
    for name, model in told["models"].items():
        say(f"{name} {model['version']}, {model['precision']} on {model['place']}, {model['run_ms']:g} ms a run")
    for its in settings:
        if its["value"] != its["configured"]:
            until = f" until {local(its['until'])}" if its["until"] else ""
            say(f"set: {its['setting']} {its['value']}{until} (configured: {its['configured']})")
    if told["clock"] != "synchronised":
        remark("The clock is not synchronised; messages say so.")


def _headline(told: Mapping[str, Any]) -> str:
    return f"{told['node']}, Vedette {told['version']}, up {_span(told['uptime_s'])}"


def _wrong(answer: Mapping[str, Any]) -> Iterator[str]:
    """Yield what is not as it should be: what hangs, is lost, waits for nobody, or is degraded."""
    told = answer["state"]
    yield from _stuck(answer)
    for camera, its in told["cameras"].items():
        lost = {sense: its[sense]["why"] or its[sense]["reason"] for sense in _SENSES if _is_lost(its.get(sense))}
        for why in dict.fromkeys(lost.values()):  # a camera that is away takes both its senses along: said once
            senses = " and ".join(word for sense, word in _SENSES.items() if lost.get(sense) == why)
            yield f"{_called(camera, answer.get('names', {}))}: {senses} lost: {why}"
    if not told["broker"]["protocol"]:
        yield answer["broker_fault"] or "the broker is not connected yet"
    yield from told["degraded_because"]


def _stuck(answer: Mapping[str, Any]) -> Iterator[str]:
    from agent.service.notify import STUCK_AFTER_S

    for worker in answer["stuck"]:
        yield f"no progress of {worker} for {STUCK_AFTER_S:g} s and more: it hangs"


def _is_lost(its: Mapping[str, Any] | None) -> bool:
    return its is not None and its["status"] == "lost"


def _cameras(told: Mapping[str, Any], settings: list[dict[str, Any]]) -> Iterator[tuple[str, ...]]:
    for camera, its in told["cameras"].items():
        vision, sound = _sense(its.get("vision")), _sense(its.get("sound"))
        looked = f"{its['analysed_fps']:g} a second, {its['looked_at_fps']:g} looked at"
        level = "" if its["level_dbfs"] is None else f"{its['level_dbfs']:g} dBFS"
        decoder = its.get("decoder", "cpu")  # an agent of before does not tell
        by = f", by {decoder}" if decoder != "cpu" else ""
        yield camera, vision, looked + by if vision == "running" else "", sound, level if sound == "running" else ""
    for setting in settings:
        camera, _, what = setting["setting"].partition("/")
        if what == "enabled" and setting["value"] == "off":
            yield camera, "off", "", "off", ""


def _called(camera: str, names: Mapping[str, str]) -> str:
    """Return what people call a camera, with its identifier, by which it is set; an agent of before tells only that."""
    name = names.get(camera, camera)
    return camera if name == camera else f"{name} ({camera})"


def _sense(its: Mapping[str, Any] | None) -> str:
    if its is None:
        return "none"
    return f"{its['status']} ({its['reason']})" if its["status"] == "lost" and its["reason"] else str(its["status"])


def _span(span_s: int) -> str:
    days, hours, minutes = span_s // 86_400, span_s // 3600 % 24, span_s // 60 % 60
    return f"{days} d {hours} h" if days else f"{hours} h {minutes} min" if hours else f"{minutes} min {span_s % 60} s"
