"""Watch: alarms, and a budget that tells before it is spent. Both go to one address.

Not here: what Selvedge itself watches (drift, partitions left failed).
"""

from aws_cdk import Aws, Duration
from aws_cdk import aws_budgets as budgets
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from constructs import Construct

from infra.aws.cdk.platform import Platform
from infra.aws.cdk.request_api import RequestApi

SHARES = (50, 80, 100)  # percent of the month's budget at which somebody is told
LEAST_FREE = 10 * 2**30  # bytes of PostgreSQL's disk


class Watch(Construct):
    """Attributes: topic."""

    def __init__(
        self,
        scope: Construct,
        name: str,
        *,
        key: kms.IKey,
        email: str,
        usd_a_month: float,
        api: RequestApi,
        platform: Platform,
    ) -> None:
        super().__init__(scope, name)
        self.topic = sns.Topic(self, "Topic", display_name="Selvedge", master_key=key, enforce_ssl=True)
        self.topic.add_subscription(subscriptions.EmailSubscription(email))
        for service in ("cloudwatch.amazonaws.com", "budgets.amazonaws.com"):
            self.topic.add_to_resource_policy(
                iam.PolicyStatement(
                    principals=[iam.ServicePrincipal(service)],
                    actions=["sns:Publish"],
                    resources=[self.topic.topic_arn],
                    conditions={"StringEquals": {"aws:SourceAccount": Aws.ACCOUNT_ID}},
                )
            )
        self._alarms(api, platform)
        self._budget(usd_a_month)

    def _alarms(self, api: RequestApi, platform: Platform) -> None:
        five = Duration.minutes(5)
        database = platform.database
        self._alarm("RequestsFailed", api.machine.metric_failed(period=five), 1, "an execution failed")
        self._alarm("RequestsTimedOut", api.machine.metric_timed_out(period=five), 1, "one was longer than an hour")
        self._alarm("FunctionErrors", api.function.metric_errors(period=five), 1, "the request function raised")
        self._alarm("MakerThrottled", api.maker.metric_throttles(period=five), 10, "more ads are asked for than made")
        self._alarm("ServerErrors", api.api.metric_server_error(period=five, statistic="Sum"), 5, "it answered 5xx")
        self._alarm("DatabaseBusy", database.metric_cpu_utilization(period=five), 80, "PostgreSQL is busy", periods=6)
        self._alarm(
            "DatabaseFull", database.metric_free_storage_space(period=five), LEAST_FREE, "PostgreSQL's disk", falls=True
        )
        running = cloudwatch.Metric(
            namespace="ECS/ContainerInsights",
            metric_name="RunningTaskCount",
            dimensions_map={"ClusterName": platform.cluster.cluster_name, "ServiceName": platform.service.service_name},
            period=five,
            statistic="Minimum",
        )
        self._alarm("NotRunning", running, 1, "neither Dagster nor MLflow runs", periods=3, falls=True, silence=True)

    def _alarm(
        self,
        name: str,
        metric: cloudwatch.IMetric,
        threshold: float,
        what: str,
        *,
        periods: int = 1,
        falls: bool = False,
        silence: bool = False,
    ) -> None:
        """An alarm that is told. falls: below the threshold is wrong. silence: no figure is wrong, too."""
        below = cloudwatch.ComparisonOperator.LESS_THAN_THRESHOLD
        above = cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD
        treat = cloudwatch.TreatMissingData
        alarm = cloudwatch.Alarm(
            self,
            name,
            metric=metric,
            threshold=threshold,
            evaluation_periods=periods,
            alarm_description=f"Selvedge: {what}",
            comparison_operator=below if falls else above,
            treat_missing_data=treat.BREACHING if silence else treat.NOT_BREACHING,
        )
        alarm.add_alarm_action(actions.SnsAction(self.topic))

    def _budget(self, usd_a_month: float) -> None:
        subscribers = [budgets.CfnBudget.SubscriberProperty(subscription_type="SNS", address=self.topic.topic_arn)]
        budgets.CfnBudget(
            self,
            "Budget",
            budget=budgets.CfnBudget.BudgetDataProperty(
                budget_type="COST",
                time_unit="MONTHLY",
                budget_limit=budgets.CfnBudget.SpendProperty(amount=usd_a_month, unit="USD"),
            ),
            notifications_with_subscribers=[
                budgets.CfnBudget.NotificationWithSubscribersProperty(
                    notification=budgets.CfnBudget.NotificationProperty(
                        comparison_operator="GREATER_THAN",
                        notification_type=kind,
                        threshold=share,
                        threshold_type="PERCENTAGE",
                    ),
                    subscribers=subscribers,
                )
                for share, kind in [*((share, "ACTUAL") for share in SHARES), (100, "FORECASTED")]
            ],
        )
