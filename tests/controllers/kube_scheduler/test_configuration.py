"""KubeSchedulerConfiguration files: what is refused in which words, what is filled in, and which plugins stand where."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from controllers.kube_scheduler.config.decode import InvalidConfiguration
from controllers.kube_scheduler.config.in_tree import IN_TREE
from controllers.kube_scheduler.config.load import SchedulerConfiguration, load, parse
from controllers.kube_scheduler.config.plan import Plan
from controllers.kube_scheduler.configured import profiles
from controllers.kube_scheduler.profile import default_profile
from controllers.kube_scheduler.resource_scoring import on_shape

HEAD = "apiVersion: kubescheduler.config.k8s.io/v1\nkind: KubeSchedulerConfiguration\n"
NONE: Any = None


def read(text: str) -> SchedulerConfiguration:
    return parse(HEAD + text)


def of_profile(text: str) -> Plan:
    return read(f"profiles:\n- {text}").plans[0]


def _refused() -> list[list[str]]:
    text = (Path(__file__).parent / "configuration_errors.txt").read_text()
    return [paragraph.splitlines() for paragraph in text.strip().split("\n\n")[1:]]


@pytest.mark.parametrize(("text", "message"), _refused())
def test_what_is_refused(text: str, message: str) -> None:
    with pytest.raises(InvalidConfiguration) as refused:
        read(text)
    assert str(refused.value) == message


def test_files_of_other_kinds_and_no_files(tmp_path: Path) -> None:
    for text, start in (
        ("a: 1", "Object 'Kind' is missing"),
        ("kind: KubeSchedulerConfiguration", "Object 'apiVersion' is missing"),
        (
            HEAD.replace("v1", "v1beta3"),
            'no kind "KubeSchedulerConfiguration" is registered for version "kubescheduler.config.k8s.io/v1beta3"',
        ),
        (HEAD + "kind: x", 'no kind "x"'),
        ("[]", "couldn't get version/kind"),
        ("{", "couldn't get version/kind; json parse error: error converting YAML to JSON: yaml:"),
    ):
        with pytest.raises(InvalidConfiguration) as refused:
            parse(text)
        assert str(refused.value).startswith(start)
    with pytest.raises(InvalidConfiguration, match="no such file or directory"):
        load(tmp_path / "none")


def test_an_empty_configuration_is_the_default_profile() -> None:
    (made,), default = profiles(read(""), NONE, NONE), default_profile(NONE)
    for point in ("pre_enqueue", "filter", "post_filter", "bind"):
        assert [each.name for each in getattr(made, point)] == [each.name for each in getattr(default, point)], point
    assert sorted((plugin.name, weight) for plugin, weight in made.score) == sorted(
        (plugin.name, weight) for plugin, weight in default.score
    )
    assert made.assigner is None
    assert read("").notices == ()


def test_what_has_no_effect_is_said_by_name() -> None:
    notices = read("parallelism: 4\nclientConnection: {qps: 1}\nenableProfiling: true\nleaderElection: {leaderElect: true}").notices
    assert [notice.split(" ")[0] for notice in notices] == ["leaderElection", "clientConnection", "enableProfiling", "parallelism"]


def test_plugins_disabled_at_a_point_and_everywhere() -> None:
    one = of_profile("plugins: {score: {disabled: [{name: ImageLocality}]}, multiPoint: {disabled: [{name: NodePorts}]}}")
    assert "ImageLocality" not in one.at["score"] and "NodePorts" not in one.at["filter"] + one.at["preFilter"]
    none = of_profile("plugins: {score: {disabled: [{name: '*'}], enabled: [{name: NodeAffinity, weight: 7}]}}")
    assert none.at["score"] == ("NodeAffinity",) and none.weights == {"NodeAffinity": 7}
    sole = of_profile(
        "plugins: {multiPoint: {disabled: [{name: '*'}], enabled: [{name: PrioritySort}, {name: DefaultBinder}, {name: NodeName}]}}"
    )
    assert sole.names == {"PrioritySort", "DefaultBinder", "NodeName"}


def test_order_and_weights_of_what_is_enabled_once_more() -> None:
    plan = of_profile("plugins: {score: {enabled: [{name: ImageLocality, weight: 5}, {name: TaintToleration}]}}")
    assert plan.at["score"][:2] == ("ImageLocality", "TaintToleration")
    assert len(plan.at["score"]) == len([name for name, points in IN_TREE.items() if "score" in points])
    assert (plan.weights["ImageLocality"], plan.weights["TaintToleration"], plan.weights["NodeAffinity"]) == (5, 1, 2)
    replaced = of_profile("plugins: {multiPoint: {enabled: [{name: TaintToleration, weight: 9}]}}")
    assert replaced.weights["TaintToleration"] == 9 and replaced.at["filter"].index("TaintToleration") == 2


def test_backoffs_and_percentages() -> None:
    found = read("podInitialBackoffSeconds: 2\npodMaxBackoffSeconds: 60\npercentageOfNodesToScore: 30\nprofiles: [{}]")
    assert (found.initial_backoff_seconds, found.max_backoff_seconds, found.plans[0].percentage_of_nodes_to_score) == (2, 60, 30)
    assert of_profile("percentageOfNodesToScore: 0").percentage_of_nodes_to_score == 0


def test_args_may_be_of_any_form_for_plugins_that_nobody_knows() -> None:
    found = of_profile("pluginConfig: [{name: Stranger, args: {a: [1, {b: c}]}}, {name: InterPodAffinity}]")
    assert found.args["Stranger"] == {"a": [1, {"b": "c"}]}
    assert found.args["InterPodAffinity"] == {"hardPodAffinityWeight": 1, "ignorePreferredTermsOfExistingPods": False}


@pytest.mark.parametrize(
    ("points", "at", "score"),
    [
        ([(0, 0), (100, 100)], 37, 37),
        ([(0, 100), (100, 0)], 37, 63),
        ([(20, 30), (80, 90)], 0, 30),
        ([(20, 30), (80, 90)], 90, 90),
        ([(0, 100), (70, 0)], 33, 53),  # -3300 / 70 is cut to -47
    ],
)
def test_a_shape_is_cut_towards_zero(points: list[tuple[int, int]], at: int, score: int) -> None:
    assert on_shape(points, at) == score
