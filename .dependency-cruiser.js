// The floors of ARCHITECTURE.md: imports, type-only ones too, point down. What a floor may import stands in FLOORS; whatever else of src it names is an error.

/** Each folder of src and the folders that it may import, besides itself. */
const FLOORS = {
  lib: [],
  domain: ['lib'],
  channels: ['domain', 'lib'],
  net: ['domain', 'lib'],
  db: ['domain', 'lib', 'generated'],
  pipeline: ['channels', 'db', 'domain', 'lib', 'generated'],
  service: ['pipeline', 'channels', 'db', 'domain', 'lib', 'generated'],
  graphql: ['pipeline', 'service', 'channels', 'db', 'domain', 'lib', 'generated'],
  server: ['graphql', 'pipeline', 'service', 'db', 'domain', 'lib'],
};

/** Packages and Node modules that only some floors may name. */
const OWNERS = [
  { name: 'sockets', path: '^(node:)?(http|https|http2|tls|dgram)$', only: ['net', 'server'] },
  { name: 'undici-or-nodemailer', path: '(^|node_modules/)(undici|nodemailer)(/|$)', only: ['net'] },
  { name: 'graphql', path: '(^|node_modules/)(graphql|graphql-yoga|graphql-ws|@pothos/[^/]+)(/|$)', only: ['graphql', 'server'] },
  { name: 'database-drivers', path: '(^|node_modules/)(pg|@electric-sql/pglite|@prisma/adapter-pg|pglite-prisma-adapter)(/|$)', only: ['db', 'pipeline'] },
  { name: 'queue', path: '(^|node_modules/)pg-boss(/|$)', only: ['pipeline', 'db'] },
];

const folder = (names) => `^src/(${names.join('|')})/`;
const all = Object.keys(FLOORS);

const floors = Object.entries(FLOORS).map(([name, below]) => ({
  name: `floor-${name}`,
  comment: `src/${name} may import ${below.length === 0 ? 'nothing of ours' : below.join(', ')} and itself.`,
  severity: 'error',
  from: { path: folder([name]) },
  to: { path: '^(src|test|tools|bench)/', pathNot: folder([name, ...below]) },
}));

const owners = OWNERS.map(({ name, path, only }) => ({
  name: `only-${only.join('-or-')}-names-${name}`,
  severity: 'error',
  from: { path: folder(all.filter((floor) => !only.includes(floor))) },
  to: { path },
}));

export default {
  forbidden: [
    ...floors,
    ...owners,
    { name: 'no-cycles', severity: 'error', from: { path: '^src/', pathNot: '^src/generated/' }, to: { circular: true } },
    {
      name: 'domain-is-pure',
      comment: 'Pure modules of Node only: no files, sockets, timers or processes.',
      severity: 'error',
      from: { path: '^src/domain/' },
      to: { dependencyTypes: ['core'], pathNot: '^(node:)?(crypto|url|util|zlib|buffer|string_decoder)$' },
    },
    {
      name: 'domain-and-lib-need-nothing-installed',
      severity: 'error',
      from: { path: '^src/(domain|lib)/' },
      to: { path: 'node_modules' },
    },
    {
      name: 'a-kind-is-named-in-the-registry-only',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/channels/registry\\.ts$' },
      to: { path: '^src/channels/(webhook|email|slack|telegram|pagerduty|discord)\\.ts$' },
    },
    {
      name: 'src-needs-dependencies',
      comment: 'What src imports is installed where Tocsin runs: under dependencies, and resolvable.',
      severity: 'error',
      from: { path: '^src/' },
      to: { dependencyTypes: ['npm-dev', 'npm-optional', 'npm-no-pkg', 'npm-unknown'] },
    },
    { name: 'resolvable', severity: 'error', from: {}, to: { couldNotResolve: true } },
    {
      name: 'src-stands-alone',
      comment: 'src does not import tests or tools.',
      severity: 'error',
      from: { path: '^src/' },
      to: { path: '^(test|tools|bench)/' },
    },
  ],
  options: {
    doNotFollow: { path: ['node_modules', '^src/generated'] },
    tsPreCompilationDeps: true,
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'node', 'default', 'types'], extensions: ['.ts', '.js', '.json'] },
    combinedDependencies: false,
  },
};
