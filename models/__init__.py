"""Training and evaluation of the models, and the zoo that ships with the product.

hearing, vision, fusion     one folder each, with a README that says from what and how
scenes                      a generator of rendered scenes
report, evaluate            models/REPORT.md and its plots
measured, resampling        which files a figure measured; intervals by group
packing                     published ONNX files made small
zoo                         what ships: graphs and their cards
"""
