"""The fusion graph: eight seconds of what was seen and heard, judged together.

What is learned from
  clips        the product's own observations of every clip, kept; sounds: recorded sounds as the product hears them
  more         fights and near misses from public repositories; film: film on which nothing happens
  to_and_fro   a short clip as if the camera had been running
  windows      observations → the windows that the network learns from
The network
  net          three streams of sixteen half seconds → logits
  signals      tasks beside, that need no labels
  probe        a linear probe of frozen features; glance: the one on the picture's embedding that ships
  train        five members, cross-fitted by group
  export       calibrates the members and joins them into one graph, with its card
What it is measured by
  evaluate     the shipped graph on val, through the product's own scene
  pairs        both senses against either
  unseen       fights of collections that it did not learn from
Choosing a recipe
  recipes      recipes side by side, counted so that luck shows; running: clips as a running camera sees them
  ablation     ways of fusing on the same folds; search: hyper-parameters with Optuna
"""
