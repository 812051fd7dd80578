"""Pictures and sound from files, cameras and microphones: opened, decoded, put on one clock, watched, opened again.

Opening and decoding
  source       `open_media`: one entry for everything that can be seen or heard
  spec, media  what to open; an opened medium, to be read to its end
  address, tls what FFmpeg is told for each kind of source, and whose certificates are believed
  container    one open FFmpeg container: packets in, pictures and sound out
  decoding     packets → pictures: by the CPU, or a device for as long as that does it well
  devices      decoders in hardware: which there are, and how FFmpeg is asked for them
  folder       a folder of numbered pictures as a medium
  pictures     decoded pictures → RGB at analysis size: scaled, turned upright, masked
  sound        any sound → blocks of 0.1 s, mono, 16 kHz
  faults       FFmpeg's many errors → the six that a person can act on
  glimpse      a single picture of a source that is not watched otherwise
Time
  timeline     stamps of a medium → one axis of nanoseconds; which pictures to analyse
  merge        pictures and sound of one container in the order of media time
  axis         media time → the machine's monotonic time, without jitter
  timing       recordings are paced, live sources are put on the clock
Running for months
  live         sources that are watched and opened again
  microphone   the same for microphones; portaudio: the process's one PortAudio
  pump         reads in a thread of its own, for FFmpeg may hang
  watch, state notices a source that stalls; how it is, and how long to wait before trying again
Finding
  onvif, v4l2  cameras of the network, and those of this machine
"""
