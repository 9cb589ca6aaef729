// Drives `flaky proxy` with toxiproxy's own client for Node: proxies, every toxic at run time on open connections,
// populate, reset, and the errors. Arguments: the URL of the admin API.
import assert from "node:assert/strict";
import { once } from "node:events";
import net from "node:net";
import toxiproxyClient from "toxiproxy-node-client";

const { Toxiproxy } = toxiproxyClient;
const api = process.argv[2];
const toxiproxy = new Toxiproxy(api);
const passed = [];

// A service that sends back what it gets.
const echo = net.createServer({ allowHalfOpen: true }, (socket) => {
  socket.on("error", () => {});
  socket.pipe(socket);
});
echo.listen(0, "127.0.0.1");
await once(echo, "listening");
const upstream = `127.0.0.1:${echo.address().port}`;

let open = [];
class Client {
  static async to(proxy) {
    const at = proxy.listen.lastIndexOf(":");
    const client = new Client();
    client.bytes = Buffer.alloc(0);
    client.socket = net.connect({ host: proxy.listen.slice(0, at), port: Number(proxy.listen.slice(at + 1)), allowHalfOpen: true });
    client.socket.on("data", (chunk) => { client.bytes = Buffer.concat([client.bytes, chunk]); client.wake?.(); });
    client.ended = new Promise((resolve) => {
      client.socket.on("end", () => resolve("end"));
      client.socket.on("error", (error) => resolve(error.code));
    });
    open.push(client);
    await Promise.race([once(client.socket, "connect"), client.ended.then((end) => { throw Object.assign(new Error(end), { code: end }); })]);
    return client;
  }
  async echo(text) {
    const began = performance.now();
    this.socket.write(text);
    const expected = this.bytes.length + text.length;
    while (this.bytes.length < expected) {
      const end = await Promise.race([this.ended, new Promise((resolve) => { this.wake = resolve; })]);
      assert.equal(end, undefined, "the connection ended before the echo came");
    }
    return performance.now() - began;
  }
}

async function check(name, act) {
  await toxiproxy.reset();
  const late = setTimeout(() => { console.error(`  hangs  ${name}`); process.exit(1); }, 10_000);
  await act().catch((error) => { console.error(`  FAILED  ${name}`); throw error; });
  clearTimeout(late);
  open.forEach((client) => client.socket.destroy());
  open = [];
  passed.push(name);
}

/** A refusal with this status, and with toxiproxy's JSON. */
async function refused(path, init, status, error) {
  const answer = await fetch(`${api}${path}`, init);
  assert.equal(answer.status, status);
  assert.deepEqual(await answer.json(), { error, status });
}

const proxy = await toxiproxy.createProxy({ name: "echo", listen: "127.0.0.1:0", upstream });
const toxic = (type, attributes, stream = "downstream", toxicity = 1) =>
  proxy.addToxic({ name: `my-${type}`, type, stream, toxicity, attributes });

await check("proxies are created, listed, fetched and removed", async () => {
  assert.match(proxy.listen, /^127\.0\.0\.1:[1-9]\d*$/);
  assert.deepEqual({ ...proxy.toJson(), listen: "" }, { name: "echo", enabled: true, upstream, listen: "" });
  const second = await toxiproxy.createProxy({ name: "second", listen: "localhost:0", upstream });
  assert.deepEqual(Object.keys(await toxiproxy.getAll()).sort(), ["echo", "second"]);
  assert.equal((await toxiproxy.get("second")).listen, second.listen);
  await second.remove();
  assert.deepEqual(Object.keys(await toxiproxy.getAll()), ["echo"]);
});

await check("populate replaces what differs and keeps the rest", async () => {
  const there = await toxiproxy.populate([
    { name: "echo", listen: proxy.listen, upstream },
    { name: "off", listen: "127.0.0.1:0", upstream, enabled: false },
  ]);
  assert.equal(there.echo.listen, proxy.listen);
  assert.equal(there.off.enabled, false);
  await there.off.remove();
});

await check("a disabled proxy refuses, an enabled one listens again", async () => {
  const client = await Client.to(proxy);
  assert.equal((await proxy.update({ enabled: false, listen: proxy.listen, upstream })).enabled, false);
  await client.ended;
  await assert.rejects(Client.to(proxy), { code: "ECONNREFUSED" });
  assert.equal((await proxy.update({ enabled: true, listen: proxy.listen, upstream })).enabled, true);
  await (await Client.to(proxy)).echo("again");
});

await check("toxics are fetched, changed and removed, on a connection that is open", async () => {
  const client = await Client.to(proxy);
  await client.echo("sound");
  const latency = await toxic("latency", { latency: 80, jitter: 5 });
  assert.deepEqual(latency.toJson(), { name: "my-latency", type: "latency", stream: "downstream", toxicity: 1, attributes: { latency: 80, jitter: 5 } });
  assert.ok(await client.echo("late") >= 74);
  const changed = await latency.update({ attributes: { latency: 20 }, toxicity: 1 });
  assert.deepEqual(changed.attributes, { latency: 20, jitter: 5 });
  assert.deepEqual((await proxy.getToxic("my-latency")).toJson(), changed.toJson());
  await latency.remove();
  await assert.rejects(proxy.getToxic("my-latency"));
  await client.echo("sound again");
});

await check("bandwidth", async () => {
  const client = await Client.to(proxy);
  await toxic("bandwidth", { rate: 100 });
  assert.ok(await client.echo("x".repeat(10_000)) >= 80);
});

await check("slow_close", async () => {
  const client = await Client.to(proxy);
  await toxic("slow_close", { delay: 100 });
  await client.echo("all");
  const began = performance.now();
  client.socket.end();
  assert.equal(await client.ended, "end");
  assert.ok(performance.now() - began >= 95);
});

await check("timeout", async () => {
  const client = await Client.to(proxy);
  await toxic("timeout", { timeout: 100 });
  client.socket.write("lost");
  assert.equal(await client.ended, "end");
  assert.equal(client.bytes.length, 0);
});

await check("timeout 0 closes when it is removed", async () => {
  const client = await Client.to(proxy);
  const timeout = await toxic("timeout", { timeout: 0 });
  client.socket.write("lost");
  await timeout.remove();
  // What the proxy had not read yet makes TCP end the connection with a reset.
  assert.match(await client.ended, /^(end|ECONNRESET)$/);
});

await check("reset_peer", async () => {
  const client = await Client.to(proxy);
  await client.echo("sound");
  await toxic("reset_peer", { timeout: 0 });
  assert.equal(await client.ended, "ECONNRESET");
});

await check("slicer", async () => {
  const client = await Client.to(proxy);
  await toxic("slicer", { average_size: 10, size_variation: 5, delay: 2000 });
  assert.ok(await client.echo("x".repeat(200)) >= 20);
});

await check("limit_data", async () => {
  const client = await Client.to(proxy);
  await toxic("limit_data", { bytes: 4 });
  client.socket.write("123456");
  assert.equal(await client.ended, "end");
  assert.equal(client.bytes.toString(), "1234");
});

await check("down", async () => {
  const client = await Client.to(proxy);
  const down = await toxic("down", {});
  assert.equal(await client.ended, "ECONNRESET");
  await assert.rejects(Client.to(proxy), { code: "ECONNREFUSED" });
  await down.remove();
  await (await Client.to(proxy)).echo("again");
});

await check("a toxicity of zero bites nobody, and upstream is upstream", async () => {
  await toxic("reset_peer", { timeout: 0 }, "downstream", 0);
  await toxic("latency", { latency: 50, jitter: 0 }, "upstream");
  const client = await Client.to(proxy);
  assert.ok(await client.echo("late") >= 49);
});

await check("reset removes toxics and enables proxies", async () => {
  await toxic("limit_data", { bytes: 0 });
  await proxy.update({ enabled: false, listen: proxy.listen, upstream });
  await toxiproxy.reset();
  await (await Client.to(proxy)).echo("sound");
});

await check("errors are toxiproxy's", async () => {
  await toxic("latency", { latency: 1 });
  const post = (body) => ({ method: "POST", body: JSON.stringify(body) });
  await refused("/proxies/none", {}, 404, "proxy not found");
  await refused("/proxies/echo/toxics/none", {}, 404, "toxic not found");
  await refused("/proxies", post({ name: "echo", upstream }), 409, "proxy already exists");
  await refused("/proxies", post({ upstream }), 400, "missing required field: name");
  await refused("/proxies", post({ name: "x" }), 400, "missing required field: upstream");
  await refused("/proxies/echo/toxics", post({ name: "my-latency", type: "latency" }), 409, "toxic already exists");
  await refused("/proxies/echo/toxics", post({ type: "acid" }), 400, "invalid toxic type");
  await refused("/proxies/echo/toxics", post({ type: "latency", stream: "sideways" }), 400, "stream was invalid, can be either upstream or downstream");
  assert.match((await (await fetch(`${api}/proxies`, { method: "POST", body: "{" })).json()).error, /^bad request body: /);
});

await check("version", async () => assert.match((await (await fetch(`${api}/version`)).json()).version, /^\d+\.\d+\.\d+$/));

await check("what is ours: time to live, fail_first, the journal", async () => {
  await proxy.addToxic({ name: "first", type: "reset_peer", stream: "downstream", toxicity: 1, attributes: {}, fail_first: 1 });
  await proxy.addToxic({ name: "short", type: "latency", stream: "downstream", toxicity: 1, attributes: { latency: 1 }, ttl: "100ms" });
  assert.equal(await Client.to(proxy).then((client) => client.ended, (error) => error.code), "ECONNRESET");
  await (await Client.to(proxy)).echo("the second is sound");
  const { entries } = await (await fetch(`${api}/journal`)).json();
  assert.ok(entries.some(({ rule_name, on, effect, connection }) => rule_name === "first" && on === "connection" && effect === "reset" && connection > 0));
  assert.deepEqual(entries.map(({ number }) => number), entries.map((_, index) => entries[0].number + index));
  while ((await (await fetch(`${api}/proxies/echo/toxics`)).json()).some(({ name }) => name === "short")) {
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
});

await proxy.remove();
console.log(passed.map((name) => `  ok  ${name}`).join("\n"));
process.exit(0);
