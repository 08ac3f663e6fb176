// oidc-provider on loopback, as fast as it can be: no warnings, no extra claims.
//
// The one argument is JSON: {modules, port, client, resource, file}; without a file it keeps everything in memory.
// Its codes and tokens are made by its own models: POST /mint/codes?count=N and POST /mint/tokens?count=N answer
// with one a line.

import { createHash, generateKeyPairSync, randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import { pathToFileURL } from 'node:url';

import { mapAdapter, sqliteAdapter } from './oidc_provider_adapters.mjs';

const settings = JSON.parse(process.argv[2]);
const { default: Provider } = await import(pathToFileURL(`${settings.modules}/oidc-provider/lib/index.js`));

const Adapter = settings.file ? sqliteAdapter(settings.file) : mapAdapter();

const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const provider = new Provider(`http://127.0.0.1:${settings.port}`, {
  adapter: Adapter,
  clients: [{
    client_id: settings.client.id,
    client_secret: settings.client.secret,
    token_endpoint_auth_method: 'client_secret_basic',
    grant_types: ['authorization_code', 'refresh_token', 'client_credentials'],
    response_types: ['code'],
    redirect_uris: [settings.client.redirect_uri],
  }],
  clientDefaults: { id_token_signed_response_alg: 'ES256' },
  jwks: { keys: [{ ...privateKey.export({ format: 'jwk' }), kid: 'one', alg: 'ES256', use: 'sig' }] },
  cookies: { keys: [randomBytes(32).toString('hex')] },
  findAccount: (ctx, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
  scopes: ['openid', 'offline_access', 'mcp'],
  issueRefreshToken: () => true,
  ttl: {
    AccessToken: 900, AuthorizationCode: 3600, ClientCredentials: 900, Grant: 86400, RefreshToken: 86400,
  },
  features: {
    devInteractions: { enabled: false },
    clientCredentials: { enabled: true },
    introspection: { enabled: true },
    resourceIndicators: {
      enabled: true,
      getResourceServerInfo: (ctx, resource) => ({
        scope: 'mcp', audience: resource, accessTokenFormat: 'jwt', jwt: { sign: { alg: 'ES256' } },
      }),
    },
  },
});
const client = await provider.Client.find(settings.client.id);
const callback = provider.callback();

async function consent(accountId) {
  const grant = new provider.Grant({ accountId, clientId: settings.client.id });
  grant.addResourceScope(settings.resource, 'mcp');
  return grant.save();
}

const mints = {
  '/mint/codes': async (accountId, verifier) => new provider.AuthorizationCode({
    client,
    accountId,
    grantId: await consent(accountId),
    scope: 'mcp',
    resource: settings.resource,
    redirectUri: settings.client.redirect_uri,
    codeChallenge: createHash('sha256').update(verifier).digest('base64url'),
    codeChallengeMethod: 'S256',
    authTime: Math.floor(Date.now() / 1000),
  }).save(),

  // Its JWTs cannot be introspected; opaque tokens can.
  '/mint/tokens': async (accountId) => new provider.AccessToken({
    client,
    accountId,
    grantId: await consent(accountId),
    gty: 'authorization_code',
    scope: 'mcp',
    resourceServer: new provider.ResourceServer(settings.resource, {
      scope: 'mcp', audience: settings.resource, accessTokenFormat: 'opaque',
    }),
  }).save(),
};

async function answerMint(url, response) {
  Adapter.forget();
  const people = Array.from({ length: Number(url.searchParams.get('count')) }, () => randomBytes(8).toString('hex'));
  const mint = (person) => mints[url.pathname](person, url.searchParams.get('verifier'));
  response.end((await Promise.all(people.map(mint))).join('\n'));
}

createServer((request, response) => {
  if (request.url.startsWith('/mint/')) answerMint(new URL(request.url, provider.issuer), response);
  else callback(request, response);
}).listen(settings.port, '127.0.0.1');
