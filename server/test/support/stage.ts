import type { TestContext } from 'node:test';
import { CHANGE, type DomainOptions, openDomain, ROLE } from './domain.ts';

export const TOKEN = { clientToken: 'a'.repeat(33) };

export const nextTurn = () => new Promise<void>((resolve) => setImmediate(resolve));

/** A game with a stage and a snapshot; `start` deploys the snapshot to the stage. */
export async function openWithStage(t: TestContext, options: DomainOptions = {}) {
  const domain = await openDomain(t, options);
  if ((await domain.games.find('Demo')) === undefined) {
    await domain.games.create({ name: 'Demo' }, CHANGE);
    await domain.stages.create({ gameName: 'Demo', name: 'Dev', role: ROLE }, CHANGE);
  }
  const { id: snapshotId } = await domain.snapshots.create('Demo', undefined, CHANGE);
  const asked = { gameName: 'Demo', stageName: 'Dev', snapshotId };
  const start = (token: { readonly clientToken?: string } = {}) =>
    domain.deployments.start({ ...asked, ...token }, CHANGE);
  const deploy = async () => {
    const { id } = await start();
    await domain.deployments.settled();
    return await domain.deployments.get('Demo', 'Dev', id);
  };
  const runtimeId = async () => (await domain.stages.get('Demo', 'Dev')).runtimeId;
  return { ...domain, snapshotId, asked, start, deploy, runtimeId };
}
