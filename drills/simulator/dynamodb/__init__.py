"""DynamoDB as drills rely on it: compact tables with true history, streams, backups, replicas."""
