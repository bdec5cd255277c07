import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CHANGE, recordedLog, UNRECORDED } from '../../test/support/domain.ts';
import { rest } from '../../test/support/gateway.ts';
import { ManualClock } from '../../test/support/manual-clock.ts';
import type { NodeRecord } from '../cluster/cluster.ts';
import type { NodeCallKind, NodeReply } from '../cluster/node-calls.ts';
import type { ErrorCode } from '../errors.ts';
import { createNodes } from './nodes.ts';

const failsWith = (code: ErrorCode, message = /./) => ({ name: 'ServiceError', code, message });

const FACTS = { version: '1.0.0', role: 'both', machine: 'm1', startedAt: 5 };

/** Nodes `b`, which drains, `a`, which serves, and `c`, which is silent; `asked` has what they were asked for. */
function prepare() {
  const clock = new ManualClock();
  const asked: string[] = [];
  const records: NodeRecord[] = ['b', 'a', 'c'].map((node) => ({ node, facts: FACTS }));
  const cluster = {
    nodes: (): readonly NodeRecord[] | Promise<readonly NodeRecord[]> => records,
    joinedNodes: (): readonly NodeRecord[] | Promise<readonly NodeRecord[]> => records,
    async request<Kind extends NodeCallKind>(node: string, kind: Kind): Promise<NodeReply<Kind>> {
      asked.push(`${kind} ${node}`);
      if (node === 'c') throw new Error('node c is silent');
      const reply = { url: `http://${node}`, connections: 7, isDraining: node === 'b' };
      return (kind === 'describe_node' ? reply : {}) as NodeReply<Kind>;
    },
  };
  const { log } = recordedLog();
  const nodes = createNodes({ cluster, audit: UNRECORDED, clock, log, settings: { disconnectDeadlineMs: 5_000 } });
  return { nodes, cluster, asked, clock };
}

test('nodes are listed in the order of their starts, also one that says nothing', async () => {
  const { nodes } = prepare();
  const silent = { url: undefined, connections: undefined, state: 'silent' };
  assert.deepEqual(await nodes.list(), [
    { id: 'a', ...FACTS, url: 'http://a', connections: 7, state: 'serving' },
    { id: 'b', ...FACTS, url: 'http://b', connections: 7, state: 'draining' },
    { id: 'c', ...FACTS, ...silent },
  ]);
});

test('what a node of another version says of itself is shown as far as it is understood', async () => {
  const { nodes, cluster } = prepare();
  cluster.joinedNodes = () => [{ node: 'c', facts: { version: '9', role: 7 } }];
  const [node] = await nodes.list();
  assert.deepEqual([node?.version, node?.role, node?.machine, node?.startedAt], ['9', undefined, undefined, undefined]);
});

test('a node that is listed is asked to drain, and no other', async () => {
  const { nodes, cluster, asked } = prepare();
  await nodes.drain('a', CHANGE);
  assert.deepEqual(asked, ['drain_node a']);
  await assert.rejects(nodes.drain('d', CHANGE), failsWith('not_found', /there is no node "d"/));
  // It may be one that has not joined the directory again.
  cluster.nodes = () => Promise.reject(new Error('recovering'));
  await assert.rejects(nodes.drain('d', CHANGE), failsWith('internal', /directory of nodes is not available/));
  assert.equal(asked.length, 1);
});

test('a node that does not answer may drain all the same, and a directory that does not is no empty list', async () => {
  const { nodes, cluster, clock } = prepare();
  await assert.rejects(nodes.drain('c', CHANGE), failsWith('internal', /node c, which may drain all the same/));
  cluster.joinedNodes = () => Promise.reject(new Error('away'));
  await assert.rejects(nodes.list(), failsWith('internal', /directory of nodes is not available/));
  cluster.joinedNodes = () => new Promise(() => {});
  const listing = assert.rejects(nodes.list(), failsWith('internal'));
  await rest();
  clock.advance(5_000);
  await listing;
});
