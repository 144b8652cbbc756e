"""AWS at full size: what is created there, as code, and how it is checked without an account.

Belongs here: the CDK app (cdk/), the function behind the request API (function/), the templates that it synthesises
(templates/), prices, container files, and the check of all of them (check.py). Not here: calling AWS while Selvedge
runs (orchestration/aws/, inference/).

The CDK app needs packages that must not meet ours, so it runs in an environment of its own and nothing of the product
imports it. What it makes is kept as a file: `selvedge deploy plan` and the tests read that, and `make check-aws` fails
where it is not what the app makes now.
"""
