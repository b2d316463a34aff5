"""run, set image, auth: kctl and kubectl say the same."""

from __future__ import annotations

import shlex

import pytest

from tests.e2e.differential import Pair, difference, pair

__all__ = ["pair"]
pytestmark = pytest.mark.kubectl

LINES = """
run
run web
run web --image=x --restart=Sometimes
run web --image=::
run web --image=x --env=A --dry-run=client
run web --image=x --dry-run=client -o json -l a=b --port=80 --env=A=b -- sh -c true
run web --image=x --dry-run=client -o yaml --command -- sh
run web --image=x arg1 --dry-run=client -o yaml --annotations=a=b --image-pull-policy=Always --restart=Never
run web --image=x --image-pull-policy=Maybe --dry-run=client
run web --image=x --privileged --dry-run=client -o jsonpath={.spec}
set image
set image deploy/web
set image nginx=x
set image deploy/web nope=x
set image deploy/web nginx=y --dry-run=client
set image deploy/web *=y nginx=z
set image deploy/web *=y --dry-run=server
set image deploy web nginx=y --dry-run=client -o name
set image cm/kube-root nginx=y
set image sa/x nginx=y
set image ns/default nginx=y
set image deploy --all nginx=z --dry-run=client
set image deploy --all -l a=b nginx=z
auth can-i
auth can-i get
auth can-i get pods
auth can-i get pods/web
auth can-i get nodes
auth can-i get nope
auth can-i get /healthz
auth can-i get pods --subresource=log
auth can-i list deployments.apps -A
auth can-i get pods -q
auth can-i get pods --as=jane
auth can-i frobnicate pods
auth can-i get pods web extra
auth whoami
auth whoami -o yaml
auth whoami -o name
auth whoami extra
run --image=x
set nope
auth nope
auth can-i delete deployments.apps/web
auth can-i get /healthz --subresource=x
run web --image=x --labels=a --dry-run=client
run web --image=x -l a=b -o name --dry-run=client
run web --image=nginx:1.2@sha256:0123456789012345678901234567890123456789012345678901234567890123 --dry-run=server
set image deploy/nope a=b
""".strip().splitlines()


@pytest.fixture(scope="module", autouse=True)
def web(pair: Pair) -> None:
    assert pair.kctl("create", "deployment", "web", "--image=nginx").code == 0


@pytest.mark.parametrize("line", LINES)
def test_the_same_words(pair: Pair, line: str) -> None:
    if line == "auth whoami -o yaml":  # the one answer with a time in it
        expected, actual = (program(*shlex.split(line)) for program in (pair.kubectl, pair.kctl))
        kept = [[one for one in text.out.splitlines() if "creationTimestamp" not in one] for text in (expected, actual)]
        assert kept[0] == kept[1], difference([line], expected, actual)
        return
    pair.agree(*shlex.split(line))


def test_an_image_is_set_once(pair: Pair) -> None:
    """Each program changes the image, and has nothing to do the second time."""
    for program, image in ((pair.kubectl, "nginx:2"), (pair.kctl, "nginx:3")):
        words = ["set", "image", "deployment/web", f"nginx={image}"]
        assert program(*words)[:2] == (0, "deployment.apps/web image updated\n")
        assert program(*words) == (0, "", "")
        assert pair.kctl("get", "deploy", "web", "-o", "jsonpath={.spec.template.spec.containers[*].image}").out == image
