// Runs before src/main.ts in the processes of server-process.ts: loads what a server is made of, then waits to be told to start. Ends with whoever made it.

await import('../../src/app.ts');
const leave = (): never => process.exit(1);
process.stdin.once('end', leave);
await new Promise((resolve) => process.stdin.once('data', resolve));
process.stdin.off('end', leave);
