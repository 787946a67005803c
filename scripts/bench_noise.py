"""How well departures are told from noise: false alarms on drives that never left their line, and how soon true ones are seen.

Two rules judge the same fixes beside ours: one fix beyond the edge, and the best published one. Every drive comes from a
seed; the bound after a figure is the upper end of its 95 % interval, so that a short run says how little it proves:
20,000 km without a false alarm prove at most 0.015 per 100 km. `--km 5000 --times 100` is the long run (an hour or so).
"""

from __future__ import annotations

import argparse
import sys
import time
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from checkpoint.core import geo
from checkpoint.simulator.noise import AT_REST, CLEAN, HELD_OUT, ISSUED, Noise
from tests.proving_ground import (
    Tally,
    at_rest,
    departure,
    false_alarms,
    in_a_tunnel,
    made_paths,
    parallel,
    real_paths,
    reversal,
    reversal_past_a_station,
    seen,
)

MODELS: dict[str, Noise] = {"exact": CLEAN} | ISSUED | HELD_OUT
SEEN_THROUGH = ("exact", "displaced", "displaced, mute", "stop and go")
SEEN_AFTER_A_TUNNEL = (*SEEN_THROUGH, "tunnels, cold", "cold, long, mute")
INTERVALS = (10.0, 30.0)
KINDS = ("off-loop", "wrong-way")
CASES = (
    ("30 degrees", departure, "off-loop"),
    ("150 m beside", parallel, "off-loop"),
    ("turned round", reversal, "wrong-way"),
    ("past a station", reversal_past_a_station, "wrong-way"),
    ("in a tunnel", in_a_tunnel(partial(departure, on_m=9_000.0)), "off-loop"),
    ("beside, tunnel", in_a_tunnel(partial(parallel, length=9_000.0)), "off-loop"),
)


def false_rows(paths: dict[str, geo.Path], models: list[str], km: float) -> None:
    """A row for each model, interval and path."""
    print("confirmed false findings per 100 km (in brackets: the upper 95 % bound)")
    print(
        f"{'model':18}{'path':>9}{'every':>6}{'km':>8}   {'off-loop':>14} {'wrong-way':>14}{'one fix':>10}{'published':>10}  more"
    )
    for model in models:
        for every_s in INTERVALS:
            whole = Tally()
            for name, path in paths.items():
                tally = false_alarms(path, MODELS[model], every_s, km, f"{model} {every_s} {name}", floor_km=min(km, 1_000.0))
                print(f"{model:18}{name:>9}{every_s:>5.0f}s{_counted(tally)}", flush=True)
                whole.add(tally)
            print(f"{model:18}{'all':>9}{every_s:>5.0f}s{_counted(whole)}", flush=True)
    print("\na truck at rest: false findings and visits ended in 1,000 hours, the phone sure of another place every two hours")
    for every_s in INTERVALS:
        told = at_rest(AT_REST, every_s, km, f"rest {every_s}")
        print(f"{every_s:>5.0f}s  {', '.join(f'{kind} {n / km * 1000:.1f}' for kind, n in told.items()) or 'none'}", flush=True)


def _counted(tally: Tally) -> str:
    ours = " ".join(f"{tally.per_100_km(kind):6.3f} ({tally.at_most(kind):5.3f})" for kind in KINDS)
    floors = f"{tally.single / tally.floor_km * 100:10.2f}{tally.published / tally.floor_km * 100:10.2f}"
    others = ", ".join(f"{kind} {n}" for kind, n in tally.said.items() if kind not in KINDS)
    return f"{tally.km:>8.0f}   {ours}{floors}  {others}"


def seen_rows(paths: dict[str, geo.Path], times: int, cases: list[str]) -> None:
    """A row for each kind of departure, model, interval and path."""
    print("\nseconds until confirmed: p50 / p95 (missed)")
    for what, case, kind in CASES:
        if what not in cases:
            continue
        for model in SEEN_AFTER_A_TUNNEL if "tunnel" in what else SEEN_THROUGH:
            for every_s in INTERVALS:
                for name, path in paths.items():
                    found = seen(case, kind, path, MODELS[model], every_s, times, f"{what} {name}", floors=kind == "off-loop")
                    cells = (
                        f"{rule} {s.share(0.5):4.0f} /{s.share(0.95):4.0f} ({s.missed})" for rule, s in found.items() if s.after_s
                    )
                    print(f"{what:15}{model:18}{name:>9}{every_s:>5.0f}s  {'   '.join(cells) or 'no place for it'}", flush=True)


def main() -> int:
    """Measure and print."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--km", type=float, default=300.0, help="kilometres a cell (and hours at rest)")
    asked.add_argument("--times", type=int, default=20, help="true departures a cell")
    asked.add_argument("--paths", default="", help="only these, with commas")
    asked.add_argument("--models", default="", help="only these, with semicolons")
    asked.add_argument("--cases", default="", help="only these true ones, with semicolons")
    asked.add_argument("--only", choices=("false", "seen"))
    args = asked.parse_args()
    paths = {
        name: path for name, path in (real_paths() | made_paths()).items() if not args.paths or name in args.paths.split(",")
    }
    print("paths:", ", ".join(f"{name} {path.length_m / 1000:.0f} km" for name, path in paths.items()))
    began = time.monotonic()
    if args.only != "seen":
        false_rows(paths, args.models.split(";") if args.models else list(MODELS), args.km)
    if args.only != "false":
        seen_rows(paths, args.times, args.cases.split(";") if args.cases else [what for what, *_ in CASES])
    print(f"({time.monotonic() - began:.0f} s)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
