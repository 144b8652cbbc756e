"""Learning: roles and network of training jobs, endpoints and batch transforms of SageMaker, and of Bedrock's batches.

Belongs here: what they may read and write. Not here: the jobs (orchestration/aws/), which are made when they are asked
for.
"""

from aws_cdk import Aws
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecr as ecr
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from constructs import Construct

from infra.aws.cdk.access import ANY, allow, service_role
from infra.aws.cdk.stores import Stores

LOG_GROUPS = ("TrainingJobs", "Endpoints/*", "TransformJobs")


class Learning(Construct):
    """Attributes: training_role, serving_role, batch_role, group (security group of training jobs)."""

    def __init__(
        self, scope: Construct, name: str, *, stores: Stores, key: kms.IKey, vpc: ec2.IVpc, image: ecr.IRepository
    ) -> None:
        super().__init__(scope, name)
        self.group = ec2.SecurityGroup(
            self, "Jobs", vpc=vpc, description="SageMaker jobs: nobody speaks to them", allow_all_outbound=True
        )
        self.training_role = self._role("TrainingRole", "Trains candidates", stores, key, image)
        allow(
            self.training_role,
            ("s3:GetObject",),
            (stores.data.arn_for_objects("training/*"), stores.models.arn_for_objects("mirror/*")),
            "Catalogues and settings of training jobs; mirrored weights",
        )
        allow(
            self.training_role,
            ("s3:GetObject", "s3:PutObject", "s3:DeleteObject"),
            (stores.models.arn_for_objects("checkpoints/*"), stores.models.arn_for_objects("candidates/*")),
            "Checkpoints and results of training jobs",
        )
        self.serving_role = self._role("ServingRole", "Serves champions", stores, key, image)
        allow(
            self.serving_role,
            ("s3:GetObject",),
            (
                *(stores.models.arn_for_objects("mlflow/*"), stores.models.arn_for_objects("mirror/*")),
                stores.data.arn_for_objects("transform/in/*"),
            ),
            "Models that MLflow keeps; mirrored weights; input of batch transforms",
        )
        allow(
            self.serving_role,
            ("s3:PutObject",),
            (stores.data.arn_for_objects("transform/out/*"),),
            "Output of batch transforms",
        )

        self.batch_role = self._batch_role(stores, key)

    def _batch_role(self, stores: Stores, key: kms.IKey) -> iam.Role:
        """Bedrock's, for batches of descriptions: it reads requests and writes answers."""
        role = service_role(self, "BatchRole", "bedrock.amazonaws.com", "Batches of descriptions")
        allow(role, ("s3:ListBucket",), (stores.data.bucket_arn,))
        allow(role, ("s3:GetObject",), (stores.data.arn_for_objects("batch/in/*"),), "Requests of batches")
        allow(role, ("s3:PutObject",), (stores.data.arn_for_objects("batch/out/*"),), "Answers of batches")
        allow(role, ("kms:Decrypt", "kms:GenerateDataKey"), (key.key_arn,))
        model = f"arn:{Aws.PARTITION}:bedrock:{Aws.REGION}"
        asked = (f"{model}::foundation-model/*", f"{model}:{Aws.ACCOUNT_ID}:inference-profile/*")
        allow(role, ("bedrock:InvokeModel",), asked, "Which model is asked is a setting of the home")
        return role

    def _role(self, name: str, what: str, stores: Stores, key: kms.IKey, image: ecr.IRepository) -> iam.Role:
        role = service_role(self, name, "sagemaker.amazonaws.com", what)
        allow(role, ("s3:ListBucket",), (stores.data.bucket_arn, stores.models.bucket_arn))
        allow(role, ("kms:Decrypt", "kms:GenerateDataKey"), (key.key_arn,))
        allow(role, ("ecr:GetAuthorizationToken",), (ANY,), "A token is of the whole registry")
        allow(
            role,
            ("ecr:BatchCheckLayerAvailability", "ecr:GetDownloadUrlForLayer", "ecr:BatchGetImage"),
            (image.repository_arn,),
        )
        root = f"arn:{Aws.PARTITION}:logs:{Aws.REGION}:{Aws.ACCOUNT_ID}:log-group:/aws/sagemaker"
        allow(
            role,
            ("logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents", "logs:DescribeLogStreams"),
            tuple(f"{root}/{group}:*" for group in LOG_GROUPS),
            "SageMaker names its streams after the job",
        )
        allow(role, ("cloudwatch:PutMetricData",), (ANY,), "CloudWatch takes figures without resources")
        allow(
            role,
            (
                *("ec2:CreateNetworkInterface", "ec2:CreateNetworkInterfacePermission", "ec2:DeleteNetworkInterface"),
                *("ec2:DeleteNetworkInterfacePermission", "ec2:DescribeNetworkInterfaces", "ec2:DescribeVpcs"),
                *("ec2:DescribeDhcpOptions", "ec2:DescribeSubnets", "ec2:DescribeSecurityGroups"),
            ),
            (ANY,),
            "SageMaker makes its interface before it has a name",
        )
        return role
