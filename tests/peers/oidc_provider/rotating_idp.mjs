// An OpenID provider on loopback whose refresh tokens rotate: one that is shown twice ends all that followed from it.
//
// Reads one line of JSON: {modules, client, lifetime, clock}; prints its issuer, and serves until its standard input
// ends. Nobody signs in with a browser: POST /people with a list of accounts answers with the first tokens of each, as
// it makes them for a code. GET /seen says what became of them. Its clock is moved with the tests': see moved_clock.py.

import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { openSync, readSync } from 'node:fs';
import { createServer } from 'node:http';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { pathToFileURL } from 'node:url';

const lines = createInterface({ input: process.stdin });
lines.on('close', () => process.exit(0));
const settings = JSON.parse(await new Promise((resolve) => lines.once('line', resolve)));

const machine = Date.now;
const file = openSync(settings.clock);
const moved = Buffer.alloc(8);
Date.now = () => {
  readSync(file, moved, 0, 8, 0);
  return machine() + 1000 * moved.readDoubleLE();
};

const { default: Provider } = await import(pathToFileURL(`${settings.modules}/oidc-provider/lib/index.js`));
const { mapAdapter } = await import('../../../benchmarks/oidc_provider_adapters.mjs');

const server = createServer();
await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
const issuer = `http://127.0.0.1:${server.address().port}`;
const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });

const provider = new Provider(issuer, {
  adapter: mapAdapter(), // its own forgets whom it has not seen among the last thousand
  clients: [settings.client],
  clientDefaults: { id_token_signed_response_alg: 'ES256' },
  jwks: { keys: [{ ...privateKey.export({ format: 'jwk' }), kid: 'one', alg: 'ES256', use: 'sig' }] },
  cookies: { keys: [randomBytes(32).toString('hex')] },
  findAccount: (ctx, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
  ttl: { AccessToken: settings.lifetime, IdToken: 3600, Grant: 86400, RefreshToken: 86400 },
  rotateRefreshToken: true,
  features: { devInteractions: { enabled: false } },
});
const client = await provider.Client.find(settings.client.client_id);
const callback = provider.callback();

const seen = { refreshed: 0, refused: [], revoked: 0 };
provider.on('grant.success', () => { seen.refreshed += 1; });
provider.on('grant.revoked', () => { seen.revoked += 1; });
provider.on('grant.error', (ctx, error) => {
  seen.refused.push([ctx.oidc.entities.Account?.accountId ?? null, error.error_detail ?? error.message]);
});

async function welcome(accountId) {
  const grant = new provider.Grant({ accountId, clientId: client.clientId });
  grant.addOIDCScope('openid');
  const given = {
    client, accountId, grantId: await grant.save(), gty: 'authorization_code', scope: 'openid', claims: {},
  };
  const began = Math.floor(Date.now() / 1000);
  return {
    access_token: await new provider.AccessToken(given).save(),
    refresh_token: await new provider.RefreshToken({ ...given, iiat: began, authTime: began }).save(),
    expires_at: began + settings.lifetime,
  };
}

server.on('request', async (request, response) => {
  if (request.url === '/people') {
    response.end(JSON.stringify(await Promise.all(JSON.parse(await text(request)).map(welcome))));
  } else if (request.url === '/seen') {
    response.end(JSON.stringify(seen));
  } else {
    callback(request, response);
  }
});
console.log(JSON.stringify({ issuer }));
