"""The platform: Selvedge's services in ECS, and their database in RDS.

Belongs here: the task, its service, PostgreSQL, what both may do. Not here: what `selvedge up` starts.

One task runs `selvedge up`: Dagster's web server and daemon, and MLflow, which trust the loopback address they share.
Its doors listen on that address only, so no load balancer leads to it: people come through Session Manager's port
forwarding, with their own AWS identity, and with the link's token behind that. There is one of it, because there must
be one daemon; ECS starts another where it ends. Runs are processes of that task, since they ask MLflow at its loopback
address; what wants an accelerator is a training job (orchestration/aws/training_job.py).
"""

from aws_cdk import Aws, Duration, RemovalPolicy
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecr as ecr
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from aws_cdk import aws_rds as rds
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from infra.aws.cdk.access import ANY, accept, allow, service_role
from infra.aws.cdk.stores import Stores

ASK = "import urllib.request; urllib.request.urlopen('http://127.0.0.1:3000/selvedge/health', timeout=5)"
PORT = 5432
DATABASE = "selvedge"
STREAMS = "ECS names a stream after its task"


class Platform(Construct):
    """Attributes: service, cluster, database, task_role."""

    def __init__(
        self,
        scope: Construct,
        name: str,
        *,
        stores: Stores,
        key: kms.IKey,
        vpc: ec2.IVpc,
        image: ecr.IRepository,
        tag: str,
    ) -> None:
        super().__init__(scope, name)
        self._stores, self._key, self._vpc = stores, key, vpc
        self.tasks = ec2.SecurityGroup(
            self, "Tasks", vpc=vpc, description="Tasks of Selvedge: nobody speaks to them", allow_all_outbound=True
        )
        self.database = self._database()
        self.evidence = secretsmanager.Secret(
            self,
            "EvidenceKey",
            description="SELVEDGE_EVIDENCE_KEY: signs what a promotion rests on",
            encryption_key=key,
            generate_secret_string=secretsmanager.SecretStringGenerator(password_length=64, exclude_punctuation=True),
            removal_policy=RemovalPolicy.RETAIN,
        )
        accept(self.evidence, "SMG4", "A new key would make every signature before it unreadable.")
        self.cluster = ecs.Cluster(self, "Cluster", vpc=vpc, container_insights_v2=ecs.ContainerInsights.ENABLED)
        self.task_role = self._task_role()
        self.execution_role, group = self._execution_role(image)
        definition = self._definition(image, tag, group)
        self.service = ecs.FargateService(
            self,
            "Service",
            cluster=self.cluster,
            task_definition=definition,
            desired_count=1,
            min_healthy_percent=0,  # the old daemon ends before the new one begins
            max_healthy_percent=100,
            assign_public_ip=False,
            vpc_subnets=ec2.SubnetSelection(subnet_type=ec2.SubnetType.PRIVATE_WITH_EGRESS),
            security_groups=[self.tasks],
            circuit_breaker=ecs.DeploymentCircuitBreaker(enable=True, rollback=True),
            enable_execute_command=True,
            propagate_tags=ecs.PropagatedTagSource.SERVICE,
        )

    def _database(self) -> rds.DatabaseInstance:
        door = ec2.SecurityGroup(
            self,
            "DatabaseDoor",
            vpc=self._vpc,
            description="PostgreSQL: tasks of Selvedge only",
            allow_all_outbound=False,
        )
        door.add_ingress_rule(self.tasks, ec2.Port.tcp(PORT), "Tasks of Selvedge")
        engine = rds.DatabaseInstanceEngine.postgres(version=rds.PostgresEngineVersion.VER_17_6)
        database = rds.DatabaseInstance(
            self,
            "Database",
            engine=engine,
            instance_type=ec2.InstanceType.of(ec2.InstanceClass.T4G, ec2.InstanceSize.MEDIUM),
            vpc=self._vpc,
            vpc_subnets=ec2.SubnetSelection(subnet_type=ec2.SubnetType.PRIVATE_ISOLATED),
            security_groups=[door],
            database_name=DATABASE,
            credentials=rds.Credentials.from_generated_secret(
                "selvedge", encryption_key=self._key, exclude_characters=" %+~`#$&*()|[]{}:;<>?!'/@\"\\^,=."
            ),
            parameter_group=rds.ParameterGroup(
                self,
                "Parameters",
                engine=engine,
                parameters={"rds.force_ssl": "1", "log_min_duration_statement": "1000"},
            ),
            allocated_storage=50,
            max_allocated_storage=500,
            storage_type=rds.StorageType.GP3,
            storage_encrypted=True,
            storage_encryption_key=self._key,
            multi_az=True,
            backup_retention=Duration.days(14),
            deletion_protection=True,
            delete_automated_backups=False,
            copy_tags_to_snapshot=True,
            auto_minor_version_upgrade=True,
            iam_authentication=True,
            enable_performance_insights=True,
            performance_insight_encryption_key=self._key,
            monitoring_interval=Duration.minutes(1),
            monitoring_role=self._monitoring_role(),
            cloudwatch_logs_exports=["postgresql", "upgrade"],
            removal_policy=RemovalPolicy.RETAIN,
        )
        accept(database, "RDS11", "The port is open to one security group; another number would hide nothing.")
        accept(
            database.node.find_child("Secret"),
            "SMG4",
            "The task reads it once, at its start: docs/aws.md says how it is changed by hand.",
        )
        return database

    def _monitoring_role(self) -> iam.Role:
        role = service_role(self, "Monitoring", "monitoring.rds.amazonaws.com", "Writes PostgreSQL's host figures")
        group = f"arn:{Aws.PARTITION}:logs:{Aws.REGION}:{Aws.ACCOUNT_ID}:log-group:RDSOSMetrics"
        allow(
            role,
            ("logs:CreateLogGroup", "logs:PutRetentionPolicy", "logs:CreateLogStream", "logs:PutLogEvents"),
            (group, f"{group}:log-stream:*"),
            "RDS names its streams itself",
        )
        return role

    def _task_role(self) -> iam.Role:
        stores = self._stores
        role = service_role(self, "TaskRole", "ecs-tasks.amazonaws.com", "Selvedge: its services and its runs")
        for bucket in (stores.data, stores.models):
            allow(role, ("s3:ListBucket", "s3:GetBucketLocation"), (bucket.bucket_arn,))
            allow(
                role,
                ("s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload"),
                (bucket.arn_for_objects("*"),),
                "Everything Selvedge keeps is in these two buckets",
            )
        allow(role, ("dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query"), (stores.ads.table_arn,))
        allow(role, ("kms:Decrypt", "kms:GenerateDataKey"), (self._key.key_arn,))
        model = f"arn:{Aws.PARTITION}:bedrock:{Aws.REGION}"
        allow(
            role,
            ("bedrock:InvokeModel", "bedrock:GetFoundationModel"),
            (f"{model}::foundation-model/*", f"{model}:{Aws.ACCOUNT_ID}:inference-profile/*"),
            "Which model is asked is a setting of the home",
        )
        allow(
            role,
            (
                *("ssmmessages:CreateControlChannel", "ssmmessages:CreateDataChannel"),
                *("ssmmessages:OpenControlChannel", "ssmmessages:OpenDataChannel"),
            ),
            (ANY,),
            "Session Manager knows no resources",
        )
        return role

    def _execution_role(self, image: ecr.IRepository) -> tuple[iam.Role, logs.LogGroup]:
        """What ECS itself does before the container runs: pull the image, read secrets, write logs."""
        group = logs.LogGroup(
            self,
            "Log",
            retention=logs.RetentionDays.ONE_YEAR,
            encryption_key=self._key,
            removal_policy=RemovalPolicy.RETAIN,
        )
        role = service_role(self, "ExecutionRole", "ecs-tasks.amazonaws.com", "Starts Selvedge's tasks")
        allow(role, ("ecr:GetAuthorizationToken",), (ANY,), "A token is of the whole registry")
        allow(
            role,
            ("ecr:BatchCheckLayerAvailability", "ecr:GetDownloadUrlForLayer", "ecr:BatchGetImage"),
            (image.repository_arn,),
        )
        allow(role, ("logs:CreateLogStream", "logs:PutLogEvents"), (f"{group.log_group_arn}:log-stream:*",), STREAMS)
        allow(role, ("kms:Decrypt",), (self._key.key_arn,))
        assert self.database.secret is not None
        allow(role, ("secretsmanager:GetSecretValue",), (self.database.secret.secret_arn, self.evidence.secret_arn))
        return role, group

    def _definition(self, image: ecr.IRepository, tag: str, group: logs.LogGroup) -> ecs.FargateTaskDefinition:
        definition = ecs.FargateTaskDefinition(
            self,
            "Task",
            cpu=4096,
            memory_limit_mib=16384,
            ephemeral_storage_gib=60,
            task_role=self.task_role,
            execution_role=self.execution_role.without_policy_updates(),
            runtime_platform=ecs.RuntimePlatform(
                cpu_architecture=ecs.CpuArchitecture.X86_64, operating_system_family=ecs.OperatingSystemFamily.LINUX
            ),
        )
        accept(definition, "ECS2", "Settings are no secrets; the two that are come from Secrets Manager.")
        secret, stores = self.database.secret, self._stores
        assert secret is not None
        definition.add_container(
            "selvedge",
            image=ecs.ContainerImage.from_ecr_repository(image, tag),
            command=["selvedge", "up"],
            essential=True,
            linux_parameters=ecs.LinuxParameters(self, "Init", init_process_enabled=True),
            stop_timeout=Duration.seconds(120),
            health_check=ecs.HealthCheck(
                command=["CMD", "python", "-c", ASK],
                interval=Duration.seconds(30),
                timeout=Duration.seconds(10),
                retries=3,
                start_period=Duration.minutes(5),
            ),
            logging=ecs.LogDrivers.aws_logs(stream_prefix="selvedge", log_group=group),
            environment={
                "SELVEDGE_HOME": "/data",
                "SELVEDGE_STORAGE": f"s3://{stores.data.bucket_name}",
                "SELVEDGE_MLFLOW_ARTIFACTS": f"s3://{stores.models.bucket_name}/mlflow",
                "SELVEDGE_AD_ROWS": f"dynamodb:{stores.ads.table_name}",
                "SELVEDGE_POSTGRES": (
                    f"postgresql://selvedge@{self.database.db_instance_endpoint_address}:{PORT}/{DATABASE}?sslmode=require"
                ),
                "SELVEDGE_LABEL_STUDIO": "off",
                "AWS_REGION": Aws.REGION,
                "HF_HUB_OFFLINE": "1",
                "DAGSTER_DISABLE_TELEMETRY": "1",
                "MLFLOW_DISABLE_TELEMETRY": "true",
            },
            secrets={
                "PGPASSWORD": ecs.Secret.from_secrets_manager(secret, "password"),
                "SELVEDGE_EVIDENCE_KEY": ecs.Secret.from_secrets_manager(self.evidence),
            },
        )
        return definition
