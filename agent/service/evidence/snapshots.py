"""The pictures that may leave the box: of the moment an incident opens, a better one from the main stream, and the
best view so far where an update has a clearly better one.

Nothing waits for the better one. The message goes out with the picture that was analysed; the main stream is
opened meanwhile, and what it shows within `MAIN_PICTURE_S` replaces that picture under the same topic.

People are blurred in the array, before anything is coded. The picture of the moment is the very one that was
looked at, so its boxes fit. When the main stream's picture was taken is not known exactly, so everybody is blurred
wherever they were from a second before it was asked for until it was there; where the analysis does not reach that
far, the picture is dropped.
"""

import logging
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from agent.capture.glimpse import Glimpse
from agent.capture.pictures import LazyPicture
from agent.capture.spec import SourceSpec
from agent.config.schema import Config
from agent.errors import SourceError
from agent.features.blur import blurred
from agent.service.evidence.best_view import BestView, score_of, score_of_nobody
from agent.service.evidence.people import People
from agent.service.sources import Credentials, snapshot_spec
from agent.types import NS_PER_S, Incident, Seen, Track, Uint8Array

MAIN_PICTURE_S = 3.0
"""So long a main stream may take: an RTSP camera shows its first picture 1 to 2 s after it was asked."""
_BEFORE_NS = NS_PER_S
_MISSED_NS = 3 * NS_PER_S // 10  # who is overlooked in one picture was found in one of the two or three before
_FRESH_NS = NS_PER_S  # an incident that opens so soon after takes the same picture
_MOST_UNJUDGED = 3  # full pictures are large: where judging is held up, later ones are not kept
_MAIN_AGAIN = 1.5  # so much better has a view to be for another look at the main stream
_OLD_NS = 8 * NS_PER_S  # where people are is remembered for 10 s: an older view cannot be blurred
_ANALYSIS_LAG_NS = 2 * NS_PER_S  # so long a picture to be blurred waits for the analysis of its own moment

_LOG = logging.getLogger(__name__)


@dataclass(slots=True)
class _Sought:
    """A main stream that is being opened for `incidents`; `picture` once it is there."""

    glimpse: Glimpse
    asked_ns: int
    incidents: list[Incident] = field(default_factory=list)
    picture: LazyPicture | None = None
    arrived_ns: int = 0


class Snapshots:
    """`looking` from the thread that sees, everything else from the thread that judges."""

    def __init__(self, config: Config, credentials: Credentials, clock_ns: Callable[[], int]) -> None:
        self._enabled = config.snapshots.enabled
        self._blur_people = config.privacy.blur_people
        self._clock_ns = clock_ns
        self._main = _main_streams(config, credentials) if self._enabled else {}
        self._people: dict[str, People] = {}
        self._lock = threading.Lock()
        self._looked_at: dict[str, dict[int, LazyPicture]] = {}
        self._newest: dict[str, tuple[int, LazyPicture]] = {}
        self._seen: dict[str, Seen] = {}  # what was found in the newest picture
        self._sought: dict[str, _Sought] = {}
        self._failing: set[str] = set()
        self._views: dict[int, BestView] = {}  # of open incidents, by ordinal

    def looking(self, camera: str, at_ns: int, picture: LazyPicture | None) -> None:
        """A picture is being analysed; `picture` is it in full size."""
        if not self._enabled or picture is None:
            return
        with self._lock:
            unjudged = self._looked_at.setdefault(camera, {})
            if len(unjudged) < _MOST_UNJUDGED:
                unjudged[at_ns] = picture

    def note(self, seen: Seen, tracks: Callable[[str], Iterable[Track]]) -> None:
        """Take note of an analysed picture: the newest one of its camera, and where people are in it."""
        if not self._enabled:
            return
        if self._blur_people:
            self._people.setdefault(seen.camera, People()).note(seen, tracks(seen.camera))
        with self._lock:
            unjudged = self._looked_at.get(seen.camera, {})
            if seen.at_ns in unjudged:
                self._newest[seen.camera] = (seen.at_ns, unjudged[seen.at_ns])
            self._looked_at[seen.camera] = {at_ns: it for at_ns, it in unjudged.items() if at_ns > seen.at_ns}
        at_ns, picture = self._newest.get(seen.camera, (None, None))
        if at_ns == seen.at_ns and picture is not None:
            for view in self._views.values():
                if view.camera == seen.camera and view.tracks:
                    view.offer(score_of(seen, tracks(seen.camera), view.tracks), at_ns, picture)
            self._seen[seen.camera] = seen

    def picture(self, camera: str) -> Uint8Array | None:
        """Return the newest analysed picture in full size, fit to leave the box; None: there is none."""
        if camera not in self._newest:
            return None
        at_ns, full = self._newest[camera]
        return self._fit(camera, full, at_ns - _MISSED_NS)

    def follow(self, incident: Incident, tracks: Callable[[str], Iterable[Track]]) -> None:
        """An incident opened, and the newest picture was sent with it: look out for better views."""
        if not self._enabled:
            return
        seen = self._seen.get(incident.camera)
        score = score_of_nobody(incident, seen.at_ns) if seen is not None else 0.0
        if incident.tracks and seen is not None:
            score = score_of(seen, tracks(incident.camera), incident.tracks)
        self._views[incident.ordinal] = BestView(incident.camera, incident.tracks, score)

    def better_view(self, incident: Incident) -> Uint8Array | None:
        """Return the best view since the last one that was sent, if it is clearly better than that one."""
        view = self._views.get(incident.ordinal)
        if view is None:
            return None
        if not incident.tracks and incident.camera in self._newest:
            at_ns, newest = self._newest[incident.camera]
            view.offer(score_of_nobody(incident, at_ns), at_ns, newest)
        view.tracks = incident.tracks
        found = view.take()
        if found is None:
            return None
        at_ns, picture, better = found
        if incident.camera in self._main:
            if better >= _MAIN_AGAIN:
                self.seek(incident)
            return None
        newest_ns = self._newest[incident.camera][0]
        if self._blur_people and newest_ns - at_ns > _OLD_NS:
            return None
        return self._fit(incident.camera, picture, at_ns - _MISSED_NS)

    def forget(self, incident: Incident) -> None:
        """Forget the best view of an incident that is closed."""
        self._views.pop(incident.ordinal, None)

    def seek(self, incident: Incident) -> None:
        """Ask the main stream of the incident's camera for a better picture, if it has one."""
        spec = self._main.get(incident.camera)
        sought = self._sought.get(incident.camera)
        if sought is not None and (sought.incidents or self._is_fresh(sought)):
            sought.incidents.append(incident)
        elif spec is not None and not (sought and sought.glimpse.hangs):
            glimpse = Glimpse(spec, clock_ns=self._clock_ns, deadline_s=MAIN_PICTURE_S)
            self._sought[incident.camera] = _Sought(glimpse, self._clock_ns(), [incident])

    def arrived(self) -> Iterator[tuple[Incident, Uint8Array]]:
        """Yield the better pictures that are there now, fit to leave the box, with the incidents they belong to."""
        for camera, sought in list(self._sought.items()):
            picture = self._better(camera, sought) if sought.incidents else None
            if picture is not None:
                waiting, sought.incidents = sought.incidents, []
                yield from ((incident, picture) for incident in waiting)
            if not (sought.incidents or self._is_fresh(sought) or sought.glimpse.hangs):
                del self._sought[camera]  # its picture is large

    def close(self) -> None:
        """Stop waiting for pictures of main streams."""
        for sought in self._sought.values():
            sought.glimpse.abandon()

    def _better(self, camera: str, sought: _Sought) -> Uint8Array | None:
        if sought.picture is None:
            answer = sought.glimpse.poll()
            if answer is None:
                return None
            if isinstance(answer, SourceError):
                self._failed(camera, sought, answer.line())
                return None
            sought.picture, sought.arrived_ns = answer, self._clock_ns()
        if self._blur_people and not self._is_analysed(camera, sought.arrived_ns):
            if self._clock_ns() - sought.arrived_ns > _ANALYSIS_LAG_NS:
                self._failed(camera, sought, "the analysis did not reach its moment, so nobody could be blurred")
            return None
        if camera in self._failing:
            self._failing.remove(camera)
            _LOG.info("%s: snapshots come from the main stream again", camera)
        return self._fit(camera, sought.picture, sought.asked_ns - _BEFORE_NS)

    def _is_fresh(self, sought: _Sought) -> bool:
        return sought.picture is not None and self._clock_ns() - sought.arrived_ns < _FRESH_NS

    def _is_analysed(self, camera: str, at_ns: int) -> bool:
        until_ns = self._people[camera].until_ns if camera in self._people else None
        return until_ns is not None and until_ns >= at_ns

    def _failed(self, camera: str, sought: _Sought, why: str) -> None:
        sought.incidents.clear()
        if camera not in self._failing:
            self._failing.add(camera)
            _LOG.warning("%s: snapshots come from the analysed stream only: %s", camera, why)

    def _fit(self, camera: str, picture: LazyPicture, since_ns: int) -> Uint8Array:
        full = picture.array()
        return blurred(full, self._people[camera].since(since_ns)) if self._blur_people else full


def _main_streams(config: Config, credentials: Credentials) -> Mapping[str, SourceSpec]:
    found = {
        name: snapshot_spec(name, camera, config.analysis, credentials(f"camera-{name}"))
        for name, camera in config.cameras.items()
        if camera.enabled and camera.snapshot_url
    }
    return {name: spec for name, spec in found.items() if spec is not None}
