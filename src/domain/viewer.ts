/** Whom a request stands for (spec 10). An agent token may only publish events and heartbeats of its project. */
export type Viewer =
  | { kind: 'user'; userId: string; isAdmin: boolean; tokenId: string | null; expiresAt: number | null }
  | { kind: 'agent'; projectId: string; tokenId: string; expiresAt: number | null };

export type Role = 'MEMBER' | 'ADMIN';
