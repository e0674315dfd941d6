"""Keras runs on PyTorch here: the choice is read when it is imported, wherever that happens first."""

import os

os.environ["KERAS_BACKEND"] = "torch"
