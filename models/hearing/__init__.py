"""The sound model: 2 s of log-mel in, about thirty labels out, distilled from AudioSet teachers.

Sounds
  data         builds the manifest and the caches; catalogue, found: what is read from which repository
  exclude      what must never be learned from
  labels       what is told apart, and other people's names for it
  synth        alarm sounds made from nothing
  mixing       training batches, composed in the mel-power domain; degrade: damages to waveforms
The network
  net, net_mn  its outputs and costs; the shipped body
  mn04         the teacher mn04_as in torch; teachers: what they said of every piece
  soften       what they said → targets
  train        distillation; average: the mean of several trainings
  interpolate  part of the way back to the teacher's weights
  refit, rows  the label head anew, on hard labels
What ships
  export       the ONNX files; card: what they are; calibrate: probabilities and thresholds
  clips, heard what the live agent hears in clips, kept
  verifier     the second, finer listener: mn04_as with upper blocks of ours; storing: weights in int8
  maps         what its lower blocks make of sounds; tuning: its upper ones trained; verifier_rows: their beginning
  incidents    a second opinion and a threshold for each kind
  background   what a sound taught on a site is told apart from
What it is measured by
  evaluate     the shipped model on val; metrics: average precision and its interval
  hard, slices dev made harder, and damaged
  outside      sources that its body was not trained on
"""
