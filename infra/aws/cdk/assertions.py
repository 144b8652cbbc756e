"""Assertions: what must be true of the template, whatever construct made it.

Belongs here: truths that a change could break without cdk-nag, cfn-lint or checkov saying so. Not here: those linters'
own rules. Run on every synthesis (app.py).
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from aws_cdk.assertions import Capture, Match, Template

Resources = Mapping[str, Mapping[str, Any]]


def check(template: Template) -> int:
    """Hold a template to all of them; how many there are.

    Raises:
        AssertionError, RuntimeError: one does not hold; the message names the resource.
    """
    truths = (_buckets, _roles, _database, _service, _api, _closed_doors, _logs, _machine, _budget, _kept)
    for truth in truths:
        truth(template)
    return len(truths)


def _buckets(template: Template) -> None:
    """Every bucket is private, versioned and encrypted, and its policy denies what is not TLS."""
    buckets = _of(template, "AWS::S3::Bucket")
    closed = {
        "BlockPublicAcls": True,
        "BlockPublicPolicy": True,
        "IgnorePublicAcls": True,
        "RestrictPublicBuckets": True,
    }
    template.all_resources_properties(
        "AWS::S3::Bucket",
        {
            "PublicAccessBlockConfiguration": closed,
            "VersioningConfiguration": {"Status": "Enabled"},
            "BucketEncryption": Match.any_value(),
        },
    )
    for name in buckets:
        template.has_resource_properties(
            "AWS::S3::BucketPolicy",
            {
                "Bucket": {"Ref": name},
                "PolicyDocument": {
                    "Statement": Match.array_with(
                        [Match.object_like({"Effect": "Deny", "Condition": {"Bool": {"aws:SecureTransport": "false"}}})]
                    )
                },
            },
        )
    keyed = [each for each in buckets.values() if "aws:kms" in json.dumps(each["Properties"]["BucketEncryption"])]
    assert len(keyed) == len(buckets) - 1, "only the access logs are encrypted with S3's own key"


def _roles(template: Template) -> None:
    """No action of a role is a pattern, and no role has a policy that AWS manages."""
    for name, statement in _statements(template):
        actions = statement["Action"]
        for action in [actions] if isinstance(actions, str) else actions:
            assert "*" not in action, f"{name} allows {action}"
        assert statement["Effect"] == "Allow", name
    for name, role in _of(template, "AWS::IAM::Role").items():
        managed = role["Properties"].get("ManagedPolicyArns", [])
        assert not managed, f"{name} has the managed policies {managed}"


def _database(template: Template) -> None:
    """PostgreSQL is encrypted, in two zones, not reachable from outside, backed up, and asks for TLS."""
    template.resource_count_is("AWS::RDS::DBInstance", 1)
    template.has_resource(
        "AWS::RDS::DBInstance",
        {
            "DeletionPolicy": "Retain",
            "Properties": {
                "Engine": "postgres",
                "StorageEncrypted": True,
                "MultiAZ": True,
                "PubliclyAccessible": False,
                "DeletionProtection": True,
                "BackupRetentionPeriod": 14,
            },
        },
    )
    template.has_resource_properties("AWS::RDS::DBParameterGroup", {"Parameters": {"rds.force_ssl": "1"}})


def _service(template: Template) -> None:
    """One daemon, never two: the old task ends before the new one begins; passwords come from Secrets Manager."""
    template.has_resource_properties(
        "AWS::ECS::Service",
        {
            "DesiredCount": 1,
            "DeploymentConfiguration": {"MaximumPercent": 100, "MinimumHealthyPercent": 0},
            "NetworkConfiguration": {"AwsvpcConfiguration": {"AssignPublicIp": "DISABLED"}},
        },
    )
    containers = Capture()
    template.has_resource_properties("AWS::ECS::TaskDefinition", {"ContainerDefinitions": containers})
    (container,) = containers.as_array()
    assert {each["Name"] for each in container["Secrets"]} == {"PGPASSWORD", "SELVEDGE_EVIDENCE_KEY"}
    assert not {each["Name"] for each in container["Environment"]} & {"PGPASSWORD", "SELVEDGE_EVIDENCE_KEY"}


def _api(template: Template) -> None:
    """Nobody calls the API without an identity."""
    template.all_resources_properties("AWS::ApiGateway::Method", {"AuthorizationType": "AWS_IAM"})
    template.resource_count_is("AWS::WAFv2::WebACLAssociation", 1)


def _closed_doors(template: Template) -> None:
    """No security group lets the world in, and no load balancer stands before what trusts its loopback address."""
    for name, group in _of(template, "AWS::EC2::SecurityGroup").items():
        assert "SecurityGroupIngress" not in group["Properties"], f"{name} is open to addresses"
    for name, rule in _of(template, "AWS::EC2::SecurityGroupIngress").items():
        assert "SourceSecurityGroupId" in rule["Properties"], f"{name} is open to addresses"
    template.resource_count_is("AWS::ElasticLoadBalancingV2::LoadBalancer", 0)


def _logs(template: Template) -> None:
    """Every log ends some day, and is encrypted."""
    template.all_resources_properties(
        "AWS::Logs::LogGroup", {"RetentionInDays": Match.any_value(), "KmsKeyId": Match.any_value()}
    )


def _machine(template: Template) -> None:
    """The states are JSONPath, every task has a limit of time and retries, and nothing that people typed is logged."""
    definition = Capture()
    template.has_resource_properties(
        "AWS::StepFunctions::StateMachine",
        {"DefinitionString": definition, "LoggingConfiguration": {"IncludeExecutionData": False}},
    )
    text = definition.as_string()
    assert "JSONata" not in text and "QueryLanguage" not in text
    for name, state in _states(json.loads(text)):
        if state["Type"] == "Task":
            assert {"TimeoutSeconds", "Retry"} <= state.keys(), f"state {name} may wait or fail without end"


def _budget(template: Template) -> None:
    """Somebody is told at 50, 80 and 100 percent, and when 100 is foreseen."""
    told = Capture()
    template.has_resource_properties("AWS::Budgets::Budget", {"NotificationsWithSubscribers": told})
    assert len(told.as_array()) == 4
    for name, alarm in _of(template, "AWS::CloudWatch::Alarm").items():
        assert alarm["Properties"].get("AlarmActions"), f"{name} tells nobody"


def _kept(template: Template) -> None:
    """What holds data outlives the stack."""
    for kind in ("AWS::S3::Bucket", "AWS::DynamoDB::Table", "AWS::KMS::Key", "AWS::RDS::DBInstance"):
        for name, resource in _of(template, kind).items():
            assert resource.get("DeletionPolicy") == "Retain", f"{name} would be deleted with the stack"


def _of(template: Template, kind: str) -> Resources:
    found: Resources = template.find_resources(kind)
    return found


def _statements(template: Template) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for name, policy in _of(template, "AWS::IAM::Policy").items():
        for statement in policy["Properties"]["PolicyDocument"]["Statement"]:
            yield name, statement


def _states(machine: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """All states, those of branches and maps among them."""
    for name, state in machine["States"].items():
        yield name, state
        for inner in (*state.get("Branches", ()), *((state["ItemProcessor"],) if "ItemProcessor" in state else ())):
            yield from _states(inner)
