"""The alert rules that are shipped: Prometheus would load them, and they ask for what there is."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]

from gateway.watch.hindrances import Hindrance
from gateway.watch.metrics import Metrics

_FILE = Path(__file__).parents[2] / "deploy" / "monitoring" / "alerts.yaml"
_DURATION = re.compile(r"([0-9]+(ms|[smhdwy]))+")
_TOKEN = re.compile(
    r"\s*(?:(?P<string>\"[^\"\\]*\")|(?P<range>\[[^\]]*\])|(?P<number>[0-9]+(?:\.[0-9]+)?)"
    r"|(?P<name>[a-zA-Z_:][\w:]*)|(?P<sign>=~|!~|!=|==|>=|<=|[-+*/%^(){},=<>]))"
)
_FUNCTIONS = {"sum", "max", "min", "increase", "rate", "histogram_quantile", "vector"}
_FUNCTIONS |= {"min_over_time", "max_over_time", "avg_over_time"}
_WORDS = {"and", "or", "unless", "bool", "by", "without", "on", "ignoring"}
_PROMETHEUS = {"job", "instance", "le"}  # labels that it or the kind of metric adds
_ENDINGS = ("", "_total", "_bucket", "_count", "_sum")


def labels_of_metrics() -> dict[str, set[str]]:
    """By the name that a rule may ask for."""
    found: dict[str, set[str]] = {"up": set()}
    collectors = Metrics().registry._names_to_collectors
    for name, collector in collectors.items():
        labels = set(getattr(collector, "_labelnames", ()))
        found |= {f"{name.removesuffix('_total')}{ending}": labels for ending in _ENDINGS}
    return found


METRICS = labels_of_metrics()


class Broken(Exception):
    """What Prometheus would not load, or would always answer with nothing."""


def check(expression: str) -> set[str]:
    """Read a PromQL expression as far as ours go; the labels that its answer has."""
    tokens = tokens_of(expression)
    _check_brackets([token for kind, token in tokens if kind == "sign"])
    for kind, token in tokens:
        if kind == "range" and not all(map(_DURATION.fullmatch, token[1:-1].split(":"))):
            raise Broken(f"{token} is no range")
    words = [token for _, token in tokens]
    answered: set[str] = set()
    named: list[str] = []
    for place, (kind, token) in enumerate(tokens):
        if kind != "name" or token in _WORDS or token in _FUNCTIONS:
            continue
        if _is_grouped(words[:place]):
            answered.add(token)
        elif words[place + 1 : place + 2] and words[place + 1] in ("=", "!=", "=~", "!~"):
            _require(named[-1:], {token})
        else:
            named.append(token)
    _require(named, answered)
    return answered


def tokens_of(expression: str) -> list[tuple[str, str]]:
    tokens, at = [], 0
    while expression[at:].strip():
        found = _TOKEN.match(expression, at)
        if found is None:
            raise Broken(f"nothing of PromQL at {expression[at:]!r}")
        tokens.append((str(found.lastgroup), found[0].strip()))
        at = found.end()
    return tokens


def _require(named: Sequence[str], labels: set[str]) -> None:
    """That there are these metrics, and that one of them has each label."""
    if not named or not METRICS.keys() >= set(named):
        raise Broken(f"there is no metric among {named}, or another")
    if missing := labels - _PROMETHEUS - set[str]().union(*(METRICS[one] for one in named)):
        raise Broken(f"none of {named} has {missing}")


def _check_brackets(signs: list[str]) -> None:
    open_: list[str] = []
    for sign in signs:
        if sign in "({":
            open_.append(sign)
        elif sign in ")}" and (not open_ or open_.pop() + sign not in ("()", "{}")):
            raise Broken("brackets that do not fit")
    if open_:
        raise Broken("a bracket that is not closed")


def _is_grouped(before: list[str]) -> bool:
    """Whether what comes stands in the brackets of a `by`."""
    if "(" not in before:
        return False
    begin = len(before) - 1 - before[::-1].index("(")
    inside = before[begin + 1 :]
    return begin > 0 and before[begin - 1] in ("by", "without", "on") and ")" not in inside


RULES: list[dict[str, Any]] = [
    rule for group in yaml.safe_load(_FILE.read_text())["groups"] for rule in group["rules"]
]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: str(rule["alert"]))
def test_a_rule_is_one_that_prometheus_loads(rule: dict[str, Any]) -> None:
    assert rule.keys() <= {"alert", "expr", "for", "labels", "annotations"}
    assert _DURATION.fullmatch(rule.get("for", "1m"))
    assert rule["labels"].keys() == {"severity"}
    assert rule["labels"]["severity"] in ("critical", "warning", "info")
    assert rule["annotations"].keys() == {"summary", "action"}

    answered = check(rule["expr"])

    said = " ".join(rule["annotations"].values())
    assert set(re.findall(r"\{\{ \$labels\.(\w+) \}\}", said)) <= answered
    assert said.count("{{") == len(re.findall(r"\{\{ \$labels\.\w+ \}\}", said))


def test_no_two_rules_have_one_name() -> None:
    names = [rule["alert"] for rule in RULES]

    assert len(set(names)) == len(names) > 10


def test_each_reason_why_mail_waits_has_an_alert_or_waits_by_itself() -> None:
    asked = "|".join(re.findall(r'gateway_hindered\{why=~"([^"]+)"', str(RULES))).split("|")
    elsewhere = {  # rules of their own tell of these, at their own pace
        Hindrance.STORE_AWAY: "GatewayStoreAway",
        Hindrance.KEYS_MISSING: "GatewayKeyringBehind",
        Hindrance.PUT_OFF: "GatewayRelayObjects",
        Hindrance.CONFIRMATIONS_WITHHELD: "GatewayLimited",
        Hindrance.PARKED: "GatewayParked",
    }
    by_itself = {
        Hindrance.CAMPAIGN_PAUSED,  # whoever paused it knows
        Hindrance.DNS,  # only `gateway status` asks for it
        Hindrance.QUOTA,
        Hindrance.FREQUENCY_CAP,
        Hindrance.PERSON_PAUSES,
        Hindrance.CONFIRMATIONS_WAIT,
    }

    assert sorted([*asked, *elsewhere, *by_itself]) == sorted(Hindrance)
    assert {rule["alert"] for rule in RULES} >= set(elsewhere.values())


@pytest.mark.parametrize(
    "expression",
    [
        pytest.param("max(gateway_no_such_thing) > 0", id="a metric that there is not"),
        pytest.param('max(gateway_parked{duty="x"}) > 0', id="a label of another metric"),
        pytest.param("max by (route) (gateway_parked) > 0", id="grouped by what it has not"),
        pytest.param("max(gateway_parked > 0", id="a bracket that is open"),
        pytest.param("max(gateway_parked) > 0)", id="a bracket too many"),
        pytest.param("sum(increase(gateway_limited_total[15x])) > 0", id="no duration"),
        pytest.param("max(gateway_parked) > $x", id="no word of the language"),
        pytest.param("1 > 0", id="nothing asked for"),
    ],
)
def test_a_rule_that_asks_for_nothing_is_found(expression: str) -> None:
    with pytest.raises(Broken):
        check(expression)
