"""AWS at full size: training jobs and endpoints of SageMaker, the function that makes ads, what a deployment creates.

Belongs here: requests that are built and sent, from plain values and settings; what they cost. Not here: clients and
errors (inference/ad_images/aws.py), the infrastructure (infra/aws/), the jobs' own work (training/, inference/).
"""
