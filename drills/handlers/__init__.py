"""Lambda functions that a user deploys. Each file stands alone: the standard library, boto3 and botocore only."""
