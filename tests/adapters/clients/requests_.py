"""Plain `requests`."""

import requests
from conversation import URL, RawSession, converse_blocking, credential, runtime

from ostiary.credentials.adapters.requests import CredentialAuth

session = RawSession()
with requests.Session() as http:
    http.auth = CredentialAuth(credential, server_url=URL, runtime=runtime)
    begun = http.post(URL, json=session.initialize, headers=session.headers)
    session.begun(begun.headers["mcp-session-id"])
    http.post(URL, json=session.initialized, headers=session.headers)
    converse_blocking(lambda: http.post(URL, json=session.call, headers=session.headers).text)
