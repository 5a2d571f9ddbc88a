"""Every metric under real `torch.distributed`: two processes, each with half of the scenes."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
import textwrap
from pathlib import Path

from .test_contract import METRICS, everything, feed, made

RANK = textwrap.dedent("""
    import json, pickle, sys, torch, warnings
    folder, rank = sys.argv[1], int(sys.argv[2])
    with open(f"{folder}/{rank}.pickle", "rb") as file:
        metrics = pickle.load(file)
    torch.distributed.init_process_group("gloo", f"file://{folder}/rendezvous", rank=rank, world_size=2)
    found = {}
    for metric in metrics:
        results = {name: result.to_json() for name, result in metric.results().items()}
        found[metric.name] = json.dumps(results) + repr(metric.rows())
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torchmetrics looks at this process alone and sees no updates
            found[metric.name] += repr(float(metric.compute()))
    print(json.dumps(found))
    torch.distributed.destroy_process_group()
""")


def test_two_processes_give_the_bits_of_one(tmp_path: Path) -> None:
    halves = [[made(kind, [5, 0, 3]) for kind in METRICS], [feed(kind(), [2, 4, 1]) for kind in METRICS]]
    # one rank has seen nothing at all of some metrics
    halves[0][0], halves[1][0] = made(METRICS[0]), METRICS[0]()
    halves[0][-1], halves[1][-1] = METRICS[-1](), made(METRICS[-1])
    for rank, metrics in enumerate(halves):
        (tmp_path / f"{rank}.pickle").write_bytes(pickle.dumps(metrics))
    ranks = [
        subprocess.Popen(
            [sys.executable, "-W", "error", "-c", RANK, str(tmp_path), str(rank)],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "GLOO_SOCKET_IFNAME": "lo", "OMP_NUM_THREADS": "1"},
        )
        for rank in range(2)
    ]
    outputs = [json.loads(rank.communicate(timeout=240)[0].splitlines()[-1]) for rank in ranks]
    for kind in METRICS:
        whole = made(kind)
        assert outputs[0][kind.name] == outputs[1][kind.name] == everything(whole) + repr(float(whole.compute()))
