"""The self-check: every metric on scenes whose answer is known, under graded corruptions and controls.

plan               what is drawn and measured, quick or full
measure            one subject under one corruption, all metrics at every level
set_corruptions    what can be wrong with a set of good pictures
sets               sets of many objects, one picture each, under these
completion_cheats  what can be wrong with the completions of a context
completions        contexts of which all that is possible is known, completed by these
collect            all of them, in several processes, as one table
table              that table
matrix             what each metric is declared to see
judge              rank correlation, separability, effect
verdict            the declarations held against the measurements
run                all of it in one call
"""

from .completion_cheats import COMPLETION_CHEATS, CompletionCheat
from .matrix import MATRIX, Expectation
from .plan import FULL, QUICK, Plan
from .run import SelfCheck, run_selfcheck
from .set_corruptions import SET_CORRUPTIONS, SetCorruption
from .verdict import Calibration, Cell

__all__ = [
    "COMPLETION_CHEATS",
    "FULL",
    "MATRIX",
    "QUICK",
    "SET_CORRUPTIONS",
    "Calibration",
    "Cell",
    "CompletionCheat",
    "Expectation",
    "Plan",
    "SelfCheck",
    "SetCorruption",
    "run_selfcheck",
]
