"""The graphs: which file runs where, what goes in, and what the numbers that come out mean.

The three models
  vision, hearing, fusion     one graph each: arrays in, labels with calibrated scores out
  verifier                    a second, finer listener where hearing half believes in something
  see, hear                   a stream of frames, or of sound, through them: `Seen` and `Heard`
  closer, sunken, burning     second looks at parts of a live picture: what is small and moves, who went down, may burn
  parts, stills               still pictures, in overlapping parts
  calibrated                  logits → probabilities and evidence ratios
  opinion, site_label         what the embedding of a sound says besides: a second opinion, sounds taught on the site
Files and devices
  card, installed             model cards; models that a person installed over the shipped ones
  device                      which runtime and device a graph runs on, settled by running it
  graph                       a graph that goes on on the CPU when its device fails
  runtime                     what every backend offers; onnx_runtime, openvino_runtime: the backends
  engine_cache                where TensorRT's compiled engines are kept
"""
