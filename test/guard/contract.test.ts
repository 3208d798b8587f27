import { readFileSync } from 'node:fs';
import { type ASTNode, buildSchema, findBreakingChanges, Kind, type NameNode, parse, print, visit } from 'graphql';
import { describe, expect, test } from 'vitest';
import { schemaText } from '../../codegen.ts';

// The part of the public API that is fixed (a copy of the project's contract), and how far the schema has come.

/** What of the contract is not built yet, by the issue that builds it. The list can only get shorter: an entry that is built fails the test below. */
const NOT_BUILT: Readonly<Record<string, readonly string[]>> = {
  Channels: [
    'PagerDutySeverity was removed.',
    'PagerDutyConfig was removed.',
    'TriggerSeverity was removed.',
    'PagerDutyConfigInput was removed.',
    'TriggerSeverityInput was removed.',
    'PAGERDUTY was removed from enum type ChannelType.',
    'PagerDutyConfig was removed from union type ChannelConfig.',
    'ChannelConfigInput.pagerduty was removed.',
  ],
  Trust: [
    'AuditEntry was removed.',
    'AuditFilter was removed.',
    'AuditVerification was removed.',
    'AuditEntryConnection was removed.',
    'AuditEntryEdge was removed.',
    'Query.auditLog was removed.',
    'Query.verifyAuditLog was removed.',
    'Project.auditLog was removed.',
    'Project.verifyAuditLog was removed.',
  ],
  Sources: [
    'AgentStatus was removed.',
    'Agent was removed.',
    'AgentConnection was removed.',
    'AgentEdge was removed.',
    'Project.agents was removed.',
    'ForgetAgentInput was removed.',
    'ForgetAgentPayload was removed.',
    'Mutation.forgetAgent was removed.',
    'LatencyBudget was removed.',
    'LatencyBudgetInput was removed.',
    'Project.latencyBudgets was removed.',
    'UpdateProjectInput.latencyBudgets was removed.',
    'UpdateProjectInput.offlineAfterSeconds was removed.',
    'HeartbeatInput was removed.',
    'RecordHeartbeatsInput was removed.',
    'RecordHeartbeatsPayload was removed.',
    'Mutation.recordHeartbeats was removed.',
  ],
};

const contractText = read('./contract.graphql');
const builtText = read('../../schema.graphql');
const breaking = findBreakingChanges(buildSchema(contractText), buildSchema(builtText)).map((change) => change.description);

test('schema.graphql is what the code makes: run codegen.ts', () => {
  expect(builtText).toBe(schemaText());
});

test('nothing of the contract is broken but what is not built yet', () => {
  const listed = Object.values(NOT_BUILT).flat();
  expect(breaking.filter((description) => !listed.includes(description))).toEqual([]);
});

describe.each(Object.entries(NOT_BUILT))('what %s builds', (_issue, descriptions) => {
  test.each(descriptions)('is still to be built: %s', (description) => {
    expect(breaking, 'it is built: take it off the list').toContain(description);
  });
});

test('every directive of the contract stands, as @oneOf', () => {
  const built = directivesOf(builtText);
  const wanted = [...directivesOf(contractText)];
  expect(wanted).toContain('ChannelConfigInput @oneOf');
  expect(wanted.filter((use) => !built.has(use))).toEqual([]);
});

/** Uses of directives, as `Type.field @directive`. */
function directivesOf(sdl: string): Set<string> {
  const uses = new Set<string>();
  const path: string[] = [];
  visit(parse(sdl), {
    enter: (node) => {
      if (node.kind === Kind.DIRECTIVE) uses.add(`${path.join('.')} ${print(node)}`);
      if (isNamed(node)) path.push(node.name.value);
    },
    leave: (node) => {
      if (isNamed(node)) path.pop();
    },
  });
  return uses;
}

type Named = ASTNode & { name: NameNode };

/** A definition: what a directive stands at. */
function isNamed(node: ASTNode): node is Named {
  return node.kind.endsWith('Definition') && 'name' in node;
}

function read(path: string): string {
  return readFileSync(new URL(path, import.meta.url), 'utf8');
}
