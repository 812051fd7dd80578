"""What is read off pictures and sound without a model, in numpy: the same code in training and in service.

Pictures
  letterbox    any picture onto a fixed canvas, undistorted, and boxes back
  picture      statistics of a picture, and the gate that spares a still scene the detector
  motion       dense optical flow in a few numbers, for the fusion graph; vectors: its fields, computed cheaply
  flow         optical flow in cells, for learned normality; gait: how the legs of what moves swing, for the same
  kinematics   what people do to each other, in numbers, for the fusion graph
  regions      where something small moves, that is worth a closer look
  standing     what came or went and stayed, without classes; patch: whether it is a thing or only light
  flicker      how restless the edges of what glows are: flames without colour
  blur         people made unrecognisable
Sound
  windows      a stream of sound → overlapping windows
  logmel       a window → the log-mel spectrogram that the hearing graph reads; finemel: the finer one of its verifier
  level        loudness, and when something sharp began
  tones        where one narrow tone stands out: beeping alarms
"""
