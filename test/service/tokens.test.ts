import { describe, expect, test } from 'vitest';
import { hashToken } from '../../src/domain/token.ts';
import { uuidv7 } from '../../src/lib/id.ts';
import { agentOf, insertProject, insertUser, openBench, refusalOf } from './support.ts';

const bench = openBench('NO_JOBS');

describe('createToken', () => {
  test('gives the text once, in a form that cannot be printed, and stores its hash alone', async () => {
    const ada = await insertUser(bench);
    const { apiToken, token } = await bench.createToken(ada, { name: ' laptop ' });
    expect(token.reveal()).toMatch(/^tsn_[0-9A-Za-z]{49}$/);
    expect(JSON.stringify({ apiToken, token })).not.toContain(token.reveal());
    expect(apiToken).toMatchObject({ name: 'laptop', userId: ada.userId, projectId: null, expiresAt: null, lastUsedAt: null });
    expect(Buffer.from(apiToken.hash)).toEqual(hashToken(token.reveal()));
    const [row] = await bench.db.sql.query<{ text: string }>('SELECT t::text AS text FROM api_tokens AS t WHERE id = $1::uuid', [apiToken.id]);
    expect(row?.text).not.toContain(token.reveal());
  });

  test('makes an agent token for a project’s admin', async () => {
    const admin = await insertUser(bench);
    const projectId = await insertProject(bench, [[admin, 'ADMIN']]);
    const expiresAt = new Date(bench.clock.now() + 1);
    const { apiToken } = await bench.createToken(admin, { name: 'celery', projectId, expiresAt });
    expect(apiToken).toMatchObject({ projectId, userId: null, expiresAt });
  });

  test('makes a token of another user for an instance admin', async () => {
    const ada = await insertUser(bench);
    expect((await bench.createToken(bench.root, { name: 'ada', userId: ada.userId })).apiToken.userId).toBe(ada.userId);
    expect((await bench.createToken(ada, { name: 'mine', userId: ada.userId })).apiToken.userId).toBe(ada.userId);
    expect(await refusalOf(bench.createToken(ada, { name: 'root', userId: bench.root.userId }))).toBe('FORBIDDEN');
    expect(await refusalOf(bench.createToken(ada, { name: 'nobody', userId: uuidv7() }))).toBe('FORBIDDEN');
    expect(await refusalOf(bench.createToken(bench.root, { name: 'nobody', userId: uuidv7() }))).toBe('NOT_FOUND userId');
  });

  test('refuses both, and an end that has passed', async () => {
    const projectId = await insertProject(bench);
    const input = { name: '', projectId, userId: bench.root.userId, expiresAt: new Date(bench.clock.now()) };
    expect(await refusalOf(bench.createToken(bench.root, input))).toBe('BAD_USER_INPUT name expiresAt userId');
  });

  test('agent tokens are for the project’s admins to make', async () => {
    const member = await insertUser(bench);
    const projectId = await insertProject(bench, [[member, 'MEMBER']]);
    expect(await refusalOf(bench.createToken(member, { name: 'x', projectId }))).toBe('FORBIDDEN');
    expect(await refusalOf(bench.createToken(await insertUser(bench), { name: 'x', projectId }))).toBe('NOT_FOUND projectId');
    expect(await refusalOf(bench.createToken(bench.root, { name: 'x', projectId: uuidv7() }))).toBe('NOT_FOUND projectId');
    expect(await refusalOf(bench.createToken(agentOf(projectId), { name: 'x', projectId }))).toBe('FORBIDDEN');
    expect(await refusalOf(bench.createToken(agentOf(projectId), { name: 'x' }))).toBe('FORBIDDEN');
  });
});

describe('revokeToken', () => {
  test('by id: one’s own, a project’s for its admins, any for an instance admin', async () => {
    const [ada, admin] = [await insertUser(bench), await insertUser(bench)];
    const projectId = await insertProject(bench, [[admin, 'ADMIN']]);
    const own = await bench.createToken(ada, { name: 'own' });
    const agent = await bench.createToken(admin, { name: 'agent', projectId });
    const others = await bench.createToken(ada, { name: 'other' });
    expect(await bench.revokeToken(ada, { id: own.apiToken.id })).toEqual({ id: own.apiToken.id });
    expect(await bench.revokeToken(admin, { id: agent.apiToken.id })).toEqual({ id: agent.apiToken.id });
    expect(await bench.revokeToken(bench.root, { id: others.apiToken.id })).toEqual({ id: others.apiToken.id });
    const ids = [own, agent, others].map(({ apiToken }) => apiToken.id);
    expect(await bench.db.prisma.apiToken.count({ where: { id: { in: ids } } })).toBe(0);
    expect(bench.wakeups.sent.access).toBe(3);
  });

  test('by its text: whoever found it', async () => {
    const { apiToken, token } = await bench.createToken(bench.root, { name: 'leaked' });
    expect(await bench.revokeToken(await insertUser(bench), { token: token.reveal() })).toEqual({ id: apiToken.id });
    expect(await refusalOf(bench.revokeToken(bench.root, { token: token.reveal() }))).toBe('NOT_FOUND token');
  });

  test('what one may not know of is not found', async () => {
    const [ada, member] = [await insertUser(bench), await insertUser(bench)];
    const projectId = await insertProject(bench, [[member, 'MEMBER']]);
    const own = await bench.createToken(ada, { name: 'own' });
    const agent = await bench.createToken(bench.root, { name: 'agent', projectId });
    for (const { apiToken } of [own, agent]) expect(await refusalOf(bench.revokeToken(member, { id: apiToken.id }))).toBe('NOT_FOUND id');
    expect(await refusalOf(bench.revokeToken(bench.root, { id: uuidv7() }))).toBe('NOT_FOUND id');
    expect(await refusalOf(bench.revokeToken(agentOf(projectId), { id: agent.apiToken.id }))).toBe('FORBIDDEN');
    expect(await refusalOf(bench.revokeToken(agentOf(projectId), { token: agent.token.reveal() }))).toBe('FORBIDDEN');
  });

  test.each([
    ['neither', {}, 'BAD_USER_INPUT id'],
    ['both', { id: uuidv7(), token: 'tsn_secret' }, 'BAD_USER_INPUT token'],
  ])('%s is refused', async (_, input, refusal) => {
    expect(await refusalOf(bench.revokeToken(bench.root, input))).toBe(refusal);
  });
});
