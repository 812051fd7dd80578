"""The one place that wires the parts of the agent together, and what `vedette` does with the whole.

The running agent
  node             wires everything and supervises it; options: what a run is asked for, who may watch it
  sensing          the threads that look and listen; judge: the thread that owns the scene; errands: work asked of it
  stepping         one observation through the scene and the fusion graph; observe: a recording as observations
  senses           the loaded models; compiled_graphs: kept over restarts; allocator: how memory is asked for
  cameras, sources the cameras that are read, and what they are made of
  microphones      each in a process of its own (microphone_process), which is killed where it hangs
  workers, channels, clock  threads, the queues between them, and the two clocks
  overload, late   what rests where the eyes do not keep up (overload_cure: and what helps); what came too late
  usual_motion     what learned normality alone reads of pictures
  normality_files  learned normality on the disk
  notify           readiness and watchdog of systemd; last_good: the configuration to fall back on
Commands that run one
  run, demo, bench `vedette run`, `demo` (demo_log: what came of it; broker: the broker inside the process), `bench`
                   (bench_cameras: of many)
  privacy          what leaves the box, for `vedette doctor --privacy`
Around it
  recordings/      recorded observations and films, played again (`vedette replay`)
  evidence/        snapshots and clips of incidents
  rendering/       annotated video
  remote/          settings and commands, over MQTT and from this machine
  telemetry/       state, metrics, drift, counts and log
  drills/          rendered events through the running agent (`vedette drill`)
  viewing/         the page in the browser (`vedette view`, `vedette incidents review`)
  digest/          a day on one page (`vedette digest`)
  installation/    the systemd service and support bundles
  clips/           the rendered scenes of demo and drills: films, no code
"""
