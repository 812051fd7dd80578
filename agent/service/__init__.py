"""The one place that wires the parts of the agent together, and what `vedette` does with the whole.

Modules that lie here are the running agent: `node` wires it, `sensing` holds the threads that look and listen,
`judge` the one that owns the scene, `senses` the loaded models; `workers` and `channels` are threads and queues, and
`run`, `demo` and `bench` start an agent. In folders:

    recordings/    recorded observations and films, played again (`vedette replay`)
    evidence/      snapshots and clips of incidents
    rendering/     annotated video
    remote/        settings and commands over MQTT
    telemetry/     state, metrics, drift, counts and log
    drills/        rendered events through the running agent (`vedette drill`)
    viewing/       the page in the browser (`vedette view`, `vedette incidents review`)
    digest/        a day on one page (`vedette digest`)
    installation/  the systemd service and support bundles
    clips/         the rendered scenes of demo and drills: films, no code
"""
