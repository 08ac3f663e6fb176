// The official TypeScript client. Run with the endpoint's URL and what names begin with; prints what it came
// across, as JSON.
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { SSEClientTransport } from "@modelcontextprotocol/sdk/client/sse.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import * as types from "@modelcontextprotocol/sdk/types.js";

const [url, prefix] = process.argv.slice(2);
const found = { progress: [], logged: [], heard: new Set() };
const client = new Client(
  { name: "ts", version: "1" },
  { capabilities: { sampling: {}, elicitation: {}, roots: { listChanged: true } } },
);
client.setRequestHandler(types.ElicitRequestSchema, () => ({ action: "accept", content: { name: "Ada" } }));
client.setRequestHandler(types.CreateMessageRequestSchema, () => ({
  role: "assistant",
  content: { type: "text", text: "cheese" },
  model: "m",
}));
client.setRequestHandler(types.ListRootsRequestSchema, () => ({ roots: [{ uri: "file:///work" }] }));
client.setNotificationHandler(types.LoggingMessageNotificationSchema, ({ params }) => {
  found.logged.push(params.data);
});
let hear;
const heard = new Promise((resolve) => (hear = resolve));
client.setNotificationHandler(types.ResourceUpdatedNotificationSchema, ({ method }) => {
  found.heard.add(method);
  hear();
});

async function said(tool, args = {}) {
  const onprogress = ({ progress }) => found.progress.push(progress);
  const result = await client.callTool({ name: prefix + tool, arguments: args }, undefined, { onprogress });
  return result.content.map(({ text }) => text).join("");
}

const Transport = url.endsWith("/sse") ? SSEClientTransport : StreamableHTTPClientTransport;
const transport = new Transport(new URL(url));
await client.connect(transport);
await client.ping();
found.tools = (await client.listTools()).tools.length;
found.add = await said("add", { one: 1, two: 2 });
await client.setLoggingLevel("info");
found.work = await said("work");
found.greet = await said("greet");
found.cheese = await said("cheese");
found.folders = await said("folders");
const [resource] = (await client.listResources()).resources;
found.resource = (await client.readResource({ uri: resource.uri })).contents[0].text;
found.error = await client.readResource({ uri: `${resource.uri}-not-there` }).catch(({ code }) => code);
const controller = new AbortController();
const hanging = client.callTool({ name: `${prefix}hang` }, undefined, { signal: controller.signal });
setTimeout(() => controller.abort(), 100);
found.aborted = await hanging.then(() => false, () => true);
await client.subscribeResource({ uri: resource.uri });
while (!found.heard.size) {
  await said("change");
  await Promise.race([heard, new Promise((resolve) => setTimeout(resolve, 100))]);
}
await client.ping();
await transport.terminateSession?.();
await client.close();
console.log(JSON.stringify({ ...found, heard: [...found.heard] }));
process.exit(0);
