import type { Settings } from '../config/config.ts';
import type { OneTimeCodes } from '../console/one-time-codes.ts';
import type { Access, AccessKeyPair } from '../domain/access/access.ts';
import { policyOfRole } from '../domain/access/roles.ts';
import type { RecordLocally } from '../domain/local-changes.ts';
import { isLoopbackName } from '../http/client-address.ts';
import { StartupError } from '../startup-error.ts';
import { DEMO_GAME, DEMO_STAGE } from './demo.ts';
import { leaveCode } from './left-code.ts';

/** By these the keys are known that a link has made: the second is that of earlier versions. */
const DESCRIPTION = 'console: made by a link of the server';
const DESCRIPTIONS = [DESCRIPTION, 'console: made by the link of a start'];

/**
 * Makes the key for a person who follows a link: with the rights of a developer, who may also send the players of the demo
 * away. There is one at a time, so that links leave no forgotten keys behind.
 */
export function createConsoleKeys({
  access,
}: {
  access: Pick<Access, 'createKey' | 'listKeys' | 'revokeKey'>;
}): () => Promise<AccessKeyPair> {
  return async function makeKey() {
    const keys = await access.listKeys();
    for (const key of keys)
      if (DESCRIPTIONS.includes(key.description) && key.revokedAt === undefined) await access.revokeKey(key.id);
    const developer = policyOfRole('developer', {}) as { Statement: object[] };
    const moderator = policyOfRole('moderator', { game: DEMO_GAME, stage: DEMO_STAGE }) as { Statement: object[] };
    const policy = { ...developer, Statement: [...developer.Statement, ...moderator.Statement] };
    return await access.createKey({ policy: JSON.stringify(policy), description: DESCRIPTION });
  };
}

/** The console's address, and for a newcomer on this machine with a code, so that there is nothing to copy. */
export function consoleLink({
  settings,
  url,
  codes,
  hasDemo,
}: {
  settings: Pick<Settings, 'nodeRole'>;
  url: string;
  codes: Pick<OneTimeCodes, 'issue'>;
  hasDemo: boolean;
}): { readonly consoleUrl?: string; readonly consoleLink?: string } {
  if (settings.nodeRole === 'gateway') return {};
  const consoleUrl = `${url}/console/`;
  if (!hasDemo || !isLoopbackName(new URL(url).host)) return { consoleUrl };
  return { consoleUrl, consoleLink: linkWith(url, codes.issue()) };
}

const linkWith = (url: string, code: string) => `${url}/console/#code=${code}`;

/** Makes a link to the console of the server that runs on the directory. Throws a `StartupError` where no link signs in. */
export async function leaveConsoleLink({
  url,
  record,
  ...parts
}: Parameters<typeof leaveCode>[0] & { readonly url: string; readonly record: RecordLocally }): Promise<string> {
  if (!isLoopbackName(new URL(url).host)) {
    throw new StartupError(
      `the server at ${url} does not listen at localhost, where alone a link signs in: make a key with "respark keys create", and sign in with that`,
    );
  }
  return await record({ operation: 'CreateConsoleLink' }, async () => linkWith(url, leaveCode(parts)));
}
