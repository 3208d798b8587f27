import { describe, expect, test } from 'vitest';
import { AppError } from '../../src/lib/error.ts';
import { uuidv7 } from '../../src/lib/id.ts';
import { createChanges, orTaken } from '../../src/service/change.ts';
import { insertProject, insertUser, openBench, refusalOf, rulesVersion } from './support.ts';

const bench = openBench('NO_JOBS');
const NOTHING = (): Promise<void> => Promise.resolve();

describe('wake-ups', () => {
  test('are sent after the commit, each thing once', async () => {
    const projectId = await insertProject(bench);
    await bench.deps.changes.alone([projectId], (_, after) => {
      after.inbox(['a', 'b']);
      after.inbox(['b']);
      after.deliveries([{ projectId, deliveryIds: ['1', '2'] }]);
      after.deliveries([{ projectId, deliveryIds: ['2', '3'] }]);
      after.access();
      after.access();
      expect(bench.wakeups.sent).toEqual({ inbox: [], deliveries: [], access: 0 });
      return NOTHING();
    });
    expect(bench.wakeups.sent).toEqual({ inbox: ['a', 'b'], deliveries: [[projectId, ['1', '2', '3']]], access: 1 });
  });

  test('of a change that failed are not sent', async () => {
    const change = bench.deps.changes.alone([], (_, after) => {
      after.access();
      return Promise.reject(new Error('no'));
    });
    await expect(change).rejects.toThrow('no');
    expect(bench.wakeups.sent.access).toBe(0);
  });

  test('of a transaction that is repeated are those of its last run', async () => {
    let runs = 0;
    await bench.deps.changes.alone([], (_, after) => {
      runs += 1;
      after.inbox([`run ${String(runs)}`]);
      return runs < 3 ? Promise.reject(Object.assign(new Error('deadlock'), { code: '40P01' })) : NOTHING();
    });
    expect(bench.wakeups.sent.inbox).toEqual(['run 3']);
  });
});

describe('what is held', () => {
  test('alone moves the rules’ version, shared does not', async () => {
    const [first, second] = [await insertProject(bench), await insertProject(bench)];
    await bench.deps.changes.alone([first], NOTHING);
    await bench.deps.changes.shared([first, second], NOTHING);
    expect([await rulesVersion(bench, first), await rulesVersion(bench, second)]).toEqual([1, 0]);
  });

  test('is begun anew where another project came in before the rows were pinned', async () => {
    const [first, second] = [await insertProject(bench), await insertProject(bench)];
    const answers = [[first], [first, second], [first, second], [first, second]];
    let runs = 0;
    await bench.deps.changes.aloneWhere({ find: () => Promise.resolve(answers.shift() ?? []), pin: NOTHING }, () => {
      runs += 1;
      return NOTHING();
    });
    expect(runs).toBe(1);
    expect([await rulesVersion(bench, first), await rulesVersion(bench, second)]).toEqual([1, 1]);
  });

  test('need not shrink: a project too many is no reason to begin anew', async () => {
    const [first, second] = [await insertProject(bench), await insertProject(bench)];
    const answers = [[first, second], [first]];
    await bench.deps.changes.aloneWhere({ find: () => Promise.resolve(answers.shift() ?? []), pin: NOTHING }, NOTHING);
    expect(answers).toEqual([]);
  });

  test('that never stands still is a CONFLICT, in the end', async () => {
    const find = (): Promise<string[]> => Promise.resolve([uuidv7()]);
    expect(await refusalOf(bench.deps.changes.aloneWhere({ find, pin: NOTHING }, NOTHING))).toBe('CONFLICT');
  });
});

describe('what the database refuses', () => {
  test('twice the same is answered as the caller says', async () => {
    const make = bench.deps.changes.alone([], async (tx) => {
      const user = { email: 'twice@example.com', name: 'Twice' };
      await tx.user.create({ data: { ...user, id: uuidv7() } });
      await tx.user.create({ data: { ...user, id: uuidv7() } });
    });
    expect(await refusalOf(orTaken(make, () => new AppError('CONFLICT', 'taken')))).toBe('CONFLICT');
  });

  test('a row that refers to what is gone is NOT_FOUND', async () => {
    const make = bench.deps.changes.alone([], async (tx) => await tx.membership.create({ data: { projectId: uuidv7(), userId: uuidv7(), role: 'MEMBER' } }));
    expect(await refusalOf(make)).toBe('NOT_FOUND');
  });

  test('anything else stays an error', async () => {
    const ada = await insertUser(bench);
    const make = bench.deps.changes.alone([], async (tx) => await tx.user.update({ where: { id: uuidv7() }, data: { name: ada.userId } }));
    await expect(orTaken(make, () => new AppError('CONFLICT', 'taken'))).rejects.not.toBeInstanceOf(AppError);
  });
});

test('changes of one database wait for each other by project: nobody reads what another is about to change', async () => {
  const projectId = await insertProject(bench);
  const changes = createChanges({ db: bench.db, wakeups: bench.wakeups });
  await Promise.all(
    Array.from({ length: 8 }, async () => {
      await changes.alone([projectId], async (tx) => {
        const { name } = await tx.project.findUniqueOrThrow({ where: { id: projectId } });
        await tx.project.update({ where: { id: projectId }, data: { name: `${name}+` } });
      });
    }),
  );
  expect(await bench.db.prisma.project.findUnique({ where: { id: projectId } })).toMatchObject({ name: 'Project++++++++' });
});
