"""What somebody can do about an overloaded box, said in the state, the log, `status` and `doctor`."""

from collections.abc import Mapping

from agent.capture.spec import MediaInfo
from agent.config.schema import Config

LARGE_PX = 1280 * 720
"""Of a picture, and more: decoding seven of 1920×1080 at 25 a second takes what a whole core has (BENCHMARKS, Cost)."""
BRISK_FPS = 5.0
USUAL_SIZE_PX = 320, 192
_MOST_NAMED = 3


def large_streams(infos: Mapping[str, MediaInfo | None]) -> list[str]:
    """Return which cameras deliver more than the analysis needs, in words."""
    return [
        f"{name} ({info.width_px}×{info.height_px})"
        for name, info in infos.items()
        if info is not None and info.width_px * info.height_px >= LARGE_PX
    ]


def cure_of(config: Config, infos: Mapping[str, MediaInfo | None], pictures_per_s: float) -> str:
    """Return how many pictures this box manages, and the cures, what helps most first, in one line.

    `infos` says what each camera that is read delivers, where that is known.
    """
    cures = []
    if large := large_streams(infos):
        named = ", ".join(large[:_MOST_NAMED])
        more = f" and {len(large) - _MOST_NAMED} more" if len(large) > _MOST_NAMED else ""
        cures.append(f"read the small second stream of {named}{more} (`vedette camera find` names it)")
    if (config.analysis.width_px, config.analysis.height_px) > USUAL_SIZE_PX:
        size = "analysis.width_px = {}, analysis.height_px = {}".format(*USUAL_SIZE_PX)
        cures.append(f"look at smaller pictures ({size})")
    if config.analysis.fps > BRISK_FPS:
        cures.append(f"look less often (`vedette config set analysis.fps {BRISK_FPS:g}`)")
    cures.append("watch fewer cameras or use a faster box" if len(infos) > 1 else "use a faster box")
    wanted_per_s = config.analysis.fps * len(infos)
    cameras = f"{len(infos)} cameras" if len(infos) != 1 else "one camera"
    managed = f"This box looked at {pictures_per_s:.0f} of {wanted_per_s:.0f} pictures a second of {cameras}"
    return f"{managed}: {', or '.join(cures)}; `vedette bench --cameras {max(1, len(infos))}` measures it"
