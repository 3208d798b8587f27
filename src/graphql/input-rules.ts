import {
  type ASTVisitor,
  type DocumentNode,
  GraphQLError,
  type GraphQLSchema,
  isInputType,
  Kind,
  type OperationDefinitionNode,
  specifiedRules,
  typeFromAST,
  type ValidationContext,
  type ValidationRule,
  type ValueNode,
  ValuesOfCorrectTypeRule,
  visit,
} from 'graphql';
import type { InputIssue } from '../lib/error.ts';
import { checkInput, join, viewOfJson, viewOfLiteral } from './input-check.ts';

/** graphql-js' rules, but for the one that prints literals: ours takes its place. */
export const VALIDATION_RULES: readonly ValidationRule[] = [...specifiedRules.filter((rule) => rule !== ValuesOfCorrectTypeRule), inputLiteralsRule];

/** Problems of an operation's variables, as far as its document says where they go; none: they coerce. */
export function checkVariables(
  schema: GraphQLSchema,
  document: DocumentNode,
  operation: OperationDefinitionNode,
  variables: Readonly<Record<string, unknown>>,
): InputIssue[] {
  const definitions = operation.variableDefinitions ?? [];
  if (definitions.length === 0) return [];
  const issues: InputIssue[] = [];
  const paths = variablePaths(document);
  for (const definition of definitions) {
    const name = definition.variable.name.value;
    const type = typeFromAST(schema, definition.type);
    if (type === undefined || !isInputType(type)) continue;
    const path = paths.get(name) ?? name;
    if (Object.hasOwn(variables, name) && variables[name] !== undefined) checkInput(type, viewOfJson(variables[name]), path, issues);
    else if (definition.type.kind === Kind.NON_NULL_TYPE && definition.defaultValue === undefined) {
      issues.push({ path, message: `expected ${String(type)}, got nothing` });
    }
  }
  return issues;
}

/** The operation that is to run; null where the document has none of that name, or several and no name is given. */
export function operationOf(document: DocumentNode, operationName: string | null | undefined): OperationDefinitionNode | null {
  const operations = document.definitions.filter((definition) => definition.kind === Kind.OPERATION_DEFINITION);
  const named = operationName === null || operationName === undefined ? operations : operations.filter(({ name }) => name?.value === operationName);
  return named.length === 1 ? (named[0] ?? null) : null;
}

/** Takes the place of graphql-js' ValuesOfCorrectTypeRule. */
function inputLiteralsRule(context: ValidationContext): ASTVisitor {
  return {
    Argument: (node) => {
      const argument = context.getArgument();
      if (argument) report(context, node.value, argument.type, argumentPath(node.name.value));
    },
    VariableDefinition: (node) => {
      const type = typeFromAST(context.getSchema(), node.type);
      if (node.defaultValue !== undefined && isInputType(type)) report(context, node.defaultValue, type, node.variable.name.value);
    },
  };
}

function report(context: ValidationContext, node: ValueNode, type: Parameters<typeof checkInput>[0], path: string): void {
  const issues: InputIssue[] = [];
  checkInput(type, viewOfLiteral(node), path, issues);
  const [first] = issues;
  if (first !== undefined) context.reportError(new GraphQLError(`${first.path}: ${first.message}`, { nodes: node, extensions: { issues } }));
}

/** Paths are relative to the one argument that all mutations have. */
function argumentPath(name: string): string {
  return name === 'input' ? '' : name;
}

/** Where each variable is used first. */
function variablePaths(document: DocumentNode): Map<string, string> {
  const paths = new Map<string, string>();
  const collect = (node: ValueNode, path: string): void => {
    if (node.kind === Kind.VARIABLE) {
      if (!paths.has(node.name.value)) paths.set(node.name.value, path);
    } else if (node.kind === Kind.LIST) for (const [index, item] of node.values.entries()) collect(item, join(path, String(index)));
    else if (node.kind === Kind.OBJECT) for (const field of node.fields) collect(field.value, join(path, field.name.value));
  };
  visit(document, {
    Argument: (node) => {
      collect(node.value, argumentPath(node.name.value));
      return false;
    },
  });
  return paths;
}
