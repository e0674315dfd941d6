"""Other ways to what theory says along paths of sites, sharing no code with it: Gaussian vectors written out, sampled matrices."""

import numpy as np

import gating_theory as gt


def random_sites(cell, rng, count, steps):
    """Sites of a cell for each of several steps, with weights of their own."""
    weights, gain = rng.dirichlet(np.ones(count)), rng.uniform(0.2, 2.0, cell.n_fields)
    return [
        gt.Sites(
            cell,
            weights,
            rng.standard_normal((cell.n_state, count)),
            rng.standard_normal((cell.n_fields, count)),
            0.5 * rng.standard_normal((cell.n_parameters, count)),
            gain=gain,
            matrices="iid",
        )
        for _ in range(steps)
    ]


def derivatives(sites):
    """Dense F_s, F_y, M_s, M_y (.., .., M) at sites, a row of M for each field."""
    cell = sites.cell
    blocks = cell.compiled.blocks(sites.state, sites.fields, sites.parameters)
    d, K = cell.n_state, cell.n_fields
    out = {}
    for name, shape in {"F_s": (d, d), "F_y": (d, K), "M_s": (K, d), "M_y": (K, K)}.items():
        out[name] = np.zeros((*shape, sites.size))
        for at, value in blocks[name].items():
            out[name][at] = value
    return out


def by_vectors(steps):
    """(T + 1, d): perturbations of a site as coefficients on independent normals, fields by Gram and Schmidt, twice."""
    cell, weights = steps[0].cell, steps[0].weights
    d, K, T, M = cell.n_state, cell.n_fields, len(steps), steps[0].size
    columns = d + K * T
    state = np.zeros((d, M, columns))
    state[range(d), :, range(d)] = 1.0
    known = [[] for _ in range(cell.n_messages)]
    squares = [np.ones(d)]
    for t, sites in enumerate(steps):
        at = derivatives(sites)
        fields, shares = np.zeros((K, M, columns)), {}
        for k, message in enumerate(cell.message_of):
            if message not in shares:
                vector = np.einsum("im,imc->mc", at["M_s"][k], state) + np.einsum("im,imc->mc", at["M_y"][k], fields)
                left = (np.sqrt(weights)[:, None] * vector).ravel()
                share = np.zeros(t + 1)
                for _ in range(2):
                    for s, direction in enumerate(known[message]):
                        part = direction @ left
                        share[s] += part
                        left = left - part * direction
                share[t] = np.linalg.norm(left)
                known[message].append(left / share[t] if share[t] > 0.0 else left)
                shares[message] = share
            fields[k, :, d + k * T : d + k * T + t + 1] = sites.gain[k] * shares[message]
        state = np.einsum("abm,bmc->amc", at["F_s"], state) + np.einsum("akm,kmc->amc", at["F_y"], fields)
        squares.append(np.einsum("amc,amc,m->a", state, state, weights))
    return np.array(squares)


def sampled_product(steps, n, rng, tied=True):
    """The product of Jacobians of a network of n units: each unit goes along the path of one site, in proportion to the weights."""
    cell, first = steps[0].cell, steps[0]
    d, K = cell.n_state, cell.n_fields
    counts = np.floor(n * first.weights + 0.5).astype(int)
    counts[0] += n - counts.sum()
    where = np.repeat(np.arange(first.size), counts)
    draw = lambda: rng.standard_normal((K, n, n)) * (first.gain / np.sqrt(n))[:, None, None]  # noqa: E731
    U, product = draw(), np.eye(d * n)
    for sites in steps:
        at = {name: block[..., where] for name, block in derivatives(sites).items()}
        parts, fields = product.reshape(d, n, d * n), np.zeros((K, n, d * n))
        for k in range(K):
            message = np.einsum("in,inc->nc", at["M_s"][k], parts) + np.einsum("kn,knc->nc", at["M_y"][k], fields)
            fields[k] = U[k] @ message
        product = (np.einsum("abn,bnc->anc", at["F_s"], parts) + np.einsum("akn,knc->anc", at["F_y"], fields)).reshape(d * n, d * n)
        U = U if tied else draw()
    return product
