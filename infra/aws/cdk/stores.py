"""Stores: the key, the buckets and the tables of DynamoDB.

Belongs here: encryption, versions, how long things are kept, that only TLS reaches them. Not here: who may read them
(each construct allows its own role), PostgreSQL (platform.py).
"""

from aws_cdk import Aws, Duration, RemovalPolicy
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from constructs import Construct

from infra.aws.cdk.access import accept

LOGS_DAYS = 400


class Keys(Construct):
    """One key for everything at rest. Attributes: key."""

    def __init__(self, scope: Construct, name: str) -> None:
        super().__init__(scope, name)
        self.key = kms.Key(
            self,
            "Key",
            description="Everything that Selvedge keeps",
            enable_key_rotation=True,
            removal_policy=RemovalPolicy.RETAIN,
        )
        streams = f"arn:{Aws.PARTITION}:logs:{Aws.REGION}:{Aws.ACCOUNT_ID}:*"
        self.key.add_to_resource_policy(
            iam.PolicyStatement(
                sid="LogGroupsOfThisAccount",
                principals=[iam.ServicePrincipal(f"logs.{Aws.REGION}.amazonaws.com")],
                actions=["kms:Encrypt", "kms:Decrypt", "kms:GenerateDataKey", "kms:DescribeKey"],
                resources=["*"],  # in a key's own policy that is this key
                conditions={"ArnLike": {"kms:EncryptionContext:aws:logs:arn": streams}},
            )
        )
        for service in ("cloudwatch.amazonaws.com", "budgets.amazonaws.com"):
            self.key.add_to_resource_policy(
                iam.PolicyStatement(
                    principals=[iam.ServicePrincipal(service)],
                    actions=["kms:Decrypt", "kms:GenerateDataKey"],
                    resources=["*"],  # this key
                    conditions={"StringEquals": {"aws:SourceAccount": Aws.ACCOUNT_ID}},
                )
            )


class Stores(Construct):
    """Buckets and tables.

    Attributes:
        data: tables, objects, pictures, logs of the steps. models: what MLflow keeps, checkpoints, the mirror of public
            weights. ads: rows of ads, as `inference/ad_images/dynamo_rows.py` reads them. requests: one item a request.
    """

    def __init__(self, scope: Construct, name: str, key: kms.IKey) -> None:
        super().__init__(scope, name)
        self.access_logs = s3.Bucket(
            self,
            "AccessLogs",
            encryption=s3.BucketEncryption.S3_MANAGED,  # S3 delivers access logs to no other encryption
            lifecycle_rules=[s3.LifecycleRule(expiration=Duration.days(LOGS_DAYS))],
            versioned=True,
            **_private(),
        )
        accept(self.access_logs, "S1", "It holds the access logs; logging its own accesses would never end.")
        self.data = self._bucket("Data", key)
        self.models = self._bucket("Models", key)
        self.ads = self._table("Ads", key, sort_key="recipe_key")
        self.requests = self._table("Requests", key, expires="expires_at")

    def _bucket(self, name: str, key: kms.IKey) -> s3.Bucket:
        return s3.Bucket(
            self,
            name,
            encryption=s3.BucketEncryption.KMS,
            encryption_key=key,
            bucket_key_enabled=True,
            versioned=True,
            server_access_logs_bucket=self.access_logs,
            server_access_logs_prefix=f"{name.lower()}/",
            lifecycle_rules=[
                s3.LifecycleRule(
                    noncurrent_version_expiration=Duration.days(30),
                    abort_incomplete_multipart_upload_after=Duration.days(7),
                )
            ],
            **_private(),
        )

    def _table(self, name: str, key: kms.IKey, sort_key: str = "", expires: str = "") -> dynamodb.Table:
        text = dynamodb.AttributeType.STRING
        return dynamodb.Table(
            self,
            name,
            partition_key=dynamodb.Attribute(name="request_id", type=text),
            sort_key=dynamodb.Attribute(name=sort_key, type=text) if sort_key else None,
            time_to_live_attribute=expires or None,
            billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
            encryption=dynamodb.TableEncryption.CUSTOMER_MANAGED,
            encryption_key=key,
            point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(
                point_in_time_recovery_enabled=True
            ),
            deletion_protection=True,
            removal_policy=RemovalPolicy.RETAIN,
        )


def _private() -> dict[str, object]:
    return {
        "block_public_access": s3.BlockPublicAccess.BLOCK_ALL,
        "object_ownership": s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
        "enforce_ssl": True,
        "minimum_tls_version": 1.2,
        "removal_policy": RemovalPolicy.RETAIN,
    }
