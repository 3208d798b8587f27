// Prints the API's schema, as the code makes it, into schema.graphql, and types the operations that tests send: run it (npm run codegen) after changing a type or such an
// operation. A test fails where schema.graphql is stale.
import { writeFileSync } from 'node:fs';
import { printSchema } from 'graphql';
import { schema } from './src/graphql/schema.ts';

const HEADER = '# Made by codegen.ts from src/graphql: change it there.\n\n';

/** The text of schema.graphql, in the order of names. */
export function schemaText(): string {
  return `${HEADER}${printSchema(schema)}\n`;
}

if (import.meta.main) {
  writeFileSync(new URL('schema.graphql', import.meta.url), schemaText());
  const { writeOperationTypes } = await import('./tools/operation-types.ts');
  await writeOperationTypes();
}
