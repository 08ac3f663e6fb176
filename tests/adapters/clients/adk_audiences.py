"""ADK's ServiceAccount without an audience, and with one that Cloud Run refuses."""

from collections.abc import Iterator

from conversation import converse_blocking
from google.adk.auth.auth_credential import ServiceAccount
from pydantic import ValidationError

from ostiary.credentials import CredentialError
from ostiary.credentials.adapters.adk import from_service_account

WITH_A_PATH = "https://zoo-123456789012.europe-west1.run.app/mcp"
ACCOUNTS = [
    ServiceAccount.model_construct(use_default_credential=True, use_id_token=True),
    ServiceAccount(use_default_credential=True, use_id_token=True, audience=WITH_A_PATH),
]


def refusals() -> Iterator[str]:
    for account in ACCOUNTS:
        try:
            yield str(from_service_account(account))
        except CredentialError as error:
            yield f"{type(error).__name__}: {error}"
        except ValidationError as error:
            yield f"{type(error).__name__}: {error.errors()[0]['ctx']['error']}"


told = refusals()
converse_blocking(lambda: next(told))
