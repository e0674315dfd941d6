"""Laws of the recurrent matrices: what is drawn, and which equations of the theory hold for it [T1].

U_k = a_k V_k / sqrt(N): an ensemble holds the gain a_k, its law draws V_k, whose entries have mean square 1, so that
a_k^2 = (1/N) tr U_k U_k^T for every law. A calculator asks the law before it answers: a law that does not say that the
calculator's equations hold for it gets a CapabilityError, never an answer for another ensemble.

To add a law, write a frozen dataclass with a ``name`` and ``draw``::

    @dataclass(frozen=True)
    class RandomSigns(MatrixLaw):
        name = "signs"
        holds = LIMIT                           # entries are iid, and the limit N -> infinity does not see their law

        def draw(self, n, rng, count=1):
            return rng.choice([-1.0, 1.0], size=(count, n, n))

Everything that it does not say, it does not do.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from itertools import repeat
from typing import Any, ClassVar

import numpy as np

from ..errors import CapabilityError
from ..results.encoding import FAMILIES, register
from ..support.available_memory import require_memory
from ..support.checks import instance, integer, shown
from .implicit import ImplicitMatrices

__all__ = [
    "FACTS",
    "IID",
    "LIMIT",
    "LawError",
    "MatrixLaw",
    "Unknown",
    "by_law",
    "field_laws",
    "law_from_dict",
    "law_of",
    "require",
]

#: What a calculator may need of a law.
FACTS = {
    "mean field": "fields that are independent Gaussians of variance a^2 E m^2 at a fixed point [T5]",
    "dynamics": "fields that are Gaussian processes without a response term [T5]",
    "edge": "the edge of the spectrum where the spectral radius of T(lambda) is 1 [T3]",
    "resolvent": "the self-consistent equations of the resolvent [T4]",
    "singular values": "the self-consistent equations of singular values [T9]",
    "gradients": "the growth of gradients through tied weights [T9]",
    "outliers": "the outliers of matrices conditioned on a fixed point [T4]",
    "finite size": "what the edge, counts and determinants of N normal units differ by from their limits [T12]",
    "complexity": "the complexity functional with the law's gains, and images Gaussian or of exact length [T7, T10]",
    "kac-rice": "the Kac-Rice integral of normal matrices at finite N [T7]",
    "conditioning": "matrices that can be conditioned on a fixed point [T4]",
    "implicit": "matrices that act on vectors without being formed [T5]",
}
#: The facts of the limit: what holds for every law with iid entries of finite fourth moment.
LIMIT = frozenset({"mean field", "dynamics", "edge", "resolvent", "singular values", "gradients", "outliers", "complexity"})

_LAWS: dict[str, type[MatrixLaw]] = {}
#: The complex step of slopes: far below rounding, as nothing is subtracted.
_STEP = 1e-30
#: Nodes and weights on (0, 1) by which penalties are integrated: dense towards 1, where log A may be singular.
_X, _W = np.polynomial.legendre.leggauss(48)
_NODES, _WEIGHTS = 1.0 - (0.5 * (1.0 + _X)) ** 4, 2.0 * (0.5 * (1.0 + _X)) ** 3 * _W
# a law is saved under the kind "law.<its name>"
FAMILIES["law"] = "matrix law"


class LawError(CapabilityError):
    """A calculator was asked about matrices of a law for which its equations are not known to hold."""


class MatrixLaw(ABC):
    """What a calculator may ask of the law of a field's matrix [T1]. Give ``name`` and ``draw``; the rest says no by itself.

    Attributes
    ----------
    name : str
        Of the law, in descriptions and saved results.
    holds : frozenset of str
        The facts that hold for the law, keys of ``FACTS``. None unless said.
    together : bool
        Whether the matrices of a network's fields of this law are drawn together, and so depend on one another.
    isometric : bool
        Whether ``|U m| = a |m|`` holds exactly, so that images are uniform on spheres; of matrices drawn together, of all images
        together [T10].
    acting : type or None
        Of the matrices of one message that act without being formed, where those of different messages are independent.

    Examples
    --------
    A law of one's own, with entries 1 and -1: a name, and how it is drawn. Networks need no more; calculators ask for facts, and
    refuse a law that does not hold them.

    >>> from dataclasses import dataclass
    >>> import numpy as np
    >>> import gating_theory as gt
    >>> @dataclass(frozen=True)
    ... class PlusMinus(gt.MatrixLaw):
    ...     name = "plus or minus"
    ...     def draw(self, n, rng=None, count=1):
    ...         return np.random.default_rng(rng).choice([-1.0, 1.0], (count, n, n))
    >>> ens = gt.Ensemble(gt.Vanilla, gain=3, matrices=PlusMinus())
    >>> U = gt.Network.sample(ens, 100, rng=0).matrices[0]
    >>> print(abs(U).max().round(4))  # 3 / sqrt(100)
    0.3
    """

    name: ClassVar[str]
    holds: ClassVar[frozenset[str]] = frozenset()
    together: ClassVar[bool] = False
    acting: ClassVar[type[ImplicitMatrices] | None] = None
    isometric: ClassVar[bool] = False

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        holds = vars(cls).get("holds", frozenset())
        if not isinstance(holds, (set, frozenset, property)):
            raise TypeError(f"{cls.__name__}.holds must be a frozenset of facts, got {shown(holds)}; known are {list(FACTS)}")
        wrong = set() if isinstance(holds, property) else holds - set(FACTS)
        if wrong:
            raise ValueError(f"{cls.__name__}.holds names the unknown facts {sorted(wrong)}; known are {list(FACTS)}")
        if "name" in vars(cls):
            register(f"law.{cls.name}", cls)
            _LAWS[cls.name] = cls

    @abstractmethod
    def draw(self, n: int, rng: np.random.Generator, count: int = 1) -> np.ndarray:
        """Matrices V of fields of one network, with entries of mean square 1 [T1].

        Parameters
        ----------
        n : int, N
        rng : numpy Generator
        count : int
            How many fields have this law: their matrices are independent, unless the law draws those of a network together.

        Returns
        -------
        (count, n, n) array
        """

    def matrices(self, n: int, rng: np.random.Generator, count: int = 1) -> np.ndarray:
        """What :meth:`draw` gives, checked: TypeError for anything but a (count, n, n) array. Arguments as in :meth:`draw`.

        That entries have mean square 1 is the law's word: it is not checked.
        """
        n, count = integer("n", n, low=1), integer("count", count)
        instance("rng", rng, np.random.Generator)
        require_memory(f"{count} matrices of n = {n} units", 8.0 * count * n**2)
        drawn = self.draw(n, rng, count)
        if np.shape(drawn) != (count, n, n):
            raise TypeError(f"the law {self!r} must draw an array of shape {(count, n, n)}, got shape {np.shape(drawn)}")
        return drawn

    # --- the self-consistent equations [T10]: what they know of the law, at the share s of a solution that a field has

    def log_gain(self, s: np.ndarray, count: int = 1) -> np.ndarray:
        """log A(s) / a^2 [T10], zero at s = 0. Of iid entries, unless said: they see the gain a^2 itself whatever the share.

        A(s) = 1 / ((1 - s) S(-s)) with S the S-transform of the law of U U^T. Give a function that is analytic in s, written with
        numpy: it is also called with complex numbers, for its slope.

        Parameters
        ----------
        s : array of numbers in [0, 1)
        count : int, how many fields are drawn together (1 of laws that are not)
        """
        return np.zeros_like(s)

    def log_gain_slope(self, s: np.ndarray, count: int = 1) -> np.ndarray:
        """Derivative by s of :meth:`log_gain`, by a complex step unless given.

        Parameters
        ----------
        s : array of numbers in [0, 1)
        count : int, how many fields are drawn together
        """
        return np.asarray(self.log_gain(np.asarray(s) + 1j * _STEP, count)).imag / _STEP

    def penalty(self, s: np.ndarray, count: int = 1) -> np.ndarray:
        """Psi(s), of which dPsi = s dlog(s A(s)) and Psi(0) = 0 [T10]: by quadrature of log A unless given.

        Parameters
        ----------
        s : array of numbers in [0, 1)
        count : int, how many fields are drawn together
        """
        s = np.asarray(s, dtype=float)
        area = (self.log_gain(s[..., None] * _NODES, count) * s[..., None]) @ _WEIGHTS
        return s * (1.0 + self.log_gain(s, count)) - area

    def truncation(self, count: int = 1) -> float | None:
        """t where A(s) = a^2 / (1 - t s), as of N x N blocks of a Haar matrix of N / t units (0: iid, 1: Haar); else None [T10].

        Parameters
        ----------
        count : int, how many fields are drawn together
        """
        return 0.0 if type(self).log_gain is MatrixLaw.log_gain else None

    def inverse_square(self, count: int = 1) -> float:
        """a^2 (1/N) tr (U U^T)^{-1} [T10]: holes of the spectrum are there where it is finite.

        Parameters
        ----------
        count : int, how many fields are drawn together
        """
        return np.inf

    def mean_log(self, count: int = 1) -> float:
        """``(1/N) log|det U / a|`` [T10], the potential in holes. -inf unless said; asked of laws with finite ``inverse_square``.

        Parameters
        ----------
        count : int, how many fields are drawn together
        """
        return -np.inf

    # --- networks

    def image_scales(self, messages: np.ndarray, images: np.ndarray) -> np.ndarray | None:
        """Factors by which images are to be stretched for V_b m_b = x_b to be possible at all; None, as unless said: any length is.

        Matrices that keep lengths, orthogonal ones say, take a message only to images as long as it is.

        Parameters
        ----------
        messages : (B, n) array, m_b, none of which vanishes
        images : (B, n) array, x_b, of matrices as drawn; B fields as in :meth:`condition`

        Returns
        -------
        (B,) array of positive factors, or None
        """
        return None

    def condition(self, matrices: np.ndarray, messages: np.ndarray, images: np.ndarray, rng: np.random.Generator) -> None:
        """Turn drawn matrices into ones conditioned on V_b m_b = x_b, in place; for laws that hold "conditioning" [T4].

        Parameters
        ----------
        matrices : (B, n, n) array
            As drawn, or all of them times one number. Independent networks or fields; of a law that draws the fields of a network
            together, all its fields.
        messages : (B, n) array, m_b
            None of them vanishes, but for laws that draw fields together: nothing is asked of the fields whose message does.
        images : (B, n) array, x_b, of lengths that are possible (:meth:`image_scales`)
        rng : numpy Generator, for what the drawn matrices do not settle
        """
        raise NotImplementedError(f"{self!r} says nothing of conditioned matrices")

    def implicit(
        self,
        n: int,
        gains: np.ndarray,
        listeners: Sequence[Sequence[int]],
        capacity: int,
        rng: np.random.Generator,
        dtype: type,
    ) -> Sequence[Any]:
        """The matrices of one network that act on vectors without ever being formed; for laws that hold "implicit" [T5].

        Parameters
        ----------
        n : int, N
        gains : (F,) array, of all F fields of the law
        listeners : for each message that one of them hears, which of the fields listen to it
        capacity : int, how many independent vectors of each message there is room for
        rng : numpy Generator
        dtype : float64 or float32, of what is stored

        Returns
        -------
        list
            For each message ImplicitMatrices that give the images of its listeners, or an object with the same ``products``,
            ``coordinates``, ``images``, ``apply``, ``length``, ``live`` and ``size``.
        """
        return [self._acting(n, gains[fields], capacity, rng, dtype) for fields in listeners]

    def implicit_bytes(self, n: int, gains: np.ndarray, listeners: Sequence[Sequence[int]], capacity: int, dtype: type) -> int:
        """Bytes that :meth:`implicit` takes. Arguments as in :meth:`implicit`."""
        return sum(self._acting.bytes_needed(n, gains[fields], capacity, dtype) for fields in listeners)

    @property
    def _acting(self):
        if self.acting is None:
            raise NotImplementedError(f"{self!r} says nothing of implicit matrices")
        return self.acting

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready: the name and the parameters of the law."""
        return {"law": self.name, **{f.name: getattr(self, f.name) for f in fields(self)}}  # type: ignore[arg-type]


@dataclass(frozen=True)
class IID(MatrixLaw):
    """Entries iid normal, of variance a_k^2 / N [T1]: the law of the papers, and the only one for which everything is served.

    Examples
    --------
    It is the law that ensembles have unless another one is given:

    >>> import gating_theory as gt
    >>> gt.Ensemble(gt.GRU, gain=2, matrices=gt.IID()) == gt.Ensemble(gt.GRU, gain=2)
    True
    >>> U = gt.Network.sample(gt.Ensemble(gt.Vanilla, gain=2), 400, rng=0).matrices[0]
    >>> print(U.std().round(2))  # 2 / sqrt(400)
    0.1
    """

    name = "iid"
    holds = frozenset(FACTS)
    acting = ImplicitMatrices  # one fresh Gaussian vector for each new direction, exact in law at finite N [T5]

    def draw(self, n: int, rng: np.random.Generator, count: int = 1) -> np.ndarray:
        """(count, n, n) standard normal numbers. Arguments as in MatrixLaw.draw."""
        return rng.standard_normal((count, n, n))

    def condition(self, matrices: np.ndarray, messages: np.ndarray, images: np.ndarray, rng: np.random.Generator) -> None:
        """``U = U0 - (U0 m - x) m^T / |m|^2``, in place [T4]. Arguments as in MatrixLaw.condition."""
        for matrix, message, image in zip(matrices, messages, images):
            matrix -= np.outer((matrix @ message - image) / float(message @ message), message)


@dataclass(frozen=True)
class Unknown(MatrixLaw):
    """Matrices that were given, not drawn: trained weights, say. No fact is known to hold for them.

    Theory at their sites assumes a law, which is named: ``Spectrum.from_sites(sites, matrices="iid")``,
    ``ensemble.with_matrices("iid")``.
    """

    name = "unknown"

    def draw(self, n: int, rng: np.random.Generator, count: int = 1) -> np.ndarray:
        """CapabilityError: nothing is known of how they were drawn. Arguments as in MatrixLaw.draw."""
        raise LawError(
            "matrices that were given, of law Unknown(), cannot be drawn: say which law you assume, "
            'as in ensemble.with_matrices("iid")'
        )


def field_laws(matrices: Any, names: tuple[str, ...]) -> dict[str, MatrixLaw]:
    """{field: law} from what ``Ensemble(matrices=)`` takes: a name, a law, or a mapping from field names to either (others: iid).

    Raises
    ------
    TypeError, ValueError
        neither a name nor a law, unknown names
    """
    if isinstance(matrices, Mapping):
        unknown = [key for key in matrices if key not in names]
        if unknown:
            raise ValueError(f"matrices has the unknown name {shown(unknown[0])}; allowed are {list(names)}")
        return {name: law_of(f"matrices[{name!r}]", matrices.get(name, "iid")) for name in names}
    return dict.fromkeys(names, law_of("matrices", matrices))


def by_law(laws: Iterable[MatrixLaw]) -> dict[MatrixLaw, list[int]]:
    """{law: positions of the fields that have it}, of the laws of all fields in their order: what is drawn together.

    Parameters
    ----------
    laws : iterable of MatrixLaw
    """
    fields: dict[MatrixLaw, list[int]] = {}
    for position, law in enumerate(laws):
        fields.setdefault(law, []).append(position)
    return fields


def law_of(argument: str, value: Any) -> MatrixLaw:
    """The law that an argument gives: a law, or the name of one; TypeError, ValueError for anything else.

    Parameters
    ----------
    argument : str, what the caller calls it
    value : MatrixLaw, str, or a description by :meth:`MatrixLaw.as_dict`
    """
    if isinstance(value, MatrixLaw):
        if not _is_frozen(type(value)):
            raise TypeError(f"{argument}: the law {type(value).__name__} must be a frozen dataclass: @dataclass(frozen=True)")
        return value
    named = [name for name, cls in _LAWS.items() if _is_frozen(cls) and not fields(cls)]  # type: ignore[arg-type]
    if isinstance(value, str):
        if value not in named:
            raise ValueError(f"{argument} must be a law or one of the names {named}, got {shown(value)}")
        return _LAWS[value]()
    if isinstance(value, Mapping) and "law" in value:
        return law_from_dict(value)
    raise TypeError(
        f"{argument} must be a law such as gt.IID(), one of the names {named}, or a mapping from fields, got {shown(value)}"
    )


def _is_frozen(cls):
    # asked when a law is used: a decorator comes after the class is made
    return is_dataclass(cls) and cls.__dataclass_params__.frozen


def law_from_dict(description: Mapping[str, Any]) -> MatrixLaw:
    """The law of a ``description`` by :meth:`MatrixLaw.as_dict`; ValueError for one that is not defined in this process."""
    values = dict(description)
    name = values.pop("law", None)
    if name not in _LAWS:
        raise ValueError(f"matrix law {name!r} is not defined here ({', '.join(_LAWS)} are): import the module that defines it")
    return _LAWS[name](**values)


def require(laws: Mapping[str, MatrixLaw], fact: str, calculator: str, instead: str, gains: Iterable[float] | None = None) -> None:
    """LawError unless a fact holds for the laws of all these fields.

    Parameters
    ----------
    laws : mapping from field names to laws, of the fields that have a matrix
    fact : str, a key of ``FACTS``
    calculator : str, who asks
    instead : str, what can be used
    gains : their gains, optional: nothing is asked of the matrices that these leave out
    """
    for (name, law), gain in zip(laws.items(), repeat(1.0) if gains is None else gains):
        if not gain > 0.0:
            continue
        if fact not in law.holds:
            assume = ', or say which law you assume: ensemble.with_matrices("iid")' if isinstance(law, Unknown) else ""
            raise LawError(
                f"{calculator} needs {FACTS[fact]}; the matrix of field {name!r} has the law {law!r}, for which that is not "
                f"known to hold: use {instead}{assume}"
            )
