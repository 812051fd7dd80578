"""Training and evaluation of the models, and the zoo that ships with the product."""
