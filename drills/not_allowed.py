"""How AWS says that whoever asks may not, whatever the service: by the status, or by the code alone."""

from __future__ import annotations

from botocore.exceptions import ClientError

CODES = frozenset(
    {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "ExpiredToken", "ExpiredTokenException"}
    | {"InvalidClientTokenId", "UnrecognizedClientException"}
)
"""Some services, DynamoDB and KMS among them, say them with the status 400. Source: DynamoDB developer guide, Error
handling; KMS API reference, Common errors."""


def not_allowed(error: Exception) -> bool:
    """Whether AWS refuses these credentials, and will not take them by being asked again."""
    if not isinstance(error, ClientError):
        return False
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
    return status in (401, 403) or error.response["Error"].get("Code") in CODES
