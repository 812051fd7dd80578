"""`vision`: people, vehicles, animals and bags, fire and smoke, and an embedding of the scene.

python -m models.vision.data        # collect, deduplicate and index the pictures
python -m models.vision.train       # fine-tune with quantisation in the loop, then the scene head
python -m models.vision.export      # write the five graphs and the card
python -m models.vision.evaluate    # figures on validation, ONNX Runtime and OpenVINO

Pictures
  data, sources, records   collected once, from where, each with its labels
  exclude      what must never be learned from
  augment      pictures made to look as cameras see
  teachers     three published detectors: pseudo-labels
The network
  network      body, pyramid and heads in torch; quantised: its convolutions, as they round
  weights      NanoDet-Plus's published weights
  quantise     ranges, channels evened out
  losses, train            fine-tuning with the rounding in the loop
  lying        the detection heads alone, for people who lie or crouch
  detect       scores and boxes → detections
Fire and smoke
  frozen       what the heads read of a picture, as the int8 graph gives it
  scene, scene_views       the head, and the views that it learns from
  burning      flames of our own over quiet pictures
  flames       more photographs of fires, for the judge
  judge        a second judge, on whole pictures and on parts; judging: it as a piece of the published graphs
Postures
  people, columns          people whose posture is known, and their features
  postures     joints → upright, crouched, lying
  looker       what a cell of the shipped network holds
  posture      trains the person head; posture_figures: how well it tells
  stance       another one, of the whole box; stances: it as a piece of the published graphs
What ships
  graph        `Vision` as ONNX; export: the five files and the card
  lean         the int8 files again, the same from fewer and better fed kernels (lean_graph: nodes and constants;
               lean_cuts: bytes are rearranged, not floats; lean_blocks: whole blocks of channels)
  evaluate     figures per file, runtime and precision
"""
