"""Lambda functions that a user deploys, a package each. Each stands alone: the standard library, boto3, botocore."""
