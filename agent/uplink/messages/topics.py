"""The topics of the MQTT contract, version 1."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Topics:
    """The topics of one node; `base` is the broker's base topic."""

    base: str
    node: str

    def of_node(self, name: str) -> str:
        """Return a topic of the node: `status`, `state`, `gap`, `request` …"""
        return f"{self.base}/{self.node}/{name}"

    def of_camera(self, camera: str, name: str) -> str:
        """Return a topic of one camera: `incident`, `active`, `snapshot`, `sound`, `stats` …"""
        return f"{self.base}/{self.node}/{camera}/{name}"

    def clip(self, camera: str, incident_id: str) -> str:
        """Return the topic of the film of one incident."""
        return f"{self.of_camera(camera, 'clip')}/{incident_id}"

    def snapshot(self, camera: str, incident_id: str) -> str:
        """Return the topic of the picture of one incident."""
        return f"{self.of_camera(camera, 'snapshot')}/{incident_id}"
