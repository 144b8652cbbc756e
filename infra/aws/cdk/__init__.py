"""The CDK app: one stack, built of one construct a subject. Runs in an environment of its own (../requirements.txt)."""
