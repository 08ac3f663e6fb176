// The official TypeScript SDK's client as somebody's program: calls tools as its standard input says.
//
// Reads a line of JSON {modules, server, store, port, metadata}, then lines {tool, arguments}; writes
// lines {open: URL}, {connected: true}, {result} and {error}. What it knows is kept in the file `store`.

import { randomUUID } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const settings = JSON.parse((await lines.next()).value);
const sdk = `${settings.modules}/@modelcontextprotocol/client/dist/index.mjs`;
const { Client, StreamableHTTPClientTransport, UnauthorizedError } = await import(pathToFileURL(sdk));

const say = (message) => process.stdout.write(`${JSON.stringify(message)}\n`);
const redirectUrl = `http://127.0.0.1:${settings.port}/callback`;

const answers = [];
const waiting = [];
const callback = createServer((request, response) => {
  const url = new URL(request.url, redirectUrl);
  if (url.pathname !== '/callback') {
    response.writeHead(404).end();
    return;
  }
  response.writeHead(200, { 'content-type': 'text/html' }).end('<h1>The client has its answer</h1>');
  (waiting.shift() ?? ((found) => answers.push(found)))(url.searchParams);
});
await new Promise((resolve) => callback.listen(settings.port, '127.0.0.1', resolve));
const answer = () => (answers.length ? answers.shift() : new Promise((resolve) => waiting.push(resolve)));

const kept = existsSync(settings.store) ? JSON.parse(readFileSync(settings.store, 'utf8')) : {};
const keep = (values) => writeFileSync(settings.store, JSON.stringify(Object.assign(kept, values)));
let state;

const provider = {
  redirectUrl,
  ...(settings.metadata && { clientMetadataUrl: settings.metadata }),
  clientMetadata: {
    client_name: 'TypeScript SDK',
    redirect_uris: [redirectUrl],
    grant_types: ['authorization_code', 'refresh_token'],
    response_types: ['code'],
    token_endpoint_auth_method: 'none',
    application_type: 'native',
  },
  state: () => (state = randomUUID()),
  clientInformation: () => kept.client,
  saveClientInformation: (client) => keep({ client }),
  tokens: () => kept.tokens,
  saveTokens: (tokens) => keep({ tokens }),
  codeVerifier: () => kept.verifier,
  saveCodeVerifier: (verifier) => keep({ verifier }),
  discoveryState: () => kept.discovery,
  saveDiscoveryState: (discovery) => keep({ discovery }),
  redirectToAuthorization: (url) => say({ open: url.href }),
  invalidateCredentials: (scope) => {
    const named = { all: ['client', 'tokens', 'verifier', 'discovery'] }[scope] ?? [scope];
    keep(Object.fromEntries(named.map((name) => [name, undefined])));
  },
};

let transport;
const connect = async () => {
  const client = new Client({ name: 'typescript-sdk', version: '1' }, { versionNegotiation: { mode: 'auto' } });
  transport = new StreamableHTTPClientTransport(new URL(settings.server), { authProvider: provider });
  await client.connect(transport);
  return client;
};

// A refusal that only a person can mend is an UnauthorizedError; afterwards the same is done once more.
const signedIn = async (work) => {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof UnauthorizedError)) throw error;
  }
  const parameters = await answer();
  if (parameters.get('state') !== state) throw new Error('the answer has another state');
  if (parameters.has('error')) throw new Error(`the authorization server answers ${parameters}`);
  await transport.finishAuth(parameters);
  return work();
};

try {
  const client = await signedIn(connect);
  say({ connected: true });
  for await (const line of lines) {
    const { tool, arguments: given } = JSON.parse(line);
    say({ result: await signedIn(() => client.callTool({ name: tool, arguments: given })) });
  }
  await client.close();
} catch (error) {
  say({ error: `${error?.stack ?? error}` });
}
process.exit(0);
