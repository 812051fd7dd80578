"""Films of incidents, with what was before them: kept on this box, where the configuration asks for them.

Of each camera that keeps films, the last seconds lie in memory as small JPEGs (`Ring`), made of the pictures that were
looked at: what was judged is what is shown, masks black and people blurred (`darkroom`). An incident that opens takes
what is there, and gets what comes until some seconds after its end. A worker of low priority develops, codes and
writes; nothing waits for it. Where it does not keep up, pictures are left out here, not in the analysis; under overload
two a second are taken, and none where even smaller pictures have to be looked at.

`looking` comes from the thread that sees, `sound` from those that capture, `run` is the worker; all else comes from the
thread that judges.
"""

import logging
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from agent.capture.pictures import LazyPicture
from agent.config.schema import ClipsKept, Config
from agent.errors import StoreError
from agent.service.evidence.clip_film import ClipFilm
from agent.service.evidence.darkroom import Darkroom, Noted, Still
from agent.service.evidence.footage import Piece, Recording, Ring, taken_until
from agent.service.evidence.fragments import mended
from agent.service.evidence.people import People
from agent.types import NS_PER_S, Box, Closed, Incident, IncidentChange, Seen, Severity, SoundBlock, Track
from agent.uplink.evidence.clips import ClipFolder, clip_name

REACH_NS = 10 * NS_PER_S
"""So much later than it began an incident may open and still have all of `before_s`: a minute's loitering has less."""
MOST_AT_ONCE = 4  # films of one camera; a critical incident gets one all the same
SELDOM_NS = NS_PER_S // 2  # while nothing moves, and under overload, this often is enough
_MOST_UNJUDGED = 3  # decoded pictures are large
_MOST_UNDEVELOPED = 6
_MOST_NOTED = 600  # a minute of moments, which are small
_SETTLE_NS = NS_PER_S // 2  # a picture needs so long from the camera until it is noted
_GIVE_UP_NS = 5 * NS_PER_S  # a camera that is lost shows nothing any more
_LOOK_S = 0.25
_SAVE_NS = 2 * NS_PER_S
_NEVER_NS = 1 << 62
_TIDY_NS = 3600 * NS_PER_S

_SEVERITIES: Mapping[ClipsKept, frozenset[Severity]] = {
    "off": frozenset(),
    "critical": frozenset({"critical"}),
    "warning": frozenset({"critical", "warning"}),
    "all": frozenset({"critical", "warning", "notice"}),
}

_LOG = logging.getLogger(__name__)


@dataclass(slots=True)
class _Camera:
    """What there is of one camera that keeps films."""

    kept: ClipsKept
    darkroom: Darkroom
    ring: Ring
    people: People = field(default_factory=People)
    unjudged: dict[int, LazyPicture] = field(default_factory=dict)
    noted: deque[Noted] = field(default_factory=lambda: deque(maxlen=_MOST_NOTED))  # not developed yet
    taken_ns: int | None = None  # the newest picture that was kept
    sparsely: bool = False
    until_ns: int = 0  # the newest moment that was developed


class Clips:
    """The films of one node. Safe to use from the threads named above."""

    def __init__(
        self, config: Config, state_folder: Path, clock_ns: Callable[[], int], wall_ns: Callable[[], int | None]
    ) -> None:
        """`wall_ns`: None while the wall's clock cannot be trusted."""
        settings = self._settings = config.clips
        self._blur_people = config.privacy.blur_people
        self._clock_ns = clock_ns
        self._folder = ClipFolder(
            state_folder, max_bytes=settings.max_bytes, max_age_days=settings.max_age_days, wall_ns=wall_ns
        )
        self._changed = threading.Condition()
        self._before_ns = round(settings.before_s * NS_PER_S)
        self._cameras = {
            name: self._camera(kept) for name in config.cameras if (kept := config.clips_of(name)) != "off"
        }
        self._recordings: dict[int, Recording] = {}  # by ordinal
        self._fault = ""
        self._tidied_ns: int | None = None

    def _camera(self, kept: ClipsKept) -> _Camera:
        darkroom = Darkroom(max_width_px=self._settings.max_width_px, blur_people=self._blur_people)
        return _Camera(kept, darkroom, Ring(self._before_ns + REACH_NS))

    # -- what comes in ------------------------------------------------------------------------------------

    def looking(self, camera: str, at_ns: int, picture: LazyPicture | None, *, sparsely: bool = False) -> None:
        """A picture is being analysed; `picture` is it in full size. `sparsely`: two a second have to do."""
        state = self._cameras.get(camera)
        if state is None or picture is None:
            return
        with self._changed:
            if len(state.unjudged) < _MOST_UNJUDGED:
                state.unjudged[at_ns] = picture
            state.sparsely = sparsely

    def note(self, seen: Seen, tracks: Callable[[str], Iterable[Track]]) -> None:
        """A picture was analysed: it is known who is in it."""
        state = self._cameras.get(seen.camera)
        if state is None:
            return
        boxes: tuple[Box, ...] = ()
        if self._blur_people:
            state.people.note(seen, tracks(seen.camera))
            boxes = state.people.since(seen.at_ns)
        with self._changed:
            picture = state.unjudged.get(seen.at_ns)
            state.unjudged = {at_ns: it for at_ns, it in state.unjudged.items() if at_ns > seen.at_ns}
            seldom = state.sparsely or seen.detections is None
            if seldom and state.taken_ns is not None and seen.at_ns - state.taken_ns < SELDOM_NS:
                picture = None
            if picture is not None:
                state.taken_ns = seen.at_ns
            state.noted.append(Noted(seen.at_ns, boxes, picture))
            _shed(state.noted)
            self._changed.notify()

    def sound(self, block: SoundBlock) -> None:
        """A block of sound was captured."""
        state = self._cameras.get(block.camera)
        if state is None or not self._settings.sound or block.drill:
            return
        piece = Piece(block.at_ns, (np.clip(block.samples, -1.0, 1.0) * 32767).astype(np.int16))
        with self._changed:
            state.ring.hear(piece)
            for recording in self._running(block.camera):
                if piece.at_ns <= recording.until_ns:
                    recording.pieces.append(piece)

    def forget(self, camera: str) -> None:
        """A camera was switched off: nothing of it stays in memory but what films in the making have."""
        state = self._cameras.get(camera)
        if state is not None:
            with self._changed:
                state.ring.clear()
                state.unjudged.clear()
                state.noted.clear()

    # -- incidents ----------------------------------------------------------------------------------------

    def follow(self, change: IncidentChange, incident_id: str) -> None:
        """A message about an incident is on its way: begin its film if it is to have one, or end it some time later."""
        incident = change.incident
        with self._changed:
            recording = self._recordings.get(incident.ordinal)
            if recording is None and not isinstance(change, Closed):
                self._begin(incident, incident_id)
            elif recording is not None and isinstance(change, Closed):
                recording.closed = True
                ended_ns = incident.at_ns if incident.ended_ns is None else incident.ended_ns
                recording.until_ns = min(recording.last_ns, ended_ns + round(self._settings.after_s * NS_PER_S))
                if recording.over:
                    del self._recordings[incident.ordinal]
            self._changed.notify()

    def named(self, change: IncidentChange) -> str | None:
        """Return what the message about `change` is to call the film: one that is there, or will be in some seconds."""
        with self._changed:
            recording = self._recordings.get(change.incident.ordinal)
            if recording is None or recording.failed:
                return None
            coming = isinstance(change, Closed) and recording.pictures > 0 and not self._fault
            return clip_name(recording.incident_id) if recording.written or coming else None

    def remarks(self) -> list[str]:
        """Return what the state says of it: why no film was kept the last time, if that is so."""
        return [f"clips: {self._fault}"] if self._fault else []

    def _begin(self, incident: Incident, incident_id: str) -> None:
        state = self._cameras.get(incident.camera)
        if state is None or incident.drill or incident.severity not in _SEVERITIES[state.kept]:
            return
        running = sum(1 for _ in self._running(incident.camera))
        if running >= MOST_AT_ONCE and incident.severity != "critical":
            return
        from_ns = max(incident.started_ns, incident.at_ns - REACH_NS) - self._before_ns
        last_ns = from_ns + round(self._settings.longest_s * NS_PER_S)
        recording = Recording(incident.ordinal, incident_id, incident.camera, last_ns, last_ns)
        recording.add(state.ring.since(from_ns))
        recording.pieces.extend(piece for piece in state.ring.pieces if piece.at_ns >= from_ns)
        self._recordings[incident.ordinal] = recording

    def _running(self, camera: str) -> Iterable[Recording]:
        return (one for one in self._recordings.values() if one.camera == camera and not one.over)

    # -- the worker ---------------------------------------------------------------------------------------

    def run(self, stop: threading.Event) -> None:
        """Develop, code and write until `stop` is set; then finish what was begun."""
        self._take_up()
        while not stop.is_set():
            self._tidy()
            self.work(_LOOK_S)
        self.finish()

    def work(self, timeout_s: float) -> bool:
        """Do one piece of work, after waiting for one at most so long; return whether there was one."""
        done = self._develop_one() or self._code_one()
        for recording in self._complete():
            self._write(recording)
            done = True
        if not done:
            with self._changed:
                self._changed.wait(timeout_s)
        return done

    def finish(self) -> None:
        """End every film now and write it."""
        while self._develop_one():
            """What was noted belongs to them."""
        for name, state in self._cameras.items():
            self._feed(name, state, state.darkroom.rest())
        with self._changed:
            for recording in self._recordings.values():
                recording.until_ns = min(recording.until_ns, max(recording.newest_ns, 0))
        while self._code_one():
            """One after the other."""
        for recording in [one for one in self._recordings.values() if not one.over]:
            self._write(recording)

    def _develop_one(self) -> bool:
        with self._changed:
            found = next(((name, state) for name, state in self._cameras.items() if state.noted), None)
            if found is None:
                return False
            name, state = found
            noted = state.noted.popleft()
        self._feed(name, state, state.darkroom.take(noted))
        state.until_ns = noted.at_ns
        return True

    def _feed(self, name: str, state: _Camera, stills: Iterable[Still]) -> None:
        for still in stills:
            with self._changed:
                state.ring.add(still)
                for recording in self._running(name):
                    recording.add((still,))

    def _code_one(self) -> bool:
        """Code one picture of one film, and the sound up to it."""
        with self._changed:
            recording = next((one for one in self._recordings.values() if one.stills and not one.over), None)
            if recording is None:
                return False
            still = recording.stills.popleft()
            recording.waiting_bytes -= len(still.jpeg)
            pieces = taken_until(recording.pieces, still.at_ns)
            has_sound = bool(pieces or recording.pieces)
        with self._guarding(recording):
            if recording.film is None:
                recording.film = ClipFilm(with_sound=has_sound)
            recording.film.picture(still.at_ns, still.jpeg)
            for piece in pieces:
                recording.film.sound(piece.at_ns, piece.samples)
            self._save(recording)
        return True

    def _save(self, recording: Recording) -> None:
        """Put what there is of a film on the disk, now and then: a loss of power shall cost its end only."""
        now_ns = self._clock_ns()
        if recording.film is None or (recording.saved_ns is not None and now_ns - recording.saved_ns < _SAVE_NS):
            return
        recording.saved_ns = now_ns
        try:
            self._folder.grow(recording.incident_id, recording.film.fresh())
        except OSError:  # the film itself is still to come, and says so if the disk refuses that, too
            recording.saved_ns = _NEVER_NS
            with suppress(OSError):
                self._folder.drop(recording.incident_id)

    def _take_up(self) -> None:
        """Make films of what a run that ended before its time left of them."""
        try:
            for incident_id, fragments in self._folder.left().items():
                if film := mended(fragments):
                    self._folder.keep(incident_id, film)
                self._folder.drop(incident_id)
        except OSError as error:
            _LOG.warning("films that were cut short stay as they are: %s", error.strerror or error)

    def _complete(self) -> list[Recording]:
        now_ns = self._clock_ns()
        with self._changed:
            return [
                one for one in self._recordings.values() if not (one.over or one.stills) and self._is_past(one, now_ns)
            ]

    def _is_past(self, recording: Recording, now_ns: int) -> bool:
        """Whether nothing more will come that belongs into it."""
        late_ns = now_ns - recording.until_ns
        arrived = self._cameras[recording.camera].until_ns > recording.until_ns
        return late_ns > _GIVE_UP_NS or (arrived and late_ns > _SETTLE_NS)

    def _write(self, recording: Recording) -> None:
        with self._guarding(recording):
            film = self._finished(recording)
            if film:
                self._folder.keep(recording.incident_id, film)
                self._told("")
            else:
                recording.failed = True
        with self._changed:
            recording.written = not recording.failed
            recording.film = None
            if recording.closed:
                self._recordings.pop(recording.ordinal, None)

    def _finished(self, recording: Recording) -> bytes:
        if recording.film is None:
            return b""
        for piece in taken_until(recording.pieces, recording.until_ns):
            recording.film.sound(piece.at_ns, piece.samples)
        # A camera that was lost did not stand still: its last picture stays for a second only.
        return recording.film.finish(min(recording.until_ns, recording.newest_ns + NS_PER_S))

    @contextmanager
    def _guarding(self, recording: Recording) -> Iterator[None]:
        """What goes wrong with one film costs that film, and is told; nothing else."""
        try:
            yield
        except (OSError, ValueError, StoreError) as error:
            self._give_up(recording)
            self._told((error.strerror if isinstance(error, OSError) else None) or str(error))

    def _give_up(self, recording: Recording) -> None:
        """Let go of a film that will not be; the incident is remembered until it closes, so that no other is begun."""
        with self._changed:
            recording.failed = True
            recording.film = None
            recording.stills.clear()
            recording.pieces.clear()
            with suppress(OSError):
                self._folder.drop(recording.incident_id)
            if recording.closed:
                self._recordings.pop(recording.ordinal, None)

    def _told(self, fault: str) -> None:
        """Log a fault, or its end, once."""
        if fault and not self._fault:
            _LOG.error("no film is kept: %s", fault)
        elif self._fault and not fault:
            _LOG.info("films are kept again")
        self._fault = fault

    def _tidy(self) -> None:
        """Delete what is too old, whether or not there is a new one."""
        now_ns = self._clock_ns()
        if self._tidied_ns is not None and now_ns - self._tidied_ns < _TIDY_NS:
            return
        self._tidied_ns = now_ns
        try:
            self._folder.tidy()
        except OSError as error:
            _LOG.warning("old films cannot be deleted: %s", error.strerror or error)


def _shed(noted: deque[Noted]) -> None:
    """Where developing does not keep up, leave out the oldest pictures; where people were still matters."""
    pictures = [n for n, one in enumerate(noted) if one.picture is not None]
    for n in pictures[: max(0, len(pictures) - _MOST_UNDEVELOPED)]:
        noted[n] = Noted(noted[n].at_ns, noted[n].boxes)
