"""What a file, a module or a dict holds of recurrent layers, listed before any of it is read.

A reader (see ``readers``) finds the recurrent modules of a source and what can be said of them by names and shapes; weights are
checked and converted for the module that is asked for, so that a fault of one does not hide the others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from ..results.display import brief_at_prompts
from ..support.checks import choice, shown, texts
from .layers import RecurrentLayer, RecurrentWeights
from .layouts import layout_of
from .stacks import Stack

__all__ = ["Asked", "Contents", "Found", "one_meant"]


@dataclass(frozen=True)
class Asked:
    """What users say of a source, because it does not say so itself, or to refuse anything else.

    Attributes
    ----------
    kind : str or None, "GRU", "LSTM", "RNN" or any kind of layer (``layouts.LAYOUTS``): anything else is refused
    nonlinearity : "tanh", "relu" or None, of an RNN whose source does not say
    batch_first : bool or None, whether input sequences come as (B, T, I); None: what the source says
    names : dict or None, {name of an array here: name in the source}, of arrays by names of their own
    order : str or None, the gates of such arrays in their order, a letter each: "zrh", "ifgo"
    transposed : bool, whether such matrices act from the right: (I, G H) and (H, G H)
    """

    kind: str | None = None
    nonlinearity: str | None = None
    batch_first: bool | None = None
    names: Mapping[str, str] | None = None
    order: str | None = None
    transposed: bool = False

    def __post_init__(self) -> None:
        if self.kind is not None:
            layout_of(self.kind)
        if self.nonlinearity is not None:
            choice("nonlinearity", self.nonlinearity, ("tanh", "relu"))
        if self.batch_first is not None and not isinstance(self.batch_first, bool):
            raise TypeError(f"batch_first must be True, False or None, got {shown(self.batch_first)}")
        if not isinstance(self.transposed, bool):
            raise TypeError(f"transposed must be True or False, got {shown(self.transposed)}")
        if self.order is not None and not (isinstance(self.order, str) and self.order.isalpha()):
            raise TypeError(f"order must be a text of the letters of gates such as 'zrh', got {shown(self.order)}")
        if self.names is not None and not isinstance(self.names, Mapping):
            raise TypeError(f"names must be a dict of names, got {shown(self.names)}")
        if self.names is not None and not all(isinstance(text, str) for pair in self.names.items() for text in pair):
            raise TypeError(f"names must be a dict of texts, got {shown(self.names)}")
        if self.names is None and (self.order is not None or self.transposed):
            raise ValueError("order and transposed are of arrays that names= names: give it as well")


@brief_at_prompts
@dataclass(frozen=True)
class Found:
    """One recurrent module of a source, by its names and shapes.

    Attributes
    ----------
    kind : str, of its layers, or words for what it is where that cannot be said
    n_layers : int
    directions : tuple of str, "forward", "reverse"
    input_size, n_units : int, I and H; 0 where they cannot be said
    load : callable without arguments, gives the RecurrentWeights; ValueError for what is wrong with them
    problem : str, why it cannot be read; "" where nothing is known against it
    note : str, what was assumed where the source does not say; "" where it says all
    """

    kind: str
    n_layers: int
    directions: tuple[str, ...]
    input_size: int
    n_units: int
    load: Callable[[], RecurrentWeights] = field(repr=False)
    problem: str = ""
    note: str = ""

    def __str__(self) -> str:
        if not (self.n_units and self.input_size):  # the sizes of what cannot be read are not always known
            return f"{self.kind}: {self.problem}"
        ways = " and ".join(self.directions)
        layers = f"{self.n_layers} layer" + ("s" if self.n_layers != 1 else "")
        text = f"{self.kind}, {layers}, {ways}, {self.input_size} inputs, {self.n_units} units"
        if self.note:
            text += f" ({self.note})"
        return f"{text}: {self.problem}" if self.problem else text


@brief_at_prompts
@dataclass(frozen=True, eq=False)
class Contents:
    """What a source holds of recurrent layers: printed as a list, indexed by the names of modules, ``layer`` gives one layer.

    Made by :func:`gating_theory.read`.

    Attributes
    ----------
    source : str, the name of the file, or what kind of object it was
    format : str, in words: "PyTorch state dict", "Keras model", ...
    modules : dict, {name: Found}, in the order of the source; the name is "" where a source holds one module without a name
    embeddings : dict, {name: (V, I)} of tables that look like embeddings of tokens
    hint : str, what the source holds instead where there are no modules

    See Also
    --------
    gating_theory.read : Makes one.

    Examples
    --------
    >>> import gating_theory as gt
    >>> import numpy as np
    >>> found = gt.read(
    ...     {"rnn.weight_ih_l0": np.ones((8, 3)), "rnn.weight_hh_l0": np.eye(8)},
    ...     nonlinearity="tanh",
    ... )
    >>> found.names
    ('rnn',)
    >>> found.layer(0).network.n_units
    8
    """

    source: str
    format: str
    modules: Mapping[str, Found]
    embeddings: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    hint: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the modules."""
        return tuple(self.modules)

    def weights(self, prefix: str | None = None) -> RecurrentWeights:
        """The weights of one module, all its layers and directions.

        Parameters
        ----------
        prefix : str, optional
            Its name, or the last parts of it where one name alone ends so. Needed where there are several.

        Raises
        ------
        TypeError, ValueError
            no such module, none at all, or several; what is wrong with its weights

        Examples
        --------
        >>> import gating_theory as gt
        >>> import numpy as np
        >>> found = gt.read(
        ...     {
        ...         "decoder.weight_ih_l0": np.ones((24, 3)),
        ...         "decoder.weight_hh_l0": np.zeros((24, 8)),
        ...     }
        ... )
        >>> found.weights("decoder").kind
        'GRU'
        """
        if not self.modules:
            hint = f": {self.hint}" if self.hint else ""
            raise ValueError(f"{self.source} ({self.format}) holds no recurrent weights{hint}")
        if prefix is None:
            if len(self.modules) > 1:
                raise ValueError(f"{self.source} holds several recurrent modules, choose one with prefix=: {sorted(self.modules)}")
        name = next(iter(self.modules)) if prefix is None else one_meant(prefix, self.modules)
        if name is None:
            raise ValueError(
                f"prefix must name one of the recurrent modules {sorted(self.modules)} of {self.source}, got {shown(prefix)}"
            )
        found = self.modules[name]
        if found.problem:
            raise ValueError(f"{self.source}: {name or found.kind}: {found.problem}")
        with np.errstate(invalid="ignore"):  # signalling NaN become float64; whoever checks the numbers refuses them
            weights = found.load()
        fitting = {table: shape for table, shape in self.embeddings.items() if shape[1] == weights.input_size}
        return replace(weights, embeddings=fitting) if fitting else weights

    def layer(self, layer: int = 0, direction: str = "forward", *, prefix: str | None = None) -> RecurrentLayer:
        """One layer and direction: its ``network``, how an input drives it, ``record``.

        Parameters
        ----------
        layer : int >= 0
        direction : "forward" or "reverse"
        prefix : str, optional, as for :meth:`weights`

        Examples
        --------
        >>> import gating_theory as gt
        >>> import numpy as np
        >>> found = gt.read(
        ...     {"weight_ih_l0": np.ones((24, 3)), "weight_hh_l0": np.zeros((24, 8))}
        ... )
        >>> layer = found.layer(0)
        >>> layer.cell.name, layer.input_size, layer.network.n_units
        ('GRUResetAfter', 3, 8)
        """
        return self.weights(prefix).layer(layer, direction)

    def stack(self, *prefixes: str) -> Stack:
        """The layers of one module, or of several on top of each other, as one system: its steps, its Jacobian, recordings.

        Parameters
        ----------
        prefixes : str
            Names of modules from the one that hears the input upwards, as for :meth:`weights`; none for the only one. The source
            does not always say that one feeds the next: nothing but dropout may lie between them.

        Returns
        -------
        Stack

        Raises
        ------
        TypeError, ValueError
            as :meth:`weights`; modules that do not fit on each other
        CapabilityError
            a module that runs both ways
        """
        stacks = [self.weights(prefix).stack() for prefix in texts("prefixes", prefixes)] or [self.weights().stack()]
        layers = tuple(layer for stack in stacks for layer in stack.layers)
        return replace(stacks[0], layers=layers, source=self.source)

    def _ipython_key_completions_(self) -> list[str]:
        return list(self.modules)

    def __getitem__(self, prefix: str) -> RecurrentWeights:
        return self.weights(prefix)

    def __iter__(self) -> Iterator[str]:
        return iter(self.modules)

    def __len__(self) -> int:
        return len(self.modules)

    def __str__(self) -> str:
        nothing = "no recurrent modules" + (f"; {self.hint}" if self.hint else "")
        head = f"{self.source}, {self.format}: " + ("" if self.modules else nothing)
        lines = [f"  {name or '(no name)'}: {found}" for name, found in self.modules.items()]
        lines += [f"  {name}: looks like an embedding of {v} tokens in {i} inputs" for name, (v, i) in self.embeddings.items()]
        return "\n".join([head.rstrip(), *lines])


def one_meant(prefix: str, names: Mapping[str, object]) -> str | None:
    """The one of the dotted ``names`` that ``prefix`` is, or the only one that ends so; None where there is none.

    Parameters
    ----------
    prefix : str
    names : mapping whose keys are names with dots, or with slashes, between their parts
    """
    if not isinstance(prefix, str):
        raise TypeError(f"prefix must be a string, got {type(prefix).__name__}")
    wanted = prefix.rstrip("./")
    if wanted in names:
        return wanted
    endings = [name for name in names if name.endswith(("." + wanted, "/" + wanted))]
    return endings[0] if len(endings) == 1 else None
