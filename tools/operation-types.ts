// Types the operations that tests send: of each text in gql(`…`) below test/, what it takes and gives by schema.graphql. A part of npm run codegen, and of npm ci.
import { globSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { plugin } from '@graphql-codegen/typescript-operations';
import { buildSchema, type DocumentNode, type GraphQLSchema, Kind, parse, validate } from 'graphql';

const ROOT = join(import.meta.dirname, '..');
const OUTPUT_DIR = join(ROOT, 'test/generated');
const HEADER = '// Made by tools/operation-types.ts from the operations in test/ and from schema.graphql.\n';
const CONFIG = { scalars: { ID: 'string', DateTime: 'string', JSON: 'unknown' }, strictScalars: true, skipTypename: true, omitOperationSuffix: true };

interface Operation {
  text: string;
  /** Of its types. It needs none of its own. */
  name: string;
  document: DocumentNode;
}

/** Writes test/generated/operations.ts. Throws at an operation that the schema does not allow. */
export async function writeOperationTypes(): Promise<void> {
  const schema = buildSchema(readFileSync(join(ROOT, 'schema.graphql'), 'utf8'));
  const operations = operationTexts().map(([text, file], index) => readOperation(schema, file, text, `Operation${String(index + 1)}`));
  const documents = operations.map(({ name, document }) => ({ location: name, document }));
  const { prepend = [], content } = await plugin(schema, documents, CONFIG, { outputFile: '' });
  const entries = operations.map(({ text, name }) => `  ${JSON.stringify(text)}: { data: ${name}; variables: ${name}Variables };\n`);
  mkdirSync(OUTPUT_DIR, { recursive: true });
  writeFileSync(join(OUTPUT_DIR, 'operations.ts'), [HEADER, ...prepend, content, `export interface Operations {\n${entries.join('')}}\n`].join('\n'));
}

/** Each text once, with a file that has it. */
function operationTexts(): [text: string, file: string][] {
  const files = globSync('test/**/*.ts', { cwd: ROOT, exclude: ['test/generated/**'] }).sort();
  const found = files.flatMap((file) =>
    [...readFileSync(join(ROOT, file), 'utf8').matchAll(/\bgql\(\s*`([^`]*)`/g)].map(([, text = '']) => [text, file] as const),
  );
  return [...new Map(found)];
}

function readOperation(schema: GraphQLSchema, file: string, text: string, name: string): Operation {
  try {
    const { definitions, ...document } = parse(text);
    const [definition] = definitions;
    if (definition?.kind !== Kind.OPERATION_DEFINITION || definitions.length > 1) throw new Error('expected one operation');
    const errors = validate(schema, { ...document, definitions });
    if (errors[0] !== undefined) throw errors[0];
    return { text, name, document: { ...document, definitions: [{ ...definition, name: { kind: Kind.NAME, value: name } }] } };
  } catch (error) {
    throw new Error(`${file}: ${text}`, { cause: error });
  }
}

if (import.meta.main) await writeOperationTypes();
