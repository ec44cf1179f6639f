// An HTTP proxy between a worker and a server. It drops responses, repeats or refuses requests, and records the steps
// that heartbeats list.
import http from 'node:http';

/** Starts a proxy to a server on this machine. */
export async function startProxy(port) {
  const proxy = {
    /** Returns the fault for a request: `drop` its response, send it `twice`, `refuse` it, or undefined. */
    decide: () => undefined,
    counts: { requests: 0, drop: 0, twice: 0, refuse: 0, leases_lost: 0 },
    /** The steps that the last heartbeat listed, and the number of heartbeats. */
    listed: [],
    beats: 0,
  };
  const agent = new http.Agent({ keepAlive: true });
  const forward = ({ method, url, headers }, body) =>
    new Promise((resolve, reject) => {
      const request = http.request({ port, host: '127.0.0.1', method, path: url, headers, agent }, (answer) => {
        const parts = [];
        answer.on('data', (part) => parts.push(part));
        answer.on('end', () =>
          resolve({ status: answer.statusCode, headers: answer.headers, body: Buffer.concat(parts) }),
        );
        answer.on('error', reject);
      });
      request.on('error', reject);
      request.end(body);
    });
  const server = http.createServer(async (request, response) => {
    const parts = [];
    try {
      for await (const part of request) parts.push(part);
      const body = Buffer.concat(parts);
      proxy.counts.requests++;
      const fault = proxy.decide(request.url, request.method);
      if (fault) proxy.counts[fault]++;
      if (fault === 'refuse') return response.destroy();
      if (request.url.endsWith('/heartbeat')) {
        proxy.listed = JSON.parse(body.toString()).steps.map((step) => step.step_uuid);
        proxy.beats++;
      }
      let answer = await forward(request, body);
      if (fault === 'twice') answer = await forward(request, body);
      if (answer.status === 409 && answer.body.includes('WORKER_LOST')) proxy.counts.leases_lost++;
      if (fault === 'drop') return response.destroy();
      response.writeHead(answer.status, { 'content-type': 'application/json' });
      response.end(answer.body);
    } catch {
      response.destroy();
    }
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  proxy.url = `http://127.0.0.1:${server.address().port}`;
  proxy.close = () => {
    server.closeAllConnections();
    server.close();
    agent.destroy();
  };
  return proxy;
}
