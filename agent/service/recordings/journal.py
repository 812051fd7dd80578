"""Recorded observations: a folder with the stream of observations and the configuration it was seen under.

`vedette run --record DIR` writes it, `vedette replay DIR` reads it: same observations, same incidents.
One JSON object a line, `{"type": "seen", …}`; floats are written so that they read back bit for bit. What was
decided meanwhile (armed, sensitivity, zones: the policy) stands between the observations that it came between.
"""

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

from pydantic import TypeAdapter, ValidationError

from agent.errors import SourceError, StoreError
from agent.scene import Policy
from agent.types import Blind, Fused, Heard, Observation, Seen, Tick

OBSERVATIONS_FILE = "observations.jsonl"
CONFIG_FILE = "vedette.toml"

_LOG = logging.getLogger(__name__)

_ADAPTERS: dict[str, TypeAdapter[Observation]] = {
    "seen": TypeAdapter(Seen),
    "heard": TypeAdapter(Heard),
    "fused": TypeAdapter(Fused),
    "tick": TypeAdapter(Tick),
    "blind": TypeAdapter(Blind),
}


_POLICY = "policy"
_POLICY_ADAPTER = TypeAdapter(Policy)


def encode_policy(policy: Policy) -> str:
    """Return what was decided as one line of JSON without its newline."""
    content = _POLICY_ADAPTER.dump_python(policy, mode="json")
    return json.dumps({"type": _POLICY, "policy": content}, separators=(",", ":"))


def encode(observation: Observation) -> str:
    """Return `observation` as one line of JSON without its newline."""
    name = type(observation).__name__.lower()
    return json.dumps({"type": name} | _ADAPTERS[name].dump_python(observation), separators=(",", ":"))


def decode(line: str) -> Observation | Policy:
    """Return the observation, or the policy, of one line; ValueError says what is wrong with it."""
    fields = json.loads(line)
    if isinstance(fields, dict) and fields.get("type") == _POLICY:
        return _POLICY_ADAPTER.validate_python(fields.get("policy"))
    if not isinstance(fields, dict) or (name := fields.pop("type", None)) not in _ADAPTERS:
        raise ValueError("not an observation")
    return _ADAPTERS[name].validate_python(fields)


def is_recording(folder: Path) -> bool:
    """Tell whether `folder` holds recorded observations."""
    return (folder / OBSERVATIONS_FILE).is_file()


def read(folder: Path) -> Iterator[Observation]:
    """Yield the recorded observations; SourceError names the line that cannot be read."""
    return (one for one in events(folder) if not isinstance(one, Policy))


def events(folder: Path) -> Iterator[Observation | Policy]:
    """Yield the recorded observations and what was decided between them; SourceError names the line."""
    path = folder / OBSERVATIONS_FILE
    with path.open(encoding="utf-8", errors="replace") as lines:
        for number, line in enumerate(lines, start=1):
            if not line.endswith("\n"):
                return  # the last line was cut off by a power loss: all before it is whole
            try:
                yield decode(line)
            except (ValueError, ValidationError) as error:
                raise SourceError(
                    f"{path.name} line {number} is not an observation",
                    fault="codec",
                    why=str(error).splitlines()[0],
                    cure="Record it again with `vedette run --record`.",
                ) from error


class Journal:
    """Writes observations into a new folder beside the configuration that they were seen under.

    A disk that refuses ends the recording and nothing else: one with a hole in it would not replay the same.
    """

    def __init__(self, folder: Path, config_toml: str) -> None:
        """Raises StoreError where the folder cannot be begun."""
        self.fault = ""  # why it ended before its time
        try:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / CONFIG_FILE).write_text(config_toml, encoding="utf-8")
            self._lines = (folder / OBSERVATIONS_FILE).open("w", encoding="utf-8")
        except OSError as error:
            raise StoreError(
                f"nothing can be recorded in {folder}", why=error.strerror or str(error), cure="Name another folder."
            ) from error

    def __enter__(self) -> "Journal":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def write(self, observation: Observation) -> None:
        """Add one observation."""
        self._add(encode(observation))

    def adopted(self, policy: Policy) -> None:
        """Note that the scene goes by `policy` from here on."""
        self._add(encode_policy(policy))

    def close(self) -> None:
        """Finish the file."""
        try:
            self._lines.close()
        except OSError as error:  # what was still in memory did not fit
            self._end(error)

    def _add(self, line: str) -> None:
        if self.fault:
            return
        try:
            self._lines.write(line + "\n")
        except OSError as error:
            self._end(error)
            self.close()

    def _end(self, error: OSError) -> None:
        if not self.fault:
            self.fault = error.strerror or str(error)
            _LOG.error("the recording %s ends here: %s", self._lines.name, self.fault)
