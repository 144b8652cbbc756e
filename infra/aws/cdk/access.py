"""Access: roles with no action that is a pattern, and a written reason for each resource that is one.

Belongs here: making roles and statements, accepting a finding of cdk-nag with its reason. Not here: who may do what
(each construct).

CDK's own grants ask for `s3:GetObject*` and the like, so statements are written out.
"""

from collections.abc import Sequence
from typing import Any

from aws_cdk import Acknowledgment, Stack, Validations
from aws_cdk import aws_iam as iam
from constructs import Construct, IConstruct

ANY = "*"


def service_role(scope: Construct, name: str, service: str, what: str) -> iam.Role:
    """A role that one service of AWS may take, with nothing allowed yet."""
    return iam.Role(scope, name, assumed_by=iam.ServicePrincipal(service), description=what)


def allow(role: iam.Role, actions: Sequence[str], resources: Sequence[str], reason: str = "") -> None:
    """Allow actions on resources.

    Args:
        reason: why a resource is a pattern, for cdk-nag's record.

    Raises:
        ValueError: an action is a pattern; or a resource is one, without a reason.
    """
    patterns = [resource for resource in resources if ANY in _written(role, resource)]
    if any(ANY in action for action in actions) or (patterns and not reason):
        raise ValueError(f"a pattern among {list(actions)} or {patterns}; name them, or give a reason")
    role.add_to_principal_policy(iam.PolicyStatement(actions=list(actions), resources=list(resources)))
    for pattern in patterns:
        accept(role, f"IAM5[Resource::{_written(role, pattern)}]", reason)


def accept(construct: IConstruct, rule: str, reason: str) -> None:
    """Accept a finding of cdk-nag, and say why. rule: as cdk-nag prints it, after `AwsSolutions-`."""
    Validations.of(construct).acknowledge(Acknowledgment(id=f"AwsSolutions::AwsSolutions-{rule}", reason=reason))


def _written(role: iam.Role, resource: str) -> str:
    """A resource as cdk-nag writes it: names of this template in angle brackets."""

    def text(value: Any) -> str:
        if isinstance(value, str):
            return value
        if "Ref" in value:
            return f"<{value['Ref']}>"
        if "Fn::GetAtt" in value:
            return f"<{'.'.join(value['Fn::GetAtt'])}>"
        separator, parts = value["Fn::Join"]
        return str(separator).join(text(part) for part in parts)

    return text(Stack.of(role).resolve(resource))
