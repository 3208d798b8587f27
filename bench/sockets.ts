// Opens sockets of dashboards in a process of its own, each of another user, and reports how long items took since `data.sentAtMs`. argv: url, tokens file.
import { readFileSync } from 'node:fs';
import WebSocket from 'ws';

const [url = '', file = ''] = process.argv.slice(2);
const tokens = readFileSync(file, 'utf8').trim().split('\n');
const QUERY = 'subscription { inbox { cursor ... on InboxItemAdded { item { id title data } } } }';

let latenciesMs: number[] = [];
let readySockets = 0;

for (const token of tokens) {
  const socket = new WebSocket(url, 'graphql-transport-ws');
  socket.on('open', () => socket.send(JSON.stringify({ type: 'connection_init', payload: { Authorization: `Bearer ${token}` } })));
  socket.on('message', (bytes: Buffer) => {
    const message = JSON.parse(bytes.toString()) as { type: string; payload?: { data: { inbox: { item?: { data: { sentAtMs: number } } } } } };
    if (message.type === 'connection_ack') socket.send(JSON.stringify({ id: '1', type: 'subscribe', payload: { query: QUERY } }));
    if (message.type === 'ping') socket.send(JSON.stringify({ type: 'pong' }));
    if (message.type !== 'next') return;
    const item = message.payload?.data.inbox.item;
    if (item === undefined) readySockets += 1;
    else latenciesMs.push(performance.timeOrigin + performance.now() - item.data.sentAtMs);
  });
}

process.on('message', (message) => {
  if (message === 'ready') process.send?.({ ready: readySockets });
  if (message === 'count') process.send?.({ count: latenciesMs.length });
  if (message === 'take') {
    process.send?.({ latenciesMs });
    latenciesMs = [];
  }
});
process.on('disconnect', () => process.exit(0));
process.send?.({ started: true });
