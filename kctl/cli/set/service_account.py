"""kctl set serviceaccount: the account that the pods of a workload run as."""

from __future__ import annotations

from kctl.apimachinery.objects import Object
from kctl.cli.errors import CommandError
from kctl.cli.set.changing import Changing
from kctl.cli.set.pod_specs import pod_spec, with_pod_spec
from kctl.cli.targets import Target


class SetServiceAccount(Changing):
    """Update the service account of pod templates."""

    name = "serviceaccount"
    usage = "(-f FILENAME | TYPE NAME) SERVICE_ACCOUNT"
    examples = """
  # Let the pods of deployment 'nginx' run as 'robot'
  kctl set serviceaccount deployment nginx robot
"""
    done = "serviceaccount updated"
    failure = "failed to patch ServiceAccountName"
    says_unchanged = True

    def complete(self) -> None:
        if not self.arguments:
            raise CommandError("serviceaccount is required")
        self.resources, self.account = self.arguments[:-1], self.arguments[-1]

    def validate(self) -> None:
        self.require_resources()

    def changed_object(self, target: Target) -> Object:
        spec = pod_spec(target.resource, target.object)
        # the name of old is kept in step by the server only where it defaults a new object
        account = {"serviceAccountName": self.account} | ({"serviceAccount": self.account} if "serviceAccount" in spec else {})
        return with_pod_spec(target.resource, target.object, {**spec, **account})
