"""python -m tests.fuzz --minutes 15: every kind of input in turn, until the time is over; a table at the end."""

import argparse
import tempfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.fuzz.kinds import KINDS
from tests.fuzz.samples import make
from tests.fuzz.worker import Worker

Found = dict[str, Counter[int]]


def spend(name: str, seconds: float, seed: int, worker: Worker, faults: list[str]) -> Counter[int]:
    """Cases of one kind for so long, by exit code."""
    codes: Counter[int] = Counter()
    for code, fault in worker.spend(name, seconds, seed):
        codes[code] += 1
        if fault:
            faults.append(fault)
            print(fault, flush=True)
    return codes


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=15.0)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kind", default="", help="only kinds with this in their name")
    parser.add_argument("--case", default="", metavar="KIND N", help="one case, as a fault names it")
    parser.add_argument("--good", type=Path, metavar="DIR", help="keep the good inputs there, for another time")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="fuzz.") as folder:
        good = options.good or Path(folder) / "good"
        if not good.exists():
            make(good)
        faults: list[str] = []
        if options.case:
            print(Worker(good, Path(folder) / "0").run(options.case.rpartition(" ")[0], options.case))
            return 0
        found = _all(options, good, Path(folder), faults)
    for name, codes in found.items():
        print(
            f"{name:40} {codes.total():7d} inputs: " + ", ".join(f"{n} x {code}" for code, n in sorted(codes.items()))
        )
    print(f"{sum(codes.total() for codes in found.values())} inputs, {len(faults)} faults")
    return bool(faults)


def _all(options: argparse.Namespace, good: Path, folder: Path, faults: list[str]) -> Found:
    names = [name for name in KINDS if options.kind in name]
    unit = options.minutes * 60 * options.jobs / sum(KINDS[name].share for name in names)
    workers = [Worker(good, folder / f"{i}") for i in range(options.jobs)]

    def part(i: int) -> Found:
        own = names[i :: options.jobs]
        found = {n: spend(n, unit * KINDS[n].share, options.seed, workers[i], faults) for n in own}
        workers[i].stop()
        return found

    with ThreadPoolExecutor(options.jobs) as pool:
        parts = list(pool.map(part, range(options.jobs)))
    return {name: codes for part in parts for name, codes in part.items()}


if __name__ == "__main__":
    raise SystemExit(main())
