// A receiver in a process of its own: counts what arrives and how long it took since `data.sentAtMs`. Speaks with its parent by IPC.
import { createServer } from 'node:http';

let latenciesMs: number[] = [];

const server = createServer((request, response) => {
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => {
    const atMs = performance.timeOrigin + performance.now();
    const { data } = JSON.parse(Buffer.concat(chunks).toString()) as { data: { sentAtMs: number } };
    latenciesMs.push(atMs - data.sentAtMs);
    response.end('ok');
  });
});

process.on('message', (message) => {
  if (message === 'count') process.send?.({ count: latenciesMs.length });
  if (message === 'take') {
    process.send?.({ latenciesMs });
    latenciesMs = [];
  }
});
process.on('disconnect', () => process.exit(0));

server.keepAliveTimeout = 60_000;
server.listen(0, '127.0.0.1', () => {
  const address = server.address();
  process.send?.({ port: typeof address === 'object' ? address?.port : 0 });
});
