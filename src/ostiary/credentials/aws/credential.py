"""AWS signatures, attached to a server."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ostiary.credentials.aws.settings import AwsSigV4Settings
from ostiary.credentials.aws.signed_headers import AwsSigV4Headers
from ostiary.credentials.aws.web_identity import WebIdentitySource
from ostiary.credentials.subject import headers_for
from ostiary.credentials.tokens.cache import TokenKey
from ostiary.credentials.tokens.settings_key import key_of

if TYPE_CHECKING:
    from collections.abc import Hashable

    from ostiary.credentials.headers.headers import CredentialHeaders
    from ostiary.credentials.headers.subject_token_source import SubjectTokenSource
    from ostiary.credentials.runtime import Runtime
    from ostiary.oauth.canonical_url import CanonicalUrl


class AwsSigV4(AwsSigV4Settings):
    """Sign each request with keys of an AWS role."""

    def attach(self, server_url: CanonicalUrl, *, runtime: Runtime) -> CredentialHeaders:
        """What a server at this URL is sent."""
        words = ("region", "service")
        key = key_of({name: value for name, value in self if name not in words})

        def make(subject: SubjectTokenSource, whose: Hashable) -> CredentialHeaders:
            source = WebIdentitySource(self, subject, server_url, runtime)
            return AwsSigV4Headers(
                source,
                key=TokenKey(self.type, key, whose),
                runtime=runtime,
                region=self.region,
                service=self.service,
            )

        return headers_for(
            self.subject,
            make,
            token_type="jwt",  # noqa: S106 - a type's name
            shown_to=self.sts,
            credential=self.type,
            endpoint=server_url.origin,
            runtime=runtime,
        )
