"""The harness: protocols, method registry, sampling, evaluation, run directory."""

from .harness import Outcome, evaluate, report, run, sample, status
from .protocol import Protocol, load_protocol, protocol_names
from .registry import load_method, method_names
from .run_directory import RunDirectory

__all__ = [
    "Outcome",
    "Protocol",
    "RunDirectory",
    "evaluate",
    "load_method",
    "load_protocol",
    "method_names",
    "protocol_names",
    "report",
    "run",
    "sample",
    "status",
]
