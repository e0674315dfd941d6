"""Isometries reflected so that vectors have given images: exactly there, isometries still, and of the conditioned law [T10]."""

import numpy as np
import pytest

import gating_theory as gt


def stack(n, count, rng):
    return gt.HaarStack().matrices(n, rng, count)


def test_a_haar_matrix_takes_the_message_to_the_image():
    rng = np.random.default_rng(0)
    for n in (1, 2, 3, 30):
        V = gt.Haar().matrices(n, rng, 2)
        messages, images = rng.standard_normal((2, 2, n))
        images *= gt.Haar().image_scales(messages, images)[:, None]
        gt.Haar().condition(V, messages, images, rng)
        for matrix, message, image in zip(V, messages, images):
            np.testing.assert_allclose(matrix @ message, image, rtol=0, atol=1e-13 * n)
            np.testing.assert_allclose(matrix @ matrix.T, n * np.eye(n), rtol=0, atol=1e-13 * n)


@pytest.mark.parametrize("listens", [(0, 0, 0), (0, 0, 1), (0, -1, 0)])
def test_a_stack_takes_all_messages_to_their_images(listens):
    """One message heard by all fields, two messages, and fields of which nothing is asked."""
    rng, n = np.random.default_rng(1), 20
    found = rng.standard_normal((2, n))
    messages = np.array([found[i] if i >= 0 else np.zeros(n) for i in listens])
    images = 4.0 * rng.standard_normal((3, n))
    if listens == (0, 0, 0):
        images *= gt.HaarStack().image_scales(messages, images)[:, None]
    else:
        images *= 0.8 * np.sqrt(n) * np.linalg.norm(found[0]) / np.linalg.norm(images)
    V = stack(n, 3, rng)
    gt.HaarStack().condition(V, messages, images, rng)
    flat = V.reshape(-1, n)
    np.testing.assert_allclose(flat.T @ flat, 3 * n * np.eye(n), rtol=0, atol=1e-12 * n)
    for k, i in enumerate(listens):
        if i >= 0:
            np.testing.assert_allclose(V[k] @ messages[k], images[k], rtol=0, atol=1e-12)


@pytest.mark.parametrize("listens", [(0, 0), (0, 1), (0, -1)])
def test_conditioned_on_what_another_stack_does_it_is_again_a_stack(listens):
    """Images that a first Haar stack gives, taken over by a second: what is free must again be distributed as in a Haar stack.

    Held against fresh stacks by means of products of entries, even ones, as free parts depend on given ones through squares only.
    """
    rng, n, count = np.random.default_rng(2), 4, 4000
    a, b = rng.standard_normal((2, n))
    b += a  # messages that are not orthogonal
    messages = np.array([(a, b, 0 * a)[i] for i in listens])

    def statistics(V):
        # products of both messages' images in both blocks, and their squares: all order parameters of two vectors
        p = np.array([[V[0] @ a @ (V[0] @ b), V[1] @ a @ (V[1] @ b)], [V[0] @ a @ (V[0] @ a), V[1] @ b @ (V[1] @ b)]]).ravel() / n
        q = np.array([V[0] @ a @ (V[1] @ a), V[0] @ b @ (V[1] @ b)]) / n
        return np.concatenate([p, p**2, q**2, [p[0] * p[2], p[1] * p[3], V[1][0, 0] ** 4 / n**2]])

    fresh, conditioned = [], []
    for _ in range(count):
        first, second = stack(n, 2, rng), stack(n, 2, rng)
        gt.HaarStack().condition(second, messages, np.einsum("bij,bj->bi", first, messages), rng)
        fresh.append(statistics(stack(n, 2, rng)))
        conditioned.append(statistics(second))
    fresh, conditioned = np.array(fresh), np.array(conditioned)
    error = np.sqrt((fresh.var(axis=0) + conditioned.var(axis=0)) / count)
    # 13 differences of means, five standard errors each
    assert (np.abs(fresh.mean(axis=0) - conditioned.mean(axis=0)) < 5 * error).all()


def test_what_a_stack_cannot_do_is_said():
    rng = np.random.default_rng(3)
    three = rng.standard_normal((3, 10))
    with pytest.raises(gt.CapabilityError, match="not on 3 of them"):
        gt.HaarStack().condition(stack(10, 3, rng), three, three, rng)
    with pytest.raises(ValueError, match="n_units is too small: the fields drawn are longer"):
        gt.HaarStack().condition(stack(10, 2, rng), three[:2], 100.0 * three[:2], rng)
    with pytest.raises(ValueError, match="n_units = 3 is too small"):
        gt.HaarStack().condition(stack(3, 2, rng), three[:2, :3], three[:2, :3], rng)
