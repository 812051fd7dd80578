"""What an incident says: one sentence for a guard, from templates in one place (English; others can follow).

A template is filled with the words of the evidence. No clock time and no ids: messages carry those.
"""

from collections.abc import Mapping, Sequence

Words = Mapping[str, str | float]

_OPENINGS: Mapping[str, str] = {
    "fight": "People fighting {where}",
    "fall:fell": "{who} fell {where}: went from {from} to lying in {down_s:.1f} s and stayed down {lying_s:.1f} s",
    "fall:just_fell": "{who} fell {where}: went from {from} to lying in {down_s:.1f} s",
    "fall:fallen": "{who} lying on the floor {where} for {lying_s:.1f} s; how it came to that was not seen",
    "fire": "Fire seen {where}",
    "smoke": "Smoke seen {where}",
    "gunshot": "Gunshot heard {where}",
    "explosion": "Explosion heard {where}",
    "glass_break": "Glass broke {where}",
    "scream": "Scream heard {where}",
    "crash": "Crash heard {where}",
    "loud_noise": "Loud noise {where}: {over_db:.0f} dB above what is usual there",
    "alarm": "Alarm sounding {where}",
    "alarm:T3": "Smoke alarm sounding {where}: {cycles:.0f} cycles of three beeps (T3)",
    "alarm:T4": "Carbon monoxide alarm sounding {where}: {cycles:.0f} cycles of four short beeps (T4)",
    "intrusion": "{who} where nobody should be, {where}, for {inside_s:.1f} s",
    "loitering": "{who} lingering {where}, for {inside_s:.0f} s",
    "line_crossing": "{who} crossed a line (going {way}) {where}",
    "crowding": "A crowd of {count:.0f} people {where}, for {lasted_s:.0f} s",
    "running": "{who} running {where}, for {inside_s:.1f} s",
    "abandoned_object": "A {what} stands alone {where}, for {alone_s:.0f} s; who brought it was not seen",
    "abandoned_object:owner": "A {what} stands alone {where}, for {alone_s:.0f} s; its owner went away",
    "abandoned_object:unnamed": "Something that was put down {stood_s:.0f} s ago stands alone {where}, for "
    "{alone_s:.0f} s; whoever brought it went away",
    "removed_object:unnamed": "Something that stood {where} is gone for {gone_s:.0f} s; somebody was there when it "
    "went, and went too",
    "removed_object": "A {what} that stood {where} is gone for {gone_s:.0f} s; somebody other than its owner was near",
    "unusual": "Something unusual {where}",
    "unusual:speed": "Unusually fast motion {where}: {times:.1f} times what is usual in that part of the picture",
    "unusual:size": "Something unusually large moves {where}",
    "unusual:gait": "Something glides {where}: it moves without the swing of legs that is usual there",
    "unusual:direction": "Something moves {where} in a direction unusual there",
    "unusual:thing_place": "{what} {where}, in an unusual place",
    "unusual:thing_size": "{what} {where}, of an unusual size for the place",
    "unusual:thing_motion": "{what} {where}, moving in an unusual way",
    "unusual:thing_posture": "{what} {where}, in an unusual posture",
    "unusual:thing_kind": "{what} {where}, which is unusual there",
    "unusual:hour": "Somebody {where} at an hour at which there is usually nobody",
    "unusual:scene": "The place looks unusual {where}",
    "unusual:sound": "Unusual sound {where}",
    "camera_covered": "Camera {camera} is covered: the picture no longer shows the place it watched",
    "camera_covered:dazzled": "Camera {camera} is dazzled: a light shines into it and hides the place it watched",
    "camera_moved": "Camera {camera} was moved: it shows another place than it watched",
    "camera_blurred": "Camera {camera} is out of focus: what was sharp is not",
    "camera_dark": "Camera {camera} sees nothing: the picture is dark",
    "camera_frozen": "Camera {camera} is frozen: the same picture for {still_s:.0f} s",
    "mic_silent": "Microphone of {camera} delivers nothing: {reason}",
    "source_lost": "Camera {camera} is lost: {reason}",
}

_DOUBTFUL: Mapping[str, str] = {"fight": "Possible fight {where}"}
"""How a kind is told as long as it is less sure than its severity asks for."""

_HEARD: Mapping[str, str] = {
    "thud": "a thud was heard",
    "crash": "a crash was heard",
    "scream": "a scream was heard",
    "loud_noise": "it was loud",
    "alarm": "an alarm was heard",
    "glass_break": "breaking glass was heard",
    "fire": "fire was seen",
    "smoke": "smoke was seen",
    "fall": "a person went down",
    "intrusion": "somebody was in a watched zone",
}

_SAME_AS: Mapping[str, str] = {"crash": "thud"}
"""What is not told beside another: a body that hits the floor is one sound under two names."""
_STAYED_S = 0.5

REASONS: Mapping[str, str] = {
    "not_found": "it is not where its address says",
    "refused": "it refuses the connection",
    "login": "it refuses the login",
    "codec": "its picture or sound cannot be decoded",
    "timeout": "it stopped answering",
    "cut": "it ended the connection",
    "ended": "it ended",
    "silent": "no sound arrives",
}


def sentence(
    kind: str,
    words: Words,
    *,
    cameras: Sequence[str],
    zones: Sequence[str],
    agreeing: Sequence[str],
    doubtful: bool = False,
) -> str:
    """One sentence: what, where, why. `cameras` and `zones` are what people call them.

    `agreeing` are the signals of another sense that confirm it.
    """
    variant = f"{kind}:{_variant(words)}" if "variant" in words else kind
    template = _OPENINGS.get(variant, _OPENINGS.get(kind, kind.replace("_", " ").capitalize() + " {where}"))
    if doubtful:
        template = _DOUBTFUL.get(kind, template)
    told: dict[str, str | float] = {"who": "Person", "where": _where(kind, cameras, zones), "camera": cameras[0]}
    said = template.format_map({**told, **words})
    confirmed = [_HEARD[signal] for signal in agreeing if signal in _HEARD and _SAME_AS.get(signal) not in agreeing]
    return "; ".join([said, *confirmed]) + "."


def _variant(words: Words) -> str | float:
    """The variant of the template; who has lain for a moment only is not said to have stayed down."""
    lying_s = words.get("lying_s", 0.0)
    just = words["variant"] == "fell" and isinstance(lying_s, float) and lying_s < _STAYED_S
    return "just_fell" if just else words["variant"]


def _where(kind: str, cameras: Sequence[str], zones: Sequence[str]) -> str:
    place = f"at {_listed(cameras)}"
    what = "line" if kind == "line_crossing" else "zone"
    return f"{place}, {what} {_listed(zones)}" if zones else place


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
