"""What ``gt.diagnose`` says of two trained networks that read characters: ``python benchmarks/real_characters.py``.

pip downloads the packages, without what they depend on; their weights are read from the archives, nothing of theirs is imported.

- textgenrnn 2.0.0 (MIT): writes titles, two layers of LSTM of 128 units, saved by Keras 2.1.5 as CuDNN's weights.
- LanguageIdentifier 1.1.1 (MIT): which language, two layers of bidirectional LSTM of 150 units, a dict of torch.save.

Inputs are the networks' own embeddings of the first 40 characters of English sentences. Before that states are held against Keras
and PyTorch, in float64: layers of theirs with these weights, CuDNN's brought into a plain LSTM's form as Keras 2 does it.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import subprocess
import sys
import tarfile
import tempfile
import time
import warnings
import zipfile
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "torch")  # read by keras when it is imported

import h5py
import numpy as np
import torch

import gating_theory as gt

_LENGTH = 40
_SENTENCES = (
    "The train to the coast leaves every morning at half past seven.",
    "Nobody in the village remembers who built the old stone bridge.",
    "A small engine pumps water from the river up to the gardens.",
    "When the lights went out we finished the game by candlelight.",
    "She wrote the first chapter in a single night and never changed it.",
    "It took them three years to measure the distance to that star.",
    "The museum has bought a painting that was thought to be lost.",
    "Please close the window before you leave the room tonight.",
    "Scientists have found a new way to count the birds of the island.",
    "Why do people who live near the sea seldom learn to swim?",
    "Our neighbours grow tomatoes on the roof of their garage.",
    "The committee will publish its report at the end of the month.",
)


def main() -> None:
    """Download, read, compare, diagnose, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cache", type=Path, help="folder of the archives (default: a temporary one)")
    parser.add_argument("--only", choices=["textgenrnn", "identifier"], help="one of them (default: both)")
    parser.add_argument("--n-states", type=int, default=6, help="states looked at (default 6)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.cache or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        for name, cases in (("textgenrnn", textgenrnn), ("identifier", identifier)):
            if options.only in (None, name):
                for title, weights, inputs, layer, way in cases(folder):
                    start = time.perf_counter()
                    found = gt.diagnose(weights, inputs, layer=layer, direction=way, n_states=options.n_states)
                    print(f"\n=== {title} ({time.perf_counter() - start:.0f} s)\n\n{found.split}\n\n{found}", flush=True)


def member(folder: Path, package: str, version: str, ending: str) -> bytes:
    """The file of that ending in a package's archive, which is downloaded unless it is there."""
    name = f"{package}-{version}"
    archives = [path for path in folder.iterdir() if path.name.startswith(name)]
    if not archives:
        command = [sys.executable, "-m", "pip", "download", "--no-deps", "--no-build-isolation", "-q", "-d", str(folder)]
        subprocess.run([*command, f"{package}=={version}"], check=True)
        archives = [path for path in folder.iterdir() if path.name.startswith(name)]
    if archives[0].suffix == ".whl":
        with zipfile.ZipFile(archives[0]) as wheel:
            return wheel.read(next(n for n in wheel.namelist() if n.endswith(ending)))
    with tarfile.open(archives[0]) as source:
        return source.extractfile(next(m for m in source.getmembers() if m.name.endswith(ending))).read()


# --- textgenrnn


def textgenrnn(folder):
    content = member(folder, "textgenrnn", "2.0.0", "textgenrnn_weights.hdf5")
    numbers = json.loads(member(folder, "textgenrnn", "2.0.0", "textgenrnn_vocab.json"))
    path = folder / "textgenrnn_weights.hdf5"
    path.write_bytes(content)
    found = gt.read(path)
    print(found)
    with h5py.File(io.BytesIO(content)) as file:
        embeddings = file["embedding/embedding/embeddings:0"][()].astype(float)
        inputs = embeddings[[[numbers.get(letter, 0) for letter in text[:_LENGTH]] for text in _SENTENCES]]
        cases = []
        for k, name in enumerate(("rnn_1", "rnn_2")):
            weights, arrays = (
                found[name],
                [file[f"{name}/{name}/{what}:0"][()].astype(float) for what in ("kernel", "recurrent_kernel", "bias")],
            )
            cases.append((f"textgenrnn 2.0.0, MIT: LSTM of 128 units, layer {k}", weights, inputs, 0, "forward"))
            states = weights.record(inputs).states[1:, :, 0].swapaxes(0, 1)
            print(
                f"{name}: states of {states.shape[1]} steps are {np.abs(states - by_keras(arrays, inputs)).max():.1e} from Keras'"
            )
            inputs = states
    return cases


def by_keras(arrays, inputs):
    """What an LSTM of Keras makes of the inputs, with CuDNN's weights as ``_convert_rnn_weights`` of Keras 2 makes them its own."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of libraries that keras imports
        import keras
        from keras.src.backend.common import dtypes
    dtypes.BIT64_TO_BIT32_DTYPE["float64"] = "float64"  # else it multiplies in float32
    kernel, recurrent, bias = arrays
    layer = keras.layers.LSTM(recurrent.shape[0], return_sequences=True, dtype="float64")
    layer.build(inputs.shape)
    kernel = np.hstack([k.T.reshape(k.shape, order="F") for k in np.hsplit(kernel, 4)])
    layer.set_weights([kernel, np.hstack([k.T for k in np.hsplit(recurrent, 4)]), sum(np.split(bias, 2))])
    return keras.ops.convert_to_numpy(layer(inputs))


# --- LanguageIdentifier


def identifier(folder):
    content = member(folder, "LanguageIdentifier", "1.1.1", "LID_mixed_model.pkl")
    path = folder / "LID_mixed_model.pkl"
    path.write_bytes(content)
    found = gt.read(path, batch_first=True)
    print(found)
    weights = found.weights("lstm")
    held = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    tensors = {name: tensor.double() for name, tensor in held["model_state_dict"].items()}
    numbers = held["char_to_idx"]
    letters = torch.tensor([[numbers.get(letter, len(numbers)) for letter in text[:_LENGTH]] for text in _SENTENCES])
    inputs = tensors["char_embeddings.weight"][letters]
    module = torch.nn.LSTM(150, 150, num_layers=2, bidirectional=True, batch_first=True, dtype=torch.float64)
    module.load_state_dict({name.removeprefix("lstm."): t for name, t in tensors.items() if name.startswith("lstm.")})
    with torch.no_grad():
        theirs = module(inputs)[0].numpy()
    inputs = inputs.numpy()
    ways = [weights.record(inputs, 1, way).states[1:, :, 0].swapaxes(0, 1) for way in ("forward", "reverse")]
    ours = np.concatenate([ways[0], ways[1][:, ::-1]], axis=-1)
    print(f"lstm: states of {_LENGTH} steps are {np.abs(ours - theirs).max():.1e} from PyTorch's")
    scores = (ours @ tensors["hidden2lang.weight"].numpy().T + tensors["hidden2lang.bias"].numpy()).sum(axis=1)
    languages = {number: name for name, number in held["lang_to_idx"].items()}
    said = [languages[int(best)] for best in scores.argmax(axis=1)]
    print(f"languages of the sentences, by these states: {', '.join(sorted(f'{said.count(one)} {one}' for one in set(said)))}")
    title = "LanguageIdentifier 1.1.1, MIT: LSTM of 150 units"
    return [(f"{title}, layer {k}, {way}", weights, inputs, k, way) for k in range(2) for way in ("forward", "reverse")]


if __name__ == "__main__":
    main()
