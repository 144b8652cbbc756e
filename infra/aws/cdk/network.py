"""Network: one VPC in two zones. Databases reach nothing, tasks reach out through one gateway, nobody reaches in.

Not here: who may speak to whom beyond that (the security groups of each construct).
"""

from aws_cdk import RemovalPolicy
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from constructs import Construct

from infra.aws.cdk.access import service_role


class Network(Construct):
    """The VPC. Attributes: vpc."""

    def __init__(self, scope: Construct, name: str, key: kms.IKey) -> None:
        super().__init__(scope, name)
        kinds = (
            ec2.SubnetConfiguration(
                name="gateway", subnet_type=ec2.SubnetType.PUBLIC, cidr_mask=24, map_public_ip_on_launch=False
            ),
            ec2.SubnetConfiguration(name="tasks", subnet_type=ec2.SubnetType.PRIVATE_WITH_EGRESS, cidr_mask=20),
            ec2.SubnetConfiguration(name="databases", subnet_type=ec2.SubnetType.PRIVATE_ISOLATED, cidr_mask=24),
        )
        self.vpc = ec2.Vpc(
            self,
            "Vpc",
            max_azs=2,
            nat_gateways=1,  # a second one is 33 USD a month for hours in which one zone is away
            subnet_configuration=list(kinds),
            gateway_endpoints={  # pictures and rows do not pass the gateway, where each GB is paid for
                "S3": ec2.GatewayVpcEndpointOptions(service=ec2.GatewayVpcEndpointAwsService.S3),
                "DynamoDb": ec2.GatewayVpcEndpointOptions(service=ec2.GatewayVpcEndpointAwsService.DYNAMODB),
            },
        )
        group = logs.LogGroup(
            self,
            "FlowLog",
            retention=logs.RetentionDays.ONE_YEAR,
            encryption_key=key,
            removal_policy=RemovalPolicy.RETAIN,
        )
        role = service_role(self, "FlowLogRole", "vpc-flow-logs.amazonaws.com", "Writes the flow log of Selvedge's VPC")
        ec2.FlowLog(
            self,
            "Flow",
            resource_type=ec2.FlowLogResourceType.from_vpc(self.vpc),
            destination=ec2.FlowLogDestination.to_cloud_watch_logs(group, role),
        )
