"""`vision`: people, vehicles, animals and bags, fire and smoke, and an embedding of the scene.

python -m models.vision.data        # collect, deduplicate and index the pictures
python -m models.vision.train       # fine-tune with quantisation in the loop, then the scene head
python -m models.vision.export      # write the five graphs and the card
python -m models.vision.evaluate    # figures on validation, ONNX Runtime and OpenVINO
"""
