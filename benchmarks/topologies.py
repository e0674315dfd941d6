"""How many topologies of two-unit GRUs the search finds by itself: ``python benchmarks/topologies.py --seeds 1 2 3``.

Prints what each seed found and its CPU time. With ``--certify`` every example is counted again in rigorous arithmetic, and with
``--new`` parameter sets of triples that the package's catalogue lacks are printed, simplified.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = "1"  # read by BLAS when numpy is imported

from gating_theory.flow import search_topologies, simplify, topology_catalogue  # noqa: E402


def main(argv=None):
    """Print the numbers; return the exit code: 1 where a seed found fewer than ``--least`` triples or a certificate disagrees."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--generations", type=int, default=80, help="default 80")
    parser.add_argument("--population", type=int, default=1000, help="networks a generation (default 1000)")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3], help="default 1 2 3")
    parser.add_argument("--least", type=int, default=25, help="triples that every seed has to find (default 25)")
    parser.add_argument("--certify", action="store_true", help="count the fixed points of every example in rigorous arithmetic")
    parser.add_argument("--new", action="store_true", help="print simplified parameter sets of triples not in the catalogue")
    options = parser.parse_args(argv)
    known, failed = topology_catalogue(), False
    for seed in options.seeds:
        start = time.process_time()
        found = search_topologies(options.generations, options.population, rng=seed)
        print(f"seed {seed}: {found.status}; {time.process_time() - start:.0f} s of CPU time")
        print("  " + " ".join(str(tuple(t)) for t in found.examples), flush=True)
        failed |= len(found) < options.least
        for triple, flow in found.examples.items():
            if options.certify:
                certified = flow.fixed_points("certified", max_boxes=200_000)
                if not certified.complete or certified.topology != triple:
                    print(f"  {tuple(triple)}: {certified.status}")
                    failed = True
            if options.new and triple not in known:
                print("  " + json.dumps({"topology": list(triple), **simplify(flow).as_dict()}))
                known[triple] = flow
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
