import type { Cluster } from '../cluster/cluster.ts';
import type { Gateway } from '../gateway/gateway.ts';
import type { Log } from '../log.ts';

/**
 * Answers what other nodes ask about this one as a whole, and whether it would stop. Gives a promise that resolves when an
 * operator has asked it to.
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
