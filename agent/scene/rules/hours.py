"""When the rules of zones and lines hold, by the time on the wall of the place."""

from collections.abc import Mapping

from agent.config.hours import Week
from agent.config.schema import Line, Zone
from agent.types import NS_PER_S


class Timetable:
    """The hours of some zones or lines; asked again within the same minute it answers without a calendar."""

    def __init__(self, parts: Mapping[str, Zone] | Mapping[str, Line]) -> None:
        self._weeks = {name: Week(part.hours, part.timezone) for name, part in parts.items() if part.hours}
        self._minute: int | None = None
        self._held: dict[str, bool] = {}

    def holds(self, name: str, wall_ns: int) -> bool:
        """Whether the rules of `name` hold at `wall_ns` (nanoseconds since 1970)."""
        if name not in self._weeks:
            return True
        minute = wall_ns // (60 * NS_PER_S)
        if minute != self._minute:
            self._minute = minute
            self._held = {each: week.holds(minute) for each, week in self._weeks.items()}
        return self._held[name]
