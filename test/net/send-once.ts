// A process of its own for guarded-https.test.ts: what Node reads of its environment, it reads at start.
import { createGuardedHttp } from '../../src/net/guarded-http.ts';

const toPort = Number(process.argv[2]);
const policy = { allowCidrs: [], allowHttp: false, hosts: [{ host: 'hooks.example.com', port: null, address: '127.0.0.1', toPort }] };
const http = createGuardedHttp({ policy, lookup: () => Promise.resolve([]) });
const result = await http.post({ url: 'https://hooks.example.com/', headers: {}, body: '{}' });
await http.close();
process.stdout.write(JSON.stringify(result));
