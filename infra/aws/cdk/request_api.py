"""The request API: API Gateway, the function behind it, the state machine, the function that makes ads.

Belongs here: how they are joined, who may call whom, throttling and logs. Not here: what the states do
(ad_request.yaml), what a request looks like (../function/ad_requests.py).
"""

from pathlib import Path

from aws_cdk import Aws, Duration, RemovalPolicy
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_bedrock as bedrock
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecr as ecr
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as functions
from aws_cdk import aws_logs as logs
from aws_cdk import aws_stepfunctions as sfn
from aws_cdk import aws_wafv2 as waf
from constructs import Construct

from infra.aws.cdk.access import ANY, accept, allow, service_role
from infra.aws.cdk.states import definition
from infra.aws.cdk.stores import Stores

CODE = Path(__file__).parents[1] / "function"
REQUESTS_PER_SECOND, BURST = 20, 40
REQUESTS_OF_AN_ADDRESS = 600  # in five minutes
MAKERS_AT_ONCE = 50
HANDLER = "orchestration.aws.ad_function.handler"
PARAGRAPHS = ("VIOLENCE", "HATE", "SEXUAL", "MISCONDUCT", "INSULTS")
LOG_DELIVERY = (
    *("logs:CreateLogDelivery", "logs:GetLogDelivery", "logs:UpdateLogDelivery", "logs:DeleteLogDelivery"),
    *("logs:ListLogDeliveries", "logs:PutResourcePolicy", "logs:DescribeResourcePolicies", "logs:DescribeLogGroups"),
)
GUARDRAIL_SERVICES = (
    *("comprehend:DetectToxicContent", "comprehend:DetectDominantLanguage"),
    "rekognition:DetectModerationLabels",
)
MANAGED_RULES = ("AWSManagedRulesKnownBadInputsRuleSet", "AWSManagedRulesAmazonIpReputationList")
STREAMS = "Lambda names its streams itself"
PICTURES = "Pictures lie under the id of their request"
PHOTOGRAPHS = "Photographs lie under the id of their request"
TRACES = ("xray:PutTraceSegments", "xray:PutTelemetryRecords", "xray:GetSamplingRules", "xray:GetSamplingTargets")


class RequestApi(Construct):
    """`PUT` and `GET /ads/{request_id}` for callers with an AWS identity of this account.

    Attributes:
        api, function, maker, machine: for alarms.
    """

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
        self._stores, self._key = stores, key
        self.maker = self._maker(vpc, image, tag)
        self.machine = self._machine(*self._guardrail())
        self.function = self._function()
        self.api = self._api()

    def _log_group(self, name: str) -> logs.LogGroup:
        return logs.LogGroup(
            self,
            name,
            retention=logs.RetentionDays.ONE_YEAR,
            encryption_key=self._key,
            removal_policy=RemovalPolicy.RETAIN,
        )

    def _role(self, name: str, service: str, what: str, group: logs.ILogGroup | None = None) -> iam.Role:
        role = service_role(self, name, service, what)
        allow(role, TRACES, (ANY,), "Traces know no resources")
        allow(role, ("kms:Decrypt", "kms:GenerateDataKey"), (self._key.key_arn,))
        if group is not None:
            allow(
                role, ("logs:CreateLogStream", "logs:PutLogEvents"), (f"{group.log_group_arn}:log-stream:*",), STREAMS
            )
        return role

    def _maker(self, vpc: ec2.IVpc, image: ecr.IRepository, tag: str) -> functions.DockerImageFunction:
        """Selvedge's CPU image as a function: all stages between the guardrails and the stored pictures."""
        group = self._log_group("MakerLog")
        role = self._role("MakerRole", "lambda.amazonaws.com", "Makes ads and stores them", group)
        stores = self._stores
        allow(role, ("s3:ListBucket",), (stores.data.bucket_arn,))
        allow(role, ("s3:GetObject", "s3:PutObject"), (stores.data.arn_for_objects("objects/ads/*"),), PICTURES)
        allow(role, ("s3:GetObject",), (stores.data.arn_for_objects("uploads/*"),), PHOTOGRAPHS)
        allow(role, ("dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query"), (stores.ads.table_arn,))
        allow(
            role,
            ("ec2:CreateNetworkInterface", "ec2:DescribeNetworkInterfaces", "ec2:DeleteNetworkInterface"),
            (ANY,),
            "Lambda makes its interface before it has a name",
        )
        maker = functions.DockerImageFunction(
            self,
            "Maker",
            code=functions.DockerImageCode.from_ecr(
                image,
                tag_or_digest=tag,
                cmd=["orchestration.aws.ad_function.handler"],
                entrypoint=["python", "-m", "awslambdaric"],
            ),
            description="Selvedge: cuts out, plans, paints, checks, ranks and stores",
            role=role,
            memory_size=4096,
            timeout=Duration.minutes(15),
            reserved_concurrent_executions=MAKERS_AT_ONCE,
            vpc=vpc,
            vpc_subnets=ec2.SubnetSelection(subnet_type=ec2.SubnetType.PRIVATE_WITH_EGRESS),
            allow_all_outbound=True,
            tracing=functions.Tracing.ACTIVE,
            log_group=group,
            environment_encryption=self._key,
            environment={
                "SELVEDGE_HOME": "/tmp/selvedge",
                "SELVEDGE_STORAGE": f"s3://{stores.data.bucket_name}",
                "SELVEDGE_AD_ROWS": f"dynamodb:{stores.ads.table_name}",
                "SELVEDGE_BEDROCK_REGION": Aws.REGION,
                "SELVEDGE_AD_GUARDRAILS": "local",  # the services were asked by the states before
                "HF_HUB_OFFLINE": "1",
            },
        )
        return maker

    def _guardrail(self) -> tuple[str, str, str]:
        """Its id, ARN and version."""
        filters = [
            bedrock.CfnGuardrail.ContentFilterConfigProperty(type=each, input_strength="HIGH", output_strength="HIGH")
            for each in PARAGRAPHS
        ]
        attack = bedrock.CfnGuardrail.ContentFilterConfigProperty(
            type="PROMPT_ATTACK", input_strength="HIGH", output_strength="NONE"
        )
        guardrail = bedrock.CfnGuardrail(
            self,
            "Guardrail",
            name="selvedge-ads",
            description="What a request for ads may not ask",
            blocked_input_messaging="This prompt is refused.",
            blocked_outputs_messaging="This picture is refused.",
            content_policy_config=bedrock.CfnGuardrail.ContentPolicyConfigProperty(filters_config=[*filters, attack]),
            kms_key_arn=self._key.key_arn,
        )
        version = bedrock.CfnGuardrailVersion(
            self, "GuardrailVersion", guardrail_identifier=guardrail.attr_guardrail_id
        )
        return guardrail.attr_guardrail_id, guardrail.attr_guardrail_arn, version.attr_version

    def _machine(self, guardrail: str, guardrail_arn: str, version: str) -> sfn.StateMachine:
        stores = self._stores
        role = self._role("MachineRole", "states.amazonaws.com", "Runs the states of a request for ads")
        allow(role, ("s3:GetObject",), (stores.data.arn_for_objects("uploads/*"),), PHOTOGRAPHS)
        allow(role, ("s3:ListBucket",), (stores.data.bucket_arn,))
        allow(role, ("dynamodb:UpdateItem",), (stores.requests.table_arn,))
        allow(role, ("bedrock:ApplyGuardrail",), (guardrail_arn,))
        allow(role, ("lambda:InvokeFunction",), (self.maker.function_arn,))
        allow(
            role,
            (
                "comprehend:DetectToxicContent",
                "comprehend:DetectDominantLanguage",
                "rekognition:DetectModerationLabels",
            ),
            (ANY,),
            "These services know no resources",
        )
        allow(role, LOG_DELIVERY, (ANY,), "Log delivery knows no resources")
        machine = sfn.StateMachine(
            self,
            "Machine",
            definition_body=sfn.DefinitionBody.from_string(definition()),
            definition_substitutions={
                "Requests": stores.requests.table_name,
                "Guardrail": guardrail,
                "GuardrailVersion": version,
                "MakeFunction": self.maker.function_arn,
            },
            role=role,
            tracing_enabled=True,
            logs=sfn.LogOptions(
                destination=self._log_group("MachineLog"), level=sfn.LogLevel.ALL, include_execution_data=False
            ),  # the data of an execution hold what a person typed
            encryption_configuration=sfn.CustomerManagedEncryptionConfiguration(self._key),
        )
        return machine

    def _function(self) -> functions.Function:
        group = self._log_group("FunctionLog")
        stores = self._stores
        role = self._role("FunctionRole", "lambda.amazonaws.com", "Takes requests for ads", group)
        allow(role, ("dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem"), (stores.requests.table_arn,))
        allow(role, ("dynamodb:GetItem",), (stores.ads.table_arn,))
        allow(role, ("s3:PutObject",), (stores.data.arn_for_objects("uploads/*"),), PHOTOGRAPHS)
        allow(role, ("states:StartExecution",), (self.machine.state_machine_arn,))
        return functions.Function(
            self,
            "Function",
            code=functions.Code.from_asset(str(CODE), exclude=["__init__.py", "__pycache__"]),
            handler="ad_requests.handler",
            runtime=functions.Runtime.PYTHON_3_14,
            architecture=functions.Architecture.ARM_64,
            description="Selvedge: takes requests for ads and tells how they stand",
            role=role,
            memory_size=512,
            timeout=Duration.seconds(28),
            reserved_concurrent_executions=2 * BURST,
            tracing=functions.Tracing.ACTIVE,
            log_group=group,
            environment_encryption=self._key,
            environment={
                "DATA_BUCKET": stores.data.bucket_name,
                "REQUESTS_TABLE": stores.requests.table_name,
                "ADS_TABLE": stores.ads.table_name,
                "STATE_MACHINE": self.machine.state_machine_arn,
            },
        )

    def _api(self) -> apigateway.RestApi:
        api = apigateway.RestApi(
            self,
            "Api",
            rest_api_name="selvedge",
            description="Requests for ads",
            cloud_watch_role=False,  # one role an account and region: whoever runs the account sets it
            endpoint_configuration=apigateway.EndpointConfiguration(types=[apigateway.EndpointType.REGIONAL]),
            deploy_options=apigateway.StageOptions(
                stage_name="v1",
                tracing_enabled=True,
                metrics_enabled=True,
                logging_level=apigateway.MethodLoggingLevel.ERROR,
                data_trace_enabled=False,
                throttling_rate_limit=REQUESTS_PER_SECOND,
                throttling_burst_limit=BURST,
                access_log_destination=apigateway.LogGroupLogDestination(self._log_group("ApiLog")),
                access_log_format=apigateway.AccessLogFormat.custom(
                    '{"id":"$context.requestId","at":"$context.requestTime","method":"$context.httpMethod",'
                    '"path":"$context.resourcePath","status":"$context.status","ms":"$context.responseLatency"}'
                ),  # neither addresses nor names of callers
            ),
            default_method_options=apigateway.MethodOptions(authorization_type=apigateway.AuthorizationType.IAM),
        )
        accept(api, "APIG2", "A body is held to its form by the function, which says what is wrong in one sentence.")
        accept(api, "COG4", "Callers are services of this account; they sign with their roles (IAM), nobody signs up.")
        ad = api.root.add_resource("ads").add_resource("{request_id}")
        behind = apigateway.LambdaIntegration(self.function, allow_test_invoke=False)
        for method in ("PUT", "GET"):
            ad.add_method(method, behind)
        self._wall(api)
        return api

    def _wall(self, api: apigateway.RestApi) -> None:
        """AWS WAF: known bad input, and an address that asks without end."""

        def seen(name: str) -> waf.CfnWebACL.VisibilityConfigProperty:
            return waf.CfnWebACL.VisibilityConfigProperty(
                cloud_watch_metrics_enabled=True, sampled_requests_enabled=False, metric_name=name
            )

        managed = [
            waf.CfnWebACL.RuleProperty(
                name=rules,
                priority=priority,
                override_action=waf.CfnWebACL.OverrideActionProperty(none={}),
                visibility_config=seen(rules),
                statement=waf.CfnWebACL.StatementProperty(
                    managed_rule_group_statement=waf.CfnWebACL.ManagedRuleGroupStatementProperty(
                        vendor_name="AWS", name=rules
                    )
                ),
            )
            for priority, rules in enumerate(
                ("AWSManagedRulesKnownBadInputsRuleSet", "AWSManagedRulesAmazonIpReputationList")
            )
        ]
        often = waf.CfnWebACL.RuleProperty(
            name="OneAddress",
            priority=len(managed),
            action=waf.CfnWebACL.RuleActionProperty(block={}),
            visibility_config=seen("OneAddress"),
            statement=waf.CfnWebACL.StatementProperty(
                rate_based_statement=waf.CfnWebACL.RateBasedStatementProperty(
                    limit=REQUESTS_OF_AN_ADDRESS, aggregate_key_type="IP"
                )
            ),
        )
        wall = waf.CfnWebACL(
            self,
            "Wall",
            scope="REGIONAL",
            default_action=waf.CfnWebACL.DefaultActionProperty(allow={}),
            visibility_config=seen("Wall"),
            rules=[*managed, often],
        )
        waf.CfnWebACLAssociation(
            self, "WallOfTheApi", resource_arn=api.deployment_stage.stage_arn, web_acl_arn=wall.attr_arn
        )
