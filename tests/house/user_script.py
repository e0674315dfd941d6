"""A user's script, read by a strict type checker (make lint): the public face has types."""

import numpy as np

import gating_theory as gt

ensemble = gt.Ensemble(gt.GRU, gain={"z": 2.0, "r": 3.0, "h": 6.0}, bias={"z": 0.5})
points: list[gt.FixedPoint] = gt.fixed_points(ensemble)
spectrum = gt.Spectrum(points[-1])
radius: float = spectrum.radius()
slow: float = spectrum.slow_fraction(100)
critical: gt.Critical = gt.onset(ensemble, "gain.h")
value: float = float(critical)
count: gt.Complexity = gt.complexity(ensemble)
rate: float = count.value
steady: gt.SteadyState = gt.steady_state(ensemble, n_units=1000, n_steps=100, rng=0)
moment: float = steady.moments["h"]
net: gt.Network = gt.Network.sample(ensemble, 100, rng=np.random.default_rng(0))
state: np.ndarray = net.run(net.random_state(rng=1), 50)
eigenvalues: np.ndarray = net.eigenvalues(state)
exponents: gt.LyapunovSpectrum = gt.lyapunov_spectrum(net, k=3, n_steps=100, rng=0)
found: gt.NetworkFixedPoints = net.find_fixed_points(16, rng=0)
law: dict[str, gt.MatrixLaw] = ensemble.matrices
path = gt.save(count, "complexity.json")
again: object = gt.load(path)
flow = gt.GRUFlow(U_h=[[3.0, -3.0], [3.0, 3.0]])
topology = flow.fixed_points().topology
