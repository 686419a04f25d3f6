"""S3 where drills depend on it: versions, locks, replication, lifecycle, access across accounts."""
