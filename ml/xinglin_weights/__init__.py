"""
The weights that ship, a distribution of their own: a client needs none of these megabytes.

One folder a model, each with its manifest and model card. `xinglin_ml.predict.shipped_folder`
finds them here.
"""
