import type { Cluster } from '../cluster/cluster.ts';
import type { Gateway } from '../gateway/gateway.ts';
import type { Log } from '../log.ts';

/**
 * Answers what other nodes ask about this one as a whole, and stops when an operator asks for it: returns a promise
 * that resolves then.
 */
export function answerAboutNode({
  cluster,
  gateway,
  ownUrl,
  log,
}: {
  cluster: Pick<Cluster, 'answer'>;
  gateway: Pick<Gateway, 'isDraining' | 'counts'>;
  ownUrl: () => string;
  log: Pick<Log, 'info'>;
}): Promise<void> {
  cluster.answer('describe_node', () => ({
    url: ownUrl(),
    connections: gateway.counts.listed,
    isDraining: gateway.isDraining,
  }));
  return new Promise((resolve) => {
    cluster.answer('drain_node', () => {
      log.info({}, 'an operator has asked this node to drain');
      resolve();
      return {};
    });
  });
}
