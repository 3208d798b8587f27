// A process of its own for hostile-replies.test.ts, run with --expose-gc: how many bytes of memory 250 sends leave behind.
import { createGuardedHttp } from '../../src/net/guarded-http.ts';

const url = `http://127.0.0.1:${process.argv[2]}/`;
const policy = { allowCidrs: ['127.0.0.0/8'], allowHttp: true, hosts: [] };
const http = createGuardedHttp({ policy, lookup: () => Promise.resolve([]) });

async function send(times: number): Promise<void> {
  for (let index = 0; index < times; index += 1) {
    const result = await http.post({ url, headers: {}, body: '{}' });
    if (!result.ok) throw new Error(result.message);
  }
}

function usedBytes(): { heap: number; all: number } {
  globalThis.gc?.();
  const { heapUsed, external, arrayBuffers } = process.memoryUsage();
  return { heap: heapUsed, all: heapUsed + external + arrayBuffers };
}

await send(50);
const before = usedBytes();
await send(250);
const after = usedBytes();
await http.close();
process.stdout.write(JSON.stringify({ heap: after.heap - before.heap, all: after.all - before.all }));
