"""What ``gt.diagnose`` says of trained recurrent layers that ship in packages: ``python benchmarks/real_networks.py``.

pip downloads the packages, without what they depend on, and their weights are read from the wheels; nothing of theirs is imported.

- silero-vad 6.2.3 (MIT): voice activity, LSTM of 128 units. Inputs: what its own encoder makes of a synthetic voice, 32 ms a step.
- Resemblyzer 0.1.4 (Apache 2.0): who speaks, three layers of LSTM of 256 units. Inputs: mel frames of the same voice by the formula
  of its preprocessing (25 ms windows, 10 ms a step, 40 channels of power), 1.6 s as in its partial utterances.
- g2p_en 2.1.0 (Apache 2.0): pronunciation, GRU of 256 units, the encoder. Inputs: its embeddings of the letters of English words.

``--only formats`` compares the files of silero instead: which hold the same LSTM, to the last bit, and whether states along a voice
are those of onnx's reference evaluator. (The safetensors file and the "half" model hold other trainings than the rest.)

The voice is a stand-in: pulses through three formants that move from vowel to vowel, noise, and pauses. It is no speech; how sure
silero is that it hears some is printed.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path

import numpy as np
import torch

import gating_theory as gt

_RATE = 16_000
#: First three formants of five vowels, Hz: textbook values of adult voices.
_VOWELS = ((730, 1090, 2440), (270, 2290, 3010), (530, 1840, 2480), (570, 840, 2410), (300, 870, 2240))
#: English words of eleven letters: with the sign of the end sequences of one length.
_WORDS = (
    "information development opportunity environment performance competition traditional interesting comfortable imagination "
    "restaurants personality immediately publication application observation"
).split()
_LETTERS = ["<pad>", "<unk>", "</s>", *"abcdefghijklmnopqrstuvwxyz"]


def main() -> None:
    """Download, read, diagnose, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cache", type=Path, help="folder of the wheels (default: a temporary one)")
    parser.add_argument("--only", choices=["silero", "resemblyzer", "g2p", "formats"], help="one of them (default: all)")
    parser.add_argument("--n-states", type=int, default=6, help="states looked at (default 6)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.cache or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        if options.only in (None, "formats"):
            print(silero_files(folder), silero_states(folder), sep="\n\n")
        for name, cases in (("silero", silero), ("resemblyzer", resemblyzer), ("g2p", g2p)):
            if options.only in (None, name):
                for title, weights, inputs, layer in cases(folder):
                    start = time.perf_counter()
                    found = gt.diagnose(weights, inputs, layer=layer, n_states=options.n_states)
                    print(f"\n=== {title} ({time.perf_counter() - start:.0f} s)\n\n{found.split}\n\n{found}", flush=True)


_SILERO = ("silero-vad", "6.2.3")
#: Files of silero with its LSTM for sound at 16 kHz, and some with that for 8 kHz: data of the wheel.
_FILES = (
    "silero_vad.onnx",
    "silero_vad_16k_op15.onnx",
    "silero_vad_16k_sequence.onnx",
    "silero_vad_openvino_16k.onnx",
    "silero_vad_op18_ifless.onnx",
    "silero_vad_half.onnx",
    "silero_vad_16k.safetensors",
    "silero_vad.jit",
)


def silero_files(folder: Path) -> str:
    """The LSTMs in silero's files; those of the same weights to the last bit have the same letter."""
    letters, lines = {}, []
    for name in _FILES:
        path = file_of(folder, *_SILERO, f"silero_vad/data/{name}")
        try:
            found = gt.read(path)
        except ValueError as error:
            lines.append(f"  -  {error}")
            continue
        for module in found:
            (tensors,) = found[module].tensors.values()
            mark = tuple(tensors[what].tobytes() for what in sorted(tensors))
            letters.setdefault(mark, "ABCDEFGH"[len(letters)])
            lines.append(f"  {letters[mark]}  {name}: {module}, {found.modules[module]}")
    return "\n".join(["LSTMs of silero-vad 6.2.3, a letter for each set of weights:", *lines])


def silero_states(folder: Path) -> str:
    """How far states along a voice are from those that onnx's evaluator, in single precision, has inside silero's own model."""
    import onnx
    from onnx.reference import ReferenceEvaluator

    model = onnx.load_model(file_of(folder, *_SILERO, "silero_vad/data/silero_vad_16k_sequence.onnx"))
    (node,) = (node for node in model.graph.node if node.op_type == "LSTM")
    inside = [node.input[0], node.output[0]]  # what it hears and its states, (T, 1, 128) and (T, 1, 1, 128)
    model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in inside)
    zeros = np.zeros((1, 1, 128), dtype=np.float32)
    given = {"input": chunks(voice(0, 2.0)).astype(np.float32), "h": zeros, "c": zeros}
    with np.errstate(over="ignore"):  # the evaluator's sigmoid of what is far below zero
        heard, theirs = ReferenceEvaluator(model).run(inside, given)
    ours = gt.read(model).weights().record(heard.astype(float)).states[1:, :, 0]
    apart = np.abs(ours - theirs[:, 0]).max()
    return f"states of {len(ours)} steps: up to {np.abs(theirs).max():.3g}, {apart:.1e} from onnx's evaluator in single precision"


def file_of(folder: Path, package: str, version: str, name: str) -> Path:
    """One file of a wheel, taken out of it; the wheel is downloaded unless it is there."""
    found = wheels(folder, package, version)
    if not found:
        command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary", ":all:", "-q", "-d", str(folder)]
        subprocess.run([*command, f"{package}=={version}"], check=True)
        found = wheels(folder, package, version)
    with zipfile.ZipFile(found[0]) as wheel:
        return Path(wheel.extract(name, folder / f"{package}-{version}"))


def wheels(folder: Path, package: str, version: str) -> list[Path]:
    """The wheels of a package in the folder."""
    return [
        path for path in folder.glob("*.whl") if path.name.lower().startswith(f"{package.replace('-', '_')}-{version}-".lower())
    ]


# --- the three


def silero(folder):
    from safetensors.torch import load_file

    path = file_of(folder, *_SILERO, "silero_vad/data/silero_vad_16k.safetensors")
    tensors, weights = load_file(path), gt.read(path, batch_first=False).weights()
    inputs = np.stack([encoded(tensors, voice(seed, 6.0)) for seed in range(4)], axis=1)
    heard = np.maximum(weights.record(inputs).states[1:, :, 0], 0.0)
    raised = heard @ tensors["final_conv.weight"][0, :, 0].double().numpy() + float(tensors["final_conv.bias"])
    print(f"silero takes {100 * np.mean(raised > 0):.0f} % of the steps of the synthetic voice for speech")
    return [("silero-vad 6.2.3, MIT: LSTM of 128 units", weights, inputs, 0)]


def encoded(tensors, sound):
    """What silero's LSTM hears, (T, 128): magnitudes of a windowed Fourier transform, four convolutions, 32 ms a step."""
    x = torch.nn.functional.pad(torch.tensor(chunks(sound), dtype=torch.float32), (0, 64), mode="reflect")[:, None]
    parts = torch.nn.functional.conv1d(x, tensors["stft_conv.weight"], stride=128)
    x = torch.hypot(parts[:, :129], parts[:, 129:])
    for name, stride in (("conv1", 1), ("conv2", 2), ("conv3", 2), ("conv4", 1)):
        x = torch.nn.functional.conv1d(x, tensors[f"{name}.weight"], tensors[f"{name}.bias"], stride=stride, padding=1).relu()
    return x[..., 0].numpy()


def chunks(sound):
    """(T, 576): 512 samples a step, 32 ms, and 64 before them."""
    step, before = 512, 64
    padded = np.concatenate([np.zeros(before), sound])
    return np.array([padded[i : i + before + step] for i in range(0, len(sound) - step + 1, step)])


def resemblyzer(folder):
    weights = gt.read(file_of(folder, "Resemblyzer", "0.1.4", "resemblyzer/pretrained.pt"), batch_first=False)["lstm"]
    inputs = np.stack([mel_frames(at_loudness(voice(seed, 1.6, pauses=False), -30.0))[:160] for seed in range(4)], axis=1)
    title = "Resemblyzer 0.1.4, Apache 2.0: LSTM of 256 units, layer"
    return [(f"{title} {layer}", weights, inputs, layer) for layer in range(3)]


def mel_frames(sound):
    """Power in 40 mel channels, (T, 40): windows of 25 ms every 10 ms, triangles of unit area on Slaney's scale."""
    window, hop = 400, 160
    padded = np.pad(sound, window // 2)
    frames = np.lib.stride_tricks.sliding_window_view(padded, window)[::hop] * np.hanning(window + 1)[:-1]
    power = np.abs(np.fft.rfft(frames, axis=1)) ** 2
    corners = hertz(np.linspace(0.0, mel(_RATE / 2), 42))
    frequency = np.fft.rfftfreq(window, 1 / _RATE)
    up = (frequency - corners[:-2, None]) / np.diff(corners)[:-1, None]
    down = (corners[2:, None] - frequency) / np.diff(corners)[1:, None]
    triangles = np.maximum(0.0, np.minimum(up, down)) * (2.0 / (corners[2:] - corners[:-2]))[:, None]
    return power @ triangles.T


def mel(f):
    """Slaney's scale: linear to 1 kHz, then 27 steps to a factor of 6.4."""
    return 3 * f / 200 if f < 1000 else 15 + np.log(f / 1000) * 27 / np.log(6.4)


def hertz(m):
    """The way back."""
    return np.where(m < 15, 200 * m / 3, 1000 * np.exp((m - 15) * np.log(6.4) / 27))


def g2p(folder):
    path = file_of(folder, "g2p_en", "2.1.0", "g2p_en/checkpoint20.npz")
    names = {"weight_ih": "enc_w_ih", "weight_hh": "enc_w_hh", "bias_ih": "enc_b_ih", "bias_hh": "enc_b_hh"}
    weights = gt.read(path, names=names, kind="GRU", order="rzh", batch_first=False).weights()
    letters = np.array([[_LETTERS.index(letter) for letter in [*word, "</s>"]] for word in _WORDS])
    inputs = np.load(path)["enc_emb"][letters.T]
    return [("g2p_en 2.1.0, Apache 2.0: GRU of 256 units, encoder", weights, inputs, 0)]


# --- a synthetic voice


def voice(seed, seconds, pauses=True):
    """Something like a voice: pulses of a moving pitch through formants that go from vowel to vowel, with pauses."""
    rng = np.random.default_rng(seed)
    n = int(seconds * _RATE)
    t = np.arange(n) / _RATE
    pitch = (100 + 60 * rng.random()) * (1 + 0.15 * np.sin(2 * np.pi * 0.8 * t + 6 * rng.random()))
    source = np.diff(np.floor(np.cumsum(pitch) / _RATE), prepend=0.0) + 0.01 * rng.standard_normal(n)
    knots = np.arange(0.0, seconds + 0.2, 0.16)
    vowels = np.array(_VOWELS)[rng.integers(len(_VOWELS), size=len(knots))]
    sound = np.zeros(n)
    for k, width in enumerate((80.0, 100.0, 140.0)):
        sound += resonance(source, np.interp(t, knots, vowels[:, k]), width) / (k + 1)
    loud = np.interp(t, knots, np.where(rng.random(len(knots)) < (0.3 if pauses else 0.0), 0.0, 0.4 + 0.6 * rng.random(len(knots))))
    sound *= loud * 0.1 / np.std(sound)
    return sound + 1e-3 * rng.standard_normal(n)


def resonance(source, frequency, width):
    """A resonance of a moving frequency, step by step."""
    decay = np.exp(-np.pi * width / _RATE)
    first, out = 2 * decay * np.cos(2 * np.pi * frequency / _RATE), np.zeros(len(source) + 2)
    for i, value in enumerate(source):
        out[i + 2] = (1 - decay) * value + first[i] * out[i + 1] - decay**2 * out[i]
    return out[2:]


def at_loudness(sound, decibels):
    """Raised to a mean power, in decibels of full scale; what is louder is left."""
    return sound * max(1.0, 10 ** (decibels / 20) / np.sqrt(np.mean(sound**2)))


if __name__ == "__main__":
    main()
