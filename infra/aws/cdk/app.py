"""The app: one stack of all constructs, synthesised offline and held to cdk-nag.

    python -m infra.aws.cdk.app OUT        # with this folder's environment; writes the template to OUT

What differs between accounts is a parameter of the template (an address, the budget, the image's repository and tag),
so the template is one file, the same for everybody.
"""

import sys
from pathlib import Path

import aws_cdk as cdk
from aws_cdk import aws_ecr as ecr
from aws_cdk.assertions import Template
from cdk_nag import AwsSolutionsChecks
from constructs import Construct

from infra.aws.cdk.assertions import check
from infra.aws.cdk.learning import Learning
from infra.aws.cdk.network import Network
from infra.aws.cdk.platform import Platform
from infra.aws.cdk.request_api import RequestApi
from infra.aws.cdk.stores import Keys, Stores
from infra.aws.cdk.watch import Watch

STACK = "Selvedge"
FLAGS = {
    "@aws-cdk/aws-s3:serverAccessLogsUseBucketPolicy": True,
    "@aws-cdk/core:newStyleStackSynthesis": True,
    "@aws-cdk/aws-iam:minimizePolicies": True,
    "aws:cdk:disable-asset-metadata": True,
}


class Selvedge(cdk.Stack):
    """Everything in one region of one account."""

    def __init__(self, scope: Construct, name: str) -> None:
        super().__init__(
            scope,
            name,
            description="Selvedge at full size",
            termination_protection=True,
            analytics_reporting=False,
            synthesizer=cdk.DefaultStackSynthesizer(generate_bootstrap_version_rule=False),
        )
        email = cdk.CfnParameter(
            self, "Email", allowed_pattern="[^@ ]+@[^@ ]+", description="Who is told of alarms and the budget"
        )
        usd = cdk.CfnParameter(self, "UsdAMonth", type="Number", default=1500, min_value=1, description="The budget")
        repository = cdk.CfnParameter(
            self, "Repository", default="selvedge", allowed_pattern="[a-z0-9._/-]{2,256}", description="In ECR"
        )
        tag = cdk.CfnParameter(
            self,
            "ImageTag",
            allowed_pattern="[A-Za-z0-9_.-]{1,128}|sha256:[0-9a-f]{64}",
            description="Tag or digest of Selvedge's CPU image",
        )
        image = ecr.Repository.from_repository_name(self, "Image", repository.value_as_string)
        key = Keys(self, "Keys").key
        stores = Stores(self, "Stores", key)
        vpc = Network(self, "Network", key).vpc
        api = RequestApi(self, "RequestApi", stores=stores, key=key, vpc=vpc, image=image, tag=tag.value_as_string)
        platform = Platform(self, "Platform", stores=stores, key=key, vpc=vpc, image=image, tag=tag.value_as_string)
        learning = Learning(self, "Learning", stores=stores, key=key, vpc=vpc, image=image)
        Watch(
            self,
            "Watch",
            key=key,
            email=email.value_as_string,
            usd_a_month=usd.value_as_number,
            api=api,
            platform=platform,
        )
        for output, value in {
            "ApiUrl": api.api.url,
            "DataBucket": stores.data.bucket_name,
            "ModelsBucket": stores.models.bucket_name,
            "TrainingRole": learning.training_role.role_arn,
            "ServingRole": learning.serving_role.role_arn,
            "BatchRole": learning.batch_role.role_arn,
            "Subnets": cdk.Fn.join(",", [subnet.subnet_id for subnet in vpc.private_subnets]),
            "SecurityGroup": learning.group.security_group_id,
            "KeyArn": key.key_arn,
        }.items():
            cdk.CfnOutput(self, output, value=value)


def synthesise(out: Path) -> None:
    """Write the template.

    Raises:
        RuntimeError: cdk-nag finds what nobody accepted; it says what on stderr.
        AssertionError: what must be true of it is not.
    """
    app = cdk.App(outdir=str(out), context=FLAGS, analytics_reporting=False, tree_metadata=False)
    stack = Selvedge(app, STACK)
    cdk.Validations.of(app).add_plugins(AwsSolutionsChecks(app))
    app.synth()
    held = check(Template.from_stack(stack))
    print(f"{STACK}: synthesised, cdk-nag has no finding, {held} assertions hold")


if __name__ == "__main__":
    synthesise(Path(sys.argv[1]))
