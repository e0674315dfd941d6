"""The fate of a saddle's one-dimensional manifold by scipy's integrator, for tests of connecting orbits."""

import numpy as np
from scipy.integrate import solve_ivp


def side_of_return(flow, guess, clock, branch, time, near=1e-2):
    """Side of the other manifold on which the one-dimensional one (clock -1: the stable one, backwards) leaves after its return."""
    saddle = np.array(guess, dtype=float)
    for _ in range(6):
        saddle = saddle - np.linalg.solve(flow.jacobian(saddle), flow(saddle))
    values, vectors = np.linalg.eig(flow.jacobian(saddle))
    k = int(np.argmax(clock * values.real))
    v, left = vectors[:, k].real, np.linalg.inv(vectors)[k].real
    turn = branch * np.sign(v[np.argmax(np.abs(v))])
    run = solve_ivp(lambda t, x: clock * flow(x), (0, time), saddle + 1e-6 * turn * v, rtol=1e-12, atol=1e-13, dense_output=True)
    states = run.sol(np.linspace(0, time, 6000)).T - saddle
    away = np.linalg.norm(states, axis=1)
    out = np.argmax(away > 10 * near)
    back = out + np.argmax(away[out:] < near)
    again = back + np.argmax(away[back:] > 2 * near)
    assert out < back < again
    return np.sign(states[again] @ left)
