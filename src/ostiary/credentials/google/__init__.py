"""How Google is asked for tokens, with google-auth in threads, since it blocks.

settings       what the Google kinds share
identity       as whom we ask: metadata server, key file, a person's login, federation
login          what a person's own login can and cannot do
iam            impersonation, by iamcredentials
source         one fetch in a thread, bounded in time
access_tokens  access tokens
id_tokens      ID tokens
requests       google-auth's transport, bounded
failure        what google-auth says, as one of our errors
"""
