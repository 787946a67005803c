"""How well departures are told from noise: false alarms on drives that never left their line, and how soon true ones are seen.

    scripts/bench_noise.py [KM [TIMES]]     kilometres a cell (500), true departures a cell (60)

Two rules judge the same fixes beside ours: one fix beyond the edge, and the best published one. Every drive comes from a
seed; the bound after a figure is the upper end of its 95 % interval, so that a short run says how little it proves.
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from checkpoint.simulator.noise import CLEAN, HELD_OUT, ISSUED, Noise
from tests.proving_ground import departure, false_alarms, made_paths, parallel, real_paths, reversal, seen

INTERVALS = (10.0, 30.0)
KINDS = ("off-loop", "wrong-way")


def main() -> int:
    """Measure and print."""
    km = float(sys.argv[1]) if len(sys.argv) > 1 else 500.0
    times = int(sys.argv[2]) if len(sys.argv) > 2 else 60
    only = sys.argv[3].split(",") if len(sys.argv) > 3 else None
    paths = real_paths() | made_paths()
    if only:
        paths = {name: path for name, path in paths.items() if name in only}
    models: dict[str, Noise] = {"exact": CLEAN} | ISSUED | HELD_OUT
    print("confirmed false findings per 100 km (in brackets: the upper 95 % bound)")
    print(
        f"{'model':18}{'path':>9}{'every':>6}{'km':>8}   {'off-loop':>14} {'wrong-way':>14}"
        f"  {'one fix':>8}{'published':>10}  others"
    )
    for model, noise in models.items():
        for every_s in INTERVALS:
            for name, path in paths.items():
                tally = false_alarms(path, noise, every_s, km, f"{model} {every_s} {name}", floor_km=min(km, 300.0))
                ours = " ".join(f"{tally.per_100_km(kind):6.3f} ({tally.at_most(kind):5.3f})" for kind in KINDS)
                floors = f"{tally.single / tally.floor_km * 100:8.2f}{tally.published / tally.floor_km * 100:10.2f}"
                others = Counter({kind: n for kind, n in tally.said.items() if kind not in KINDS})
                rest = ", ".join(f"{kind} {n}" for kind, n in others.items())
                print(f"{model:18}{name:>9}{every_s:>5.0f}s{tally.km:>8.0f}   {ours}  {floors}  {rest}", flush=True)
    print("\nseconds until confirmed (p50 / p95, and how many of how many were missed)")
    cases = (
        ("30 degrees", departure, "off-loop"),
        ("150 m beside", parallel, "off-loop"),
        ("turned round", reversal, "wrong-way"),
    )
    for what, case, kind in cases:
        for model in ("exact", "displaced", "displaced, mute"):
            for every_s in INTERVALS:
                for name, path in paths.items():
                    found = seen(case, kind, path, models[model], every_s, times, f"{what} {name}", floors=kind == "off-loop")
                    row = "   ".join(
                        f"{rule} {s.share(0.5):4.0f} /{s.share(0.95):4.0f} ({s.missed})" for rule, s in found.items() if s.after_s
                    )
                    print(f"{what:14}{model:18}{name:>9}{every_s:>5.0f}s  of {times:4}   {row}", flush=True)
    return 0


if __name__ == "__main__":
    began = time.monotonic()
    code = main()
    print(f"({time.monotonic() - began:.0f} s)")
    sys.exit(code)
