"""Tokens that Google gives, asked for with google-auth in threads, since it blocks.

access_token         the kind GoogleAccessToken
id_token             the kind GoogleIdToken
settings             what the Google kinds share
caller_identity      as whom we ask: metadata server, key file, a person's login, federation
login                what a person's own login can and cannot do
iam                  impersonation, by iamcredentials
token_source         one fetch in a thread, bounded in time
access_token_source  access tokens
id_token_source      ID tokens
requests             google-auth's transport, bounded
failure              what google-auth says, as one of our errors
"""
