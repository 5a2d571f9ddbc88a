from __future__ import annotations

import json
import math
import re
from typing import Any

import pytest
from viewsweep.metrics import Definition, MetricResult

OK = {"value": 0.5, "ci_low": 0.4, "ci_high": 0.7, "n": 8, "status": "ok", "reason": None}


def test_ok_result_is_six_keys_in_json() -> None:
    assert MetricResult.ok(0.5, (0.4, 0.7), 8).to_json() == OK


def test_result_without_interval_has_null_ends() -> None:
    text = json.dumps(MetricResult.ok(0.5, None, 1).to_json(), allow_nan=False)
    assert '"ci_low": null, "ci_high": null' in text


def test_missing_results_say_why() -> None:
    assert MetricResult.not_run("there is no depth.", 3).to_json() == {
        "value": None,
        "ci_low": None,
        "ci_high": None,
        "n": 3,
        "status": "not_run",
        "reason": "there is no depth.",
    }
    assert MetricResult.failed("half of it was missing.").status == "failed"


@pytest.mark.parametrize(
    "result", [MetricResult.ok(1.0, (0.0, 2.0), 4), MetricResult.ok(1.0, None, 1), MetricResult.failed("why", 2)]
)
def test_json_round_trip_is_exact(result: MetricResult) -> None:
    assert MetricResult.from_json(json.loads(json.dumps(result.to_json()))) == result


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"value": None}, "status is ok but value is None; exactly ok results carry a value."),
        ({"status": "failed", "reason": "x"}, "status is failed but value is 0.5"),
        ({"value": math.nan}, "a result must be finite"),
        ({"ci_high": math.inf}, "a result must be finite"),
        ({"ci_low": 0.6}, "does not enclose the value 0.5"),
        ({"ci_low": None}, "does not enclose the value 0.5"),
        ({"reason": "but"}, "all but ok results carry one"),
        ({"status": "fine"}, "it must be one of ok, failed, not_run"),
    ],
)
def test_nonsense_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        MetricResult.from_json({**OK, **changes})


def test_missing_result_needs_a_reason() -> None:
    with pytest.raises(ValueError, match="all but ok results carry one"):
        MetricResult(None, None, None, 0, "not_run", "")


def test_incomplete_json_names_what_is_missing() -> None:
    with pytest.raises(ValueError, match=re.escape("a metric result lacks n, status.")):
        MetricResult.from_json({key: OK[key] for key in ("value", "ci_low", "ci_high", "reason")})


def test_definition_keeps_its_id_out_of_json() -> None:
    entry = Definition("kid[x]", "KID", 1, "", False, "A distance.")
    assert entry.to_json() == {
        "title": "KID",
        "version": 1,
        "unit": "",
        "higher_is_better": False,
        "description": "A distance.",
    }
