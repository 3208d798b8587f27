import type { Sql } from './database.ts';

/**
 * The project's lock: recording holds it shared, whatever changes where events go holds it alone, both until the end of their transaction. So
 * a recording that read the rules' version records by exactly those rules, and nothing of a removed member or channel is written after its
 * removal. Advisory locks write nothing, where row locks on a project that every event touches would. First in the lock order.
 */
export async function lockProjectsShared(tx: Sql, projectIds: readonly string[]): Promise<void> {
  await tx.query(`SELECT count(lock) FROM (SELECT pg_advisory_xact_lock_shared(${LOCK_CLASS}, k) AS lock FROM (${SORTED_KEYS}) AS keys) AS locks`, [
    projectIds,
  ]);
}

/** Holds the projects alone and moves their rules' versions: call it first in every transaction that changes a rule, a channel or a member. */
export async function lockProjectsAlone(tx: Sql, projectIds: readonly string[]): Promise<void> {
  await tx.query(`SELECT count(lock) FROM (SELECT pg_advisory_xact_lock(${LOCK_CLASS}, k) AS lock FROM (${SORTED_KEYS}) AS keys) AS locks`, [projectIds]);
  await tx.query(
    `UPDATE projects SET rules_version = rules_version + 1 FROM (SELECT id FROM projects WHERE id = ANY($1::uuid[]) ORDER BY id FOR NO KEY UPDATE) AS p WHERE projects.id = p.id`,
    [projectIds],
  );
}

/** Names our advisory locks among those of others on the same database. */
const LOCK_CLASS = '28869';
const SORTED_KEYS = 'SELECT DISTINCT hashtext(id::text) AS k FROM unnest($1::uuid[]) AS id ORDER BY k OFFSET 0';
