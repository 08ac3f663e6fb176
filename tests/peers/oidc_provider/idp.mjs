// An OpenID provider on loopback at which people sign in: prints its issuer, and serves until its standard input ends.
//
// Reads one line of JSON: {modules, clients, people, lifetime, offline_access_only, strangers}.

import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';

const lines = createInterface({ input: process.stdin });
lines.on('close', () => process.exit(0));
const settings = JSON.parse(await new Promise((resolve) => lines.once('line', resolve)));
const { default: Provider } = await import(pathToFileURL(`${settings.modules}/oidc-provider/lib/index.js`));

const server = createServer();
await new Promise((resolve) => server.listen(settings.port, '127.0.0.1', resolve));
const issuer = `http://127.0.0.1:${server.address().port}`;

const people = new Map(settings.people.map((person) => [person.sub, person]));
const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });

const provider = new Provider(issuer, {
  clients: settings.clients,
  clientDefaults: { id_token_signed_response_alg: 'ES256' },
  jwks: { keys: [{ ...privateKey.export({ format: 'jwk' }), kid: 'one', alg: 'ES256', use: 'sig' }] },
  cookies: { keys: [randomBytes(32).toString('hex')] },
  findAccount: (ctx, id) => people.has(id) && { accountId: id, claims: () => people.get(id) },
  claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['name'], groups: ['groups'] },
  conformIdTokenClaims: false,
  scopes: ['openid', 'offline_access', 'mcp'],
  ttl: { AccessToken: settings.lifetime },
  issueRefreshToken: (ctx, client, code) => client.grantTypeAllowed('refresh_token')
    && (!settings.offline_access_only || code.scopes.has('offline_access')),
  rotateRefreshToken: true,
  fetch: (url, { dispatcher, ...options }) => fetch(url, options), // its guard refuses what is on loopback
  features: {
    devInteractions: { enabled: true },
    revocation: { enabled: true },
    introspection: { enabled: true },
    registration: { enabled: settings.strangers },
    clientIdMetadataDocument: { enabled: settings.strangers, ack: 'draft-02' },
    resourceIndicators: {
      enabled: true,
      useGrantedResource: () => true,
      getResourceServerInfo: (ctx, resource) => ({
        scope: 'mcp',
        audience: resource,
        accessTokenFormat: 'jwt',
        accessTokenTTL: settings.lifetime,
        jwt: { sign: { alg: 'ES256' } },
      }),
    },
  },
});
server.on('request', provider.callback());
console.log(JSON.stringify({ issuer }));
