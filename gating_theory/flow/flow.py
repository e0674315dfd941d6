"""The continuous-time limit of a small gated network: ds/dt = F(s, y(s)) - s."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..cell.cell import Cell
from ..errors import CapabilityError
from ..results.display import brief, rounded, same
from ..results.encoding import decode, encode, require, result
from ..support.arithmetic import underflow_is_zero
from ..support.available_memory import require_memory
from ..support.checks import boolean, instance, integer, real, real_array, shown
from ..support.types import Rng
from .given import by_name, field_sites, field_stack, fitted_input
from .input import Noise, Periodic, Piecewise
from .limits import LONGEST_STEP
from .line import Line, Path, path_between, place_of, resolved
from .program.compiled import compiled_flow
from .program.tape import heard_variables
from .proof.enclosure import map_enclosure

if TYPE_CHECKING:
    from scipy.optimize import OptimizeResult

    from ..networks.network import Network
    from .proof.fixed_points import FlowFixedPoints

__all__ = ["Flow", "GRUFlow", "box_limits", "require_fixed"]

#: Units beyond which straight-line code takes minutes to compile.
_MOST_UNITS = 12

#: Where in its cell a grid line of nullclines lies: not in the middle, so that none is at 0, where symmetric flows have nullclines.
_OFF_CENTRE = 0.4837

#: Sides of a box that are narrower have no width but that of rounding errors.
_NO_WIDTH = 1e-9

#: Largest gate-free residual of a saved fixed point.
_FIXED = 1e-8


@result("flow.Flow", fields=("cell", "matrices", "bias", "parameters", "input"))
class Flow:
    """ds/dt = F(s, y(s)) - s of N units of any cell: the rate form of a gated network, for small N [JSP].

    Fields are those of the network, ``y_k = U_k m_k(s, y_1..y_{k-1}) + b_k``, the right side is the change of a state in one step.
    For the GRU this is dh/dt = (1 - z) (tanh(U_h (r h) + b_h) - h). One forward Euler step of size 1 is the network's own step:
    flow and map have the same fixed points, but not the same stability (:meth:`euler`, :meth:`map_jacobian`).

    Parameters
    ----------
    cell : Cell
    matrices : (K, N, N) array, or mapping from names of fields to (N, N) arrays
        Fields left out of a mapping have zero matrices. N up to 12.
    bias : (K, N) array, or mapping from names of fields to (N,) arrays, optional
        Default 0.
    parameters : (P, N) array, or mapping from names to (N,) arrays, optional
        Site parameters of the cell. Default 0.
    input : (K, N) array, mapping from names of fields to (N,) arrays, Piecewise, Periodic or Noise, optional
        What is added to the fields beside the biases. A constant one is as good as a bias everywhere. One that changes in time is
        followed by trajectories (:meth:`integrate`, :meth:`euler`), ``stroboscopic`` and ``periodic_response``; whatever needs a
        flow that does not change raises CapabilityError, and takes :meth:`at_time`.

    Attributes
    ----------
    cell : Cell
    n_units : int, N
    dim : int, d N
        Dimension of a state of the flow.
    matrices, bias, parameters : read-only arrays of the shapes above
    input : read-only (K, N) array, Piecewise, Periodic, Noise, or None

    Raises
    ------
    TypeError, ValueError
        wrong types or shapes, values that are not finite, unknown names
    CapabilityError
        more than 12 units, or a cell with functions other than tanh, sigma, exp, max(0, .) and rational ones

    See Also
    --------
    gating_theory.GRUFlow : The same from weights of a GRU by name.
    gating_theory.Network : Networks of any size, in discrete time.

    Notes
    -----
    States are flat arrays (..., dim), state variable after state variable (LSTM: all h, then all c), in any number of leading axes.
    Time is in units of one step of the network. Flows are immutable: :meth:`replace` makes another one.

    Examples
    --------
    >>> import gating_theory as gt
    >>> flow = gt.flow.Flow(gt.Vanilla, {"h": [[2, 0], [0, 0.5]]})
    >>> flow([0.1, 0.1]).round(4)
    array([ 0.0974, -0.05  ])
    >>> [point.label for point in flow.fixed_points()]
    ['sink (node)', 'saddle', 'sink (node)']
    """

    def __init__(
        self,
        cell: Cell,
        matrices: npt.ArrayLike | Mapping[str, npt.ArrayLike],
        bias: npt.ArrayLike | Mapping[str, npt.ArrayLike] | None = None,
        parameters: npt.ArrayLike | Mapping[str, npt.ArrayLike] | None = None,
        input: npt.ArrayLike | Mapping[str, npt.ArrayLike] | Piecewise | Periodic | Noise | None = None,
    ) -> None:
        instance("cell", cell, Cell)
        weights = field_stack("matrices", matrices, cell.field_names, 2)
        n = weights.shape[-1] if weights.ndim else 0
        if weights.shape != (cell.n_fields, n, n) or n == 0:
            raise ValueError(
                f"matrices must have shape ({cell.n_fields}, N, N), one for each of the fields {list(cell.field_names)} of cell "
                f"{cell.name!r}; got shape {weights.shape}"
            )
        if n > _MOST_UNITS:
            raise CapabilityError(f"matrices have N = {n} units; a Flow takes up to {_MOST_UNITS} (use Network for more)")
        shifts = field_sites("bias", bias, cell.field_names, n)
        constants = field_sites("parameters", parameters, cell.parameter_names, n)
        self._cell, self._n = cell, n
        self._set(np.concatenate([weights.ravel(), shifts.ravel(), constants.ravel()]), fitted_input(input, cell, n))
        self._compiled = compiled_flow(cell, n)

    def _set(self, flat, input):
        K, n = self._cell.n_fields, self._n
        flat.flags.writeable = False
        self._flat, self._input, self._driven = flat, input, flat
        if isinstance(input, np.ndarray):
            input.flags.writeable = False
            self._driven = self.flat_with_input(input.ravel())
        weights, fields = K * n * n, K * n * (n + 1)
        self._matrices, self._bias = flat[:weights].reshape(K, n, n), flat[weights:fields].reshape(K, n)
        self._parameters = flat[fields:].reshape(self._cell.n_parameters, n)

    @classmethod
    def from_network(cls, net: Network) -> Flow:
        """The flow of a Network; its frozen input is added to the biases.

        Parameters
        ----------
        net : Network
            A single one, not a batch, of at most 12 units.

        Raises
        ------
        TypeError, CapabilityError
            no Network, a batch, too many units

        Examples
        --------
        >>> import gating_theory as gt
        >>> net = gt.Network.sample(
        ...     gt.Ensemble(gt.GRU, gain={"h": 6}), n_units=3, rng=0
        ... )
        >>> flow = gt.flow.Flow.from_network(net)
        >>> len(flow.fixed_points())
        3
        """
        from ..networks.network import Network

        instance("net", net, Network)
        if net.batch is not None:
            raise CapabilityError(f"net must be a single network, got a batch of {net.batch}")
        return Flow(net.cell, net.matrices, net.biases + net.input, net.parameters)

    @classmethod
    def from_torch(cls, module: Any, layer: int = 0, direction: str = "forward") -> Flow:
        """The flow of one layer of a PyTorch GRU, LSTM or RNN at zero input; its Euler map of step 1 is the module's own step.

        Parameters
        ----------
        module : nn.GRU, nn.LSTM, nn.RNN or their cells, or a module that contains exactly one
        layer : int >= 0
        direction : "forward" or "reverse"

        Raises
        ------
        ImportError
            PyTorch is not installed
        TypeError, ValueError
            as ``interop.torch.from_module``
        CapabilityError
            too many units

        Examples
        --------
        >>> import gating_theory as gt
        >>> import torch
        >>> flow = gt.flow.Flow.from_torch(torch.nn.GRU(input_size=1, hidden_size=2))
        >>> flow.cell.name, flow.n_units
        ('GRUResetAfter', 2)
        """
        from ..interop.torch import from_module

        return Flow.from_network(from_module(module, layer, direction))

    @classmethod
    def from_dict(cls, description: Mapping[str, Any], cell: Cell | None = None) -> Flow:
        """A flow from a description such as ``{"cell": "GRU", "U_h": [[3, -3], [3, 3]], "b_h": [0, 0.1]}``.

        Parameters
        ----------
        description : mapping
            "cell": name of a cell (default "GRU"); U_FIELD: (N, N) matrices, b_FIELD: (N,) biases, site parameters by name.
            "input": as for the constructor, or as :meth:`as_dict` gives it. What is left out is 0; plain numbers for N = 1.
        cell : Cell, optional
            Built-in cells are found by name; pass your own.

        Raises
        ------
        TypeError, ValueError
            unknown entries, wrong shapes, values that are not finite

        Examples
        --------
        >>> import gating_theory as gt
        >>> flow = gt.flow.Flow.from_dict(
        ...     {"cell": "GRU", "U_h": [[3, -3], [3, 3]], "b_h": [0, 0.1]}
        ... )
        >>> flow.parameter("b_h[1]")
        0.1
        """
        from ..cell.builtin import named

        instance("description", description, Mapping)
        if cell is not None:
            instance("cell", cell, Cell)
        values = {k: v for k, v in description.items() if k != "kind"}
        cell = named(values.pop("cell", "GRU" if cell is None else cell.name), cell)
        input = values.pop("input", None)
        if isinstance(input, Mapping) and any(str(key).startswith("$") for key in input):
            input = decode(dict(input))
        matrices, bias, parameters = by_name(cell, values)
        return Flow(cell, matrices, bias, parameters, input)

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready, all parameters by name, read back by :meth:`from_dict`."""
        out = {"kind": "flow", "cell": self._cell.name}
        for prefix, names, values in (
            ("U_", self._cell.field_names, self._matrices),
            ("b_", self._cell.field_names, self._bias),
            ("", self._cell.parameter_names, self._parameters),
        ):
            out |= {f"{prefix}{name}": value.tolist() for name, value in zip(names, values)}
        if self._input is not None:
            out["input"] = self._input.tolist() if isinstance(self._input, np.ndarray) else encode(self._input)
        return out

    # --- what it is

    @property
    def cell(self) -> Cell:
        """The Cell."""
        return self._cell

    @property
    def n_units(self) -> int:
        """N, the number of units."""
        return self._n

    @property
    def dim(self) -> int:
        """d N, the dimension of a state."""
        return self._cell.n_state * self._n

    @property
    def matrices(self) -> np.ndarray:
        """(K, N, N) array, read-only."""
        return self._matrices

    @property
    def bias(self) -> np.ndarray:
        """(K, N) array, read-only."""
        return self._bias

    @property
    def parameters(self) -> np.ndarray:
        """(P, N) array of site parameters, read-only."""
        return self._parameters

    @property
    def input(self) -> np.ndarray | Piecewise | Periodic | Noise | None:
        """What is added to the fields beside the biases: a read-only (K, N) array, an input that changes in time, or None."""
        return self._input

    @property
    def flat(self) -> np.ndarray:
        """All parameters as one read-only array, as compiled code takes them: matrices, biases and constant input, site parameters.

        CapabilityError where the input changes in time: whatever reads this array takes the flow for one that does not.
        """
        if self.changes:
            raise CapabilityError(
                f"the flow's input changes in time ({self._input!r}): use flow.at_time(t), where it is frozen; trajectories "
                "(integrate, euler), and for a periodic one stroboscopic and periodic_response, take it as it is"
            )
        return self._driven

    @property
    def changes(self) -> bool:
        """Whether the input changes in time."""
        return isinstance(self._input, (Piecewise, Periodic, Noise))

    def with_input(self, input: npt.ArrayLike | Mapping[str, npt.ArrayLike] | Piecewise | Periodic | Noise | None) -> Flow:
        """A Flow that differs in its input, which is given as to the constructor.

        Parameters
        ----------
        input : array, mapping, Piecewise, Periodic, Noise or None

        Returns
        -------
        Flow

        Raises
        ------
        TypeError, ValueError
            wrong types or shapes

        Examples
        --------
        >>> import gating_theory as gt
        >>> flow = gt.GRUFlow(U_h=[[3, 0], [0, 3]])
        >>> flow.with_input({"h": [1, 0]}).fixed_points().topology.words
        '2 sinks, 1 saddle'
        """
        return self._like(self._flat.copy(), fitted_input(input, self._cell, self._n))

    def at_time(self, time: float) -> Flow:
        """The Flow with the input frozen as it is at a time.

        Parameters
        ----------
        time : float

        Returns
        -------
        Flow, with a constant input

        Raises
        ------
        CapabilityError
            the input is Noise, which has no value before it is drawn (``Noise.sample``)

        Examples
        --------
        >>> import gating_theory as gt
        >>> flow = gt.GRUFlow(U_h=3, input=gt.flow.Periodic(4.0, cosines={"h": [2.0]}))
        >>> len(flow.at_time(0.0).fixed_points()), len(flow.at_time(1.0).fixed_points())
        (1, 3)
        """
        time = real("time", time)
        if isinstance(self._input, Noise):
            raise CapabilityError("Noise has no value at a time before it is drawn: use flow.with_input(flow.input.sample(...))")
        return self._like(self._flat.copy(), self._input(time)) if isinstance(self._input, (Piecewise, Periodic)) else self

    def flat_with_input(self, values: float | np.ndarray) -> np.ndarray:
        """(P,) read-only array: the flow's own parameters, with an input ``values`` (K N,) added to the biases.

        Parameters
        ----------
        values : float or (K N,) array
            What is added to the biases, field after field.

        Returns
        -------
        (P,) array, read-only
        """
        K, n = self._cell.n_fields, self._n
        flat = self._flat.copy()
        flat[K * n * n : K * n * (n + 1)] += values
        flat.flags.writeable = False
        return flat

    def _like(self, flat, input):
        other = object.__new__(type(self))
        other._cell, other._n, other._compiled = self._cell, self._n, self._compiled
        other._set(flat, input)
        return other

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Flow):
            return NotImplemented
        alike = self._cell == other._cell and self._n == other._n and bool(np.array_equal(self._flat, other._flat))
        return alike and same(self._input, other._input)

    def __hash__(self) -> int:
        driven = self._input.tobytes() if isinstance(self._input, np.ndarray) else repr(self._input)
        return hash((self._cell, self._n, self._flat.tobytes(), driven))

    def __reduce__(self):
        return Flow, (self._cell, np.array(self._matrices), np.array(self._bias), np.array(self._parameters), self._input)

    def __repr__(self) -> str:
        return brief("Flow", self._in_words(lambda value: rounded(value.tolist(), 4)))

    def __str__(self) -> str:
        return f"Flow({self._in_words(lambda value: value.tolist())})"

    def _in_words(self, written):
        parts = []
        if self._input is not None:
            parts.append(f"input={written(self._input) if isinstance(self._input, np.ndarray) else repr(self._input)}")
        for names, values, prefix in (
            (self._cell.field_names, self._matrices, "U_"),
            (self._cell.field_names, self._bias, "b_"),
            (self._cell.parameter_names, self._parameters, ""),
        ):
            parts += [f"{prefix}{name}={written(value)}" for name, value in zip(names, values) if value.any()]
        return f"{self._cell.name}, {self._n} unit{'s' if self._n > 1 else ''}{''.join(', ' + p for p in parts)}"

    # --- parameters by name

    def along(self, path: str | Mapping[str, float] | Flow | Line) -> Path:
        """A path through the parameters, as continuation and maps of parameters take it.

        Parameters
        ----------
        path : str, mapping, Flow or Line
            "U_h[0,1]", "b_h[1]", a site parameter "b_in[0]": one entry, indices from 0. "gain.h": a common factor of U_h, 1 here;
            "gain": of all matrices. "b_z[0]=b_z[1]", "b_h[0]=-b_h[1]": entries with one value. ``{"b_h[0]": 1, "b_h[1]": -0.5}``:
            entries that change at these rates, from 0 here. Another Flow: from 0 here to 1 there. A Line that passes here.

        Returns
        -------
        str or Line
            One entry by its name, everything else as a Line.

        Raises
        ------
        TypeError, ValueError
            no such path, a matrix that is zero, entries that are not equal, a line that does not pass here

        Examples
        --------
        >>> import gating_theory as gt
        >>> flow = gt.GRUFlow(U_h=[[3, -3], [3, 3]])
        >>> flow.along("b_h[0]")
        'b_h[0]'
        >>> flow.along("gain.h").name
        'gain.h'
        """
        return self._along("path", path)

    def _along(self, argument, path):
        if isinstance(path, Flow):
            if path._cell != self._cell or path._n != self._n:
                raise ValueError(f"{argument} must lead to a flow of the same cell and size, got {shown(path)}")
            if not same(self._input, path._input):
                raise ValueError(f"{argument} must lead to a flow with the same input, got {shown(path)}")
            return path_between(self._flat, path._flat)
        return resolved(argument, self._cell, self._n, self._flat, path)

    def rates(self, path: str | Line) -> np.ndarray:
        """(P,) array: how the flat parameters change per unit of a path, as for :meth:`along`.

        Parameters
        ----------
        path : str or Line
            As for :meth:`along`.

        Returns
        -------
        (P,) array
        """
        path = self.along(path)
        return path.direction if isinstance(path, Line) else np.eye(1, self._flat.size, self._place(path))[0]

    def _place(self, path):
        return place_of("path", self._cell, self._n, path)

    def parameter(self, path: str | Line) -> float:
        """The value of one entry, by a path such as ``"U_h[0,1]"``, ``"b_h[1]"`` or, for site parameters, ``"b_in[0]"``.

        Parameters
        ----------
        path : str or Line
            As for :meth:`along`: of a common factor 1, of a Line where it passes this flow.

        Returns
        -------
        float

        Raises
        ------
        TypeError, ValueError
            no such entry, a line that does not pass here

        Examples
        --------
        >>> import gating_theory as gt
        >>> gt.GRUFlow(U_h=[[3, -3], [3, 3]]).parameter("U_h[0,1]")
        -3.0
        """
        path = self.along(path)
        return path.value(self._flat) if isinstance(path, Line) else float(self._flat[self._place(path)])

    def replace(self, path: str | Line, value: float) -> Flow:
        """A Flow that differs in one entry, or along a line; ``path`` as for :meth:`along`, ``value`` a finite number.

        Parameters
        ----------
        path : str or Line
            As for :meth:`along`.
        value : float, a finite number

        Returns
        -------
        Flow

        Raises
        ------
        TypeError, ValueError
            no such entry, a line that does not pass here, a value that is not a finite number

        Examples
        --------
        >>> import gating_theory as gt
        >>> flow = gt.GRUFlow(U_h=[[3, 0], [0, 3]])
        >>> len(flow.fixed_points()), len(flow.replace("gain.h", 0.5).fixed_points())
        (9, 1)
        """
        return self.with_parameters({self._along("path", path): real(f"value of {path}", value)})

    def with_parameters(self, values: Mapping[str | Line, float]) -> Flow:
        """A Flow that differs in several entries.

        Parameters
        ----------
        values : mapping from paths, as for :meth:`along`, to finite numbers
            Paths that change the same entry are refused.

        Returns
        -------
        Flow

        Raises
        ------
        TypeError, ValueError
            no such entry, one that changes twice, a value that is not a finite number

        Examples
        --------
        >>> import gating_theory as gt
        >>> flow = gt.GRUFlow(U_h=[[3, 0], [0, 3]]).with_parameters(
        ...     {"b_h[0]": 2.0, "b_h[1]": -2.0}
        ... )
        >>> flow.bias[2]
        array([ 2., -2.])
        """
        instance("values", values, Mapping, "from paths to numbers")
        flat = self._flat.copy()
        changed: set[int] = set()
        for given, number in values.items():
            path, value = self._along("values", given), real(f"values: {given}", number)
            places = {self._place(path)} if isinstance(path, str) else set(path.places.tolist())
            if changed & places:
                raise ValueError(f"values change an entry of {path} twice: {[str(p) for p in values]}")
            changed |= places
            if isinstance(path, Line):
                flat = path.moved(flat, value)
            else:
                flat[places.pop()] = value
        return self._like(flat, self._input)

    # --- the vector field

    def _points(self, name, state):
        state = real_array(name, state)
        if state.ndim == 0 or state.shape[-1] != self.dim:
            raise ValueError(f"{name} must have shape (..., {self.dim}), got {state.shape}")
        return np.ascontiguousarray(state).reshape(-1, self.dim), state.shape[:-1]

    @underflow_is_zero
    def __call__(self, state: npt.ArrayLike, time: float | None = None) -> np.ndarray:
        """The vector field F(s, y(s)) - s.

        Parameters
        ----------
        state : (..., dim) array
        time : float, optional
            Of an input that changes; without one nothing depends on it.

        Returns
        -------
        (..., dim) array, per unit time. Where an update gate is shut its factor keeps full relative accuracy.
        """
        points, lead = self._points("state", state)
        out = np.empty(points.shape)
        self._compiled.field(points, self._flat_at(time), out)
        return out.reshape(*lead, self.dim)

    @underflow_is_zero
    def jacobian(self, state: npt.ArrayLike, time: float | None = None) -> np.ndarray:
        """The derivative of the vector field, exact [T2].

        Parameters
        ----------
        state : (..., dim) array
        time : float, optional
            Of an input that changes.

        Returns
        -------
        (..., dim, dim) array

        Examples
        --------
        >>> import gating_theory as gt
        >>> flow = gt.GRUFlow(U_h=[[3, -3], [3, 3]])
        >>> flow.jacobian([0, 0])
        array([[ 0.25, -0.75],
               [ 0.75,  0.25]])
        """
        points, lead = self._points("state", state)
        out = np.empty((len(points), self.dim**2))
        self._compiled.jacobian(points, self._flat_at(time), out)
        return out.reshape(*lead, self.dim, self.dim)

    def _flat_at(self, time):
        return self.flat if time is None else self.at_time(time).flat

    @underflow_is_zero
    def residual(self, state: npt.ArrayLike) -> np.ndarray:
        """The gate-free residual s*(y(s)) - s: zero exactly at fixed points, without the factor 1 - z of the vector field [T2].

        Parameters
        ----------
        state : (..., dim) array

        Returns
        -------
        (..., dim) array

        Raises
        ------
        CapabilityError
            the cell has no closed-form fixed point of a site

        Examples
        --------
        >>> import gating_theory as gt
        >>> shut = gt.GRUFlow(U_h=3, b_z=20)
        >>> shut([0.5]).round(6), shut.residual([0.5]).round(6)
        (array([0.]), array([0.135149]))
        """
        self._require_closed_form("a gate-free residual")
        points, lead = self._points("state", state)
        n = self._n
        heard = np.ascontiguousarray(points.reshape(-1, self._cell.n_state, n)[:, self._heard]).reshape(len(points), -1)
        out = np.empty(points.shape)
        self._compiled.fixed_state(heard, self.flat, out)
        return (out - points).reshape(*lead, self.dim)

    @property
    def _heard(self):
        """State variables that messages listen to: the unknowns of the gate-free residual."""
        return heard_variables(self._cell)

    def _require_closed_form(self, what):
        if not self._cell.has_closed_form:
            raise CapabilityError(
                f"cell {self._cell.name!r} has no closed-form fixed point of a site: {what} needs one; pass fixed_point= to Cell"
            )

    # --- fixed points

    @property
    def bounds(self) -> np.ndarray:
        """(dim, 2) array: a box that contains all fixed points; for cells with one state variable a trajectory in it stays in it.

        For the GRU [-1, 1] in every variable, up to rounding outwards. CapabilityError where states are not bounded, and where
        :meth:`fixed_points` would raise it.
        """
        enclosure = map_enclosure(self._cell, self._n)
        box = enclosure.box(self.flat, "iv")
        bounds = enclosure.state_box(self.flat, box, "iv")
        bounds[enclosure.places] = box
        return bounds

    def fixed_points(self, grade: str = "validated", *, max_boxes: int | None = None, min_width: float = 1e-9) -> FlowFixedPoints:
        """All fixed points, each enclosed, proved unique and typed: Krawczyk's operator with branch and prune [JSP].

        Works on the gate-free residual s*(y(x)) - x over a box that contains all fixed points, x being the state variables that
        messages listen to (GRU, LSTM: h): up to 3 unknowns, so up to 3 units. Boxes that cannot be decided are reported.

        Parameters
        ----------
        grade : "validated" or "certified"
            "validated": compiled, milliseconds; rounding errors are bounded, exp and tanh taken to be good to 1.2e-15. "certified":
            rigorous, by python-flint (``pip install 'gating-theory[certify]'``) or, slower, mpmath; 10 ms to seconds.
        max_boxes : int >= 1, optional
            Boxes to look at before giving up; default 1e6 validated, 2e4 certified.
        min_width : float in [1e-13, 1e-2]
            Boxes narrower than this are not cut any more but reported as undecided: fixed points closer to each other, or to a
            bifurcation, are not told apart.

        Returns
        -------
        FlowFixedPoints
            A sequence of points with ``.topology``, ``.undecided``, ``.complete`` and ``.status``.

        Raises
        ------
        CapabilityError
            more than 3 unknowns, no closed-form fixed point of a site, states that are not bounded
        ValueError
            arguments out of range

        Examples
        --------
        >>> import gating_theory as gt
        >>> found = gt.GRUFlow(U_h=3).fixed_points()
        >>> found.complete, [point.label for point in found]
        (True, ['sink (node)', 'source (node)', 'sink (node)'])
        >>> found.states[[0, 2], 0].round(4)
        array([-0.8586,  0.8586])
        """
        from .proof.fixed_points import find_all

        return find_all(self, grade, max_boxes, min_width)

    @underflow_is_zero
    def nullclines(self, n: int = 400, box: npt.ArrayLike | None = None) -> list[list[np.ndarray]]:
        """Curves on which one component of the vector field of a two-dimensional flow vanishes; they cross at the fixed points.

        For cells with one state variable the gate-free residual is followed, which a shut gate cannot flatten.

        Parameters
        ----------
        n : int >= 10, grid points along each axis of the area, and 1 % beyond
        box : (low, high) or two such pairs, optional
            The area looked at. Default: ``bounds``; a side without width, along a variable that nothing drives, has that of the
            other.

        Returns
        -------
        list of two lists of (m, 2) arrays
            Curves of zero speed of the first and of the second variable, by linear interpolation.

        Raises
        ------
        CapabilityError
            dim is not 2
        TypeError, ValueError
            n too small, a box of another shape

        Examples
        --------
        >>> import gating_theory as gt
        >>> first, second = gt.GRUFlow(U_h=[[3, -3], [3, 3]]).nullclines()
        >>> len(first), len(second)
        (1, 1)
        """
        from contourpy import contour_generator

        if self.dim != 2:
            raise CapabilityError(f"nullclines are curves of two-dimensional flows; this one has dim {self.dim}")
        n = integer("n", n, low=10)
        require_memory(f"a grid of n = {n} points along each axis", 8.0 * 8 * float(n) ** 2)
        # a little beyond, for nullclines along the faces; no grid line through 0, where symmetric flows have theirs
        axes = [low + (high - low) * (-0.01 + 1.02 * (np.arange(n) + _OFF_CENTRE) / n) for low, high in box_limits(self, box)]
        x, y = np.meshgrid(*axes)
        values = (self.residual if self._cell.n_state == 1 else self)(np.stack([x, y], axis=-1))
        curves: Any = [contour_generator(x=axes[0], y=axes[1], z=values[..., i]).lines(0.0) for i in range(2)]
        return curves

    # --- the map

    def euler(
        self,
        state: npt.ArrayLike,
        step: float = 1.0,
        n_steps: int = 1,
        *,
        trajectory: bool = False,
        start: float = 0.0,
        rng: Rng = None,
    ) -> np.ndarray:
        """Forward Euler steps s -> s + step f(s); with ``step`` 1 those of the network itself.

        An input that changes is that of the time at which a step begins: ``start + n step``. Noise is exact in law there.

        Parameters
        ----------
        state : (..., dim) array
        step : float > 0
        n_steps : int >= 0
        trajectory : bool
            Return all states, the initial one first, rather than the last.
        start : float
            The time of the first step.
        rng : numpy Generator, int or None
            For an input that is Noise; all states of ``state`` have the same.

        Returns
        -------
        (..., dim) array
            With ``trajectory`` a leading axis of length n_steps + 1.

        Examples
        --------
        >>> import gating_theory as gt
        >>> flow = gt.GRUFlow(U_h=[[3, -3], [3, 3]])
        >>> flow.euler([0.1, 0.2]).round(4)
        array([-0.0244,  0.3109])
        >>> flow.euler([0.1, 0.2], step=0.1, n_steps=10).round(4)
        array([-0.0661,  0.2733])
        """
        from .orbits.driven import euler

        points, lead = self._points("state", state)
        states = euler(self, points, step, n_steps, boolean("trajectory", trajectory), start, rng)
        states = states.reshape(len(states), *lead, self.dim)
        return states if trajectory else states[0]

    def map_jacobian(self, state: npt.ArrayLike, step: float = 1.0, time: float | None = None) -> np.ndarray:
        """The derivative of one Euler step, 1 + step J: (..., dim, dim).

        Parameters
        ----------
        state : (..., dim) array
        step : float > 0
        time : float, optional
            Of an input that changes.

        Examples
        --------
        >>> import gating_theory as gt
        >>> import numpy as np
        >>> flow = gt.GRUFlow(U_h=[[1.5, -2.598], [2.598, 1.5]])
        >>> np.linalg.eigvals(flow.jacobian([0, 0])).real.round(3)
        array([-0.125, -0.125])
        >>> abs(np.linalg.eigvals(flow.map_jacobian([0, 0]))).round(3)
        array([1.09, 1.09])
        """
        step = real("step", step, low=0.0, high=LONGEST_STEP, open_low=True)
        return np.eye(self.dim) + step * self.jacobian(state, time)

    # --- integration

    @underflow_is_zero
    def integrate(
        self,
        state: npt.ArrayLike,
        t: npt.ArrayLike,
        *,
        events: Callable[[float, np.ndarray], float] | Sequence[Callable[[float, np.ndarray], float]] | None = None,
        rtol: float = 1e-10,
        atol: float = 1e-12,
        method: str = "DOP853",
        dense_output: bool = False,
        rng: Rng = None,
        noise_step: float | None = None,
    ) -> OptimizeResult:
        """A trajectory of the flow, by scipy's ``solve_ivp``.

        Parameters
        ----------
        state : (dim,) array
        t : float or increasing array
            A number: from 0 to t, at the solver's own steps; negative t runs backwards. An array: solution at these times,
            starting from ``state`` at the first.
        events : callable(t, state) or list of them, optional
            As in solve_ivp, with its attributes ``terminal`` and ``direction``.
        rtol, atol : float > 0, tolerances of one step
        method : str, a method of solve_ivp
        dense_output : bool
        rng : numpy Generator, int or None
            For an input that is Noise.
        noise_step : float > 0, optional
            Steps at which noise is drawn (``Noise.sample``); default a twentieth of its correlation time. The trajectory is off by
            the first power of it, and solves its own course of the noise, ``.input``, to the tolerances.

        Returns
        -------
        OptimizeResult
            scipy's result: ``.t`` (T,), ``.y`` (dim, T), ``.t_events``, ``.y_events``, ``.sol``; and ``.input``, that of the flow
            or its course of the noise. Where a piecewise input changes the solver starts anew.

        Raises
        ------
        TypeError, ValueError
            wrong shapes, times that do not increase
        ConvergenceError
            the solver fails; ``estimate`` is its result so far

        Examples
        --------
        >>> import gating_theory as gt
        >>> run = gt.GRUFlow(U_h=3).integrate([0.1], [0, 1, 10, 100])
        >>> run.y[0].round(4)
        array([0.1   , 0.1275, 0.6365, 0.8586])
        """
        from .orbits.driven import integrate

        options: dict[str, Any] = {"events": events, "rtol": rtol, "atol": atol, "method": method, "dense_output": dense_output}
        return integrate(self, state, t, rng=rng, noise_step=noise_step, **options)


def require_fixed(flow: Flow, state: np.ndarray) -> None:
    """ValueError unless ``state`` is a fixed point of ``flow``: the check of results that hold one."""
    worst = float(np.abs(flow.residual(state) if flow.cell.has_closed_form else flow(state)).max())
    require(worst < _FIXED, f"{np.asarray(state).tolist()} is no fixed point of {flow!r}: residual {worst:.3g}")


# a GRUFlow is a Flow that is made in another way: it comes back as a Flow
@result("flow.Flow")
class GRUFlow(Flow):
    """dh/dt = (1 - z) (tanh(U_h (r h) + b_h) - h), z = sigma(U_z h + b_z), r = sigma(U_r h + b_r) [JSP].

    Everything else is that of :class:`Flow`.

    Parameters
    ----------
    U_z, U_r, U_h : (N, N) arrays, optional
        Missing ones are zero; plain numbers for N = 1.
    b_z, b_r, b_h : (N,) arrays, optional
    input : as for Flow, optional

    Raises
    ------
    TypeError, ValueError
        nothing given, shapes that do not fit together, values that are not finite

    See Also
    --------
    gating_theory.flow.Flow : Flows of any cell.
    gating_theory.flow.topology_catalogue : Two-unit ones of all known kinds.

    Examples
    --------
    >>> import gating_theory as gt
    >>> flow = gt.GRUFlow(U_h=[[3, 0], [0, 3]])
    >>> flow([0.1, 0.2]).round(4)
    array([0.0244, 0.0457])
    >>> print(flow.fixed_points().topology.words)
    4 sinks, 1 source, 4 saddles
    """

    def __init__(
        self,
        U_z: npt.ArrayLike | None = None,
        U_r: npt.ArrayLike | None = None,
        U_h: npt.ArrayLike | None = None,
        b_z: npt.ArrayLike | None = None,
        b_r: npt.ArrayLike | None = None,
        b_h: npt.ArrayLike | None = None,
        input: npt.ArrayLike | Mapping[str, npt.ArrayLike] | Piecewise | Periodic | Noise | None = None,
    ) -> None:
        from ..cell.builtin import GRU

        given = {"U_z": U_z, "U_r": U_r, "U_h": U_h, "b_z": b_z, "b_r": b_r, "b_h": b_h}
        given = {name: value for name, value in given.items() if value is not None}
        if not given:
            raise ValueError("GRUFlow needs at least one of U_z, U_r, U_h, b_z, b_r, b_h")
        matrices, bias, parameters = by_name(GRU, given)
        super().__init__(GRU, matrices, bias, parameters, input)


def box_limits(flow: Flow, box: npt.ArrayLike | None) -> np.ndarray:
    """(dim, 2) array of limits: those given, or by default the flow's ``bounds``, with some width on each side.

    A variable that nothing drives has bounds without width; it gets that of the widest side, or 2 where none has any.

    Parameters
    ----------
    flow : Flow
    box : (low, high), or one such pair for each coordinate, or None

    Raises
    ------
    TypeError, ValueError
        another shape, low not below high
    """
    if box is None:
        return _with_width(np.array(flow.bounds, dtype=float))
    limits = real_array("box", box)
    if limits.shape == (2,):
        limits = np.tile(limits, (flow.dim, 1))
    if limits.shape != (flow.dim, 2) or not (limits[:, 0] < limits[:, 1]).all():
        raise ValueError(f"box must be (low, high) or one such pair for each of the {flow.dim} coordinates, got {limits.tolist()}")
    return limits


def _with_width(limits):
    width = np.diff(limits, axis=1)[:, 0]
    narrow = width < _NO_WIDTH
    if narrow.any():
        half = 1.0 if narrow.all() else 0.5 * width.max()
        centre = limits[narrow].mean(axis=1)
        limits[narrow] = np.stack([centre - half, centre + half], axis=1)
    return limits
