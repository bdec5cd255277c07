import { fork } from 'node:child_process';
import { once } from 'node:events';
import { nodeOnCore } from '../machine.ts';
import { OWN_NODE } from '../node-binary.ts';
import type { Generator, LoadTarget } from './generator.ts';

/** Far more than the longest task takes. A server that leaves one message without an answer would hold it up for ever. */
const TASK_TIMEOUT_MS = 300_000;

export type Ask = {
  readonly [Name in keyof Generator]: { name: Name; load: Parameters<Generator[Name]>[0] };
}[keyof Generator];
export type Answer = { readonly result: unknown } | { readonly error: string };

/** A generator in a process of its own, on a different core than the servers. */
export interface GeneratorProcess extends Generator {
  stop(): Promise<void>;
}

export function startGenerator({
  port,
  dialect,
  callPort = port,
  network = 0,
  isConfirmed = true,
}: LoadTarget): GeneratorProcess {
  const node = nodeOnCore(1, OWN_NODE);
  const [execPath, ...execArgv] = [node.command, ...node.args];
  const child = fork(
    new URL('./main.js', import.meta.url),
    [port, dialect, callPort, network, isConfirmed].map(String),
    {
      execPath,
      execArgv,
      env: {},
      serialization: 'advanced',
    },
  );
  const exited = once(child, 'exit');

  /** Sends one request and waits for its answer; calls must not overlap. */
  async function ask(name: keyof Generator, load?: unknown): Promise<unknown> {
    child.send({ name, load } as Ask);
    const timeout = AbortSignal.timeout(TASK_TIMEOUT_MS);
    const tooLong = () => Promise.reject(new Error(`${dialect} was not done with ${name} after ${TASK_TIMEOUT_MS} ms`));
    const [answer] = (await Promise.race([
      once(child, 'message', { signal: timeout }).catch(tooLong),
      exited.then(([code]) => Promise.reject(new Error(`the load generator ended with ${code}`))),
    ])) as [Answer];
    if ('error' in answer) throw new Error(answer.error);
    return answer.result;
  }

  return {
    connect: (load) => ask('connect', load) as ReturnType<Generator['connect']>,
    openCallers: (load) => ask('openCallers', load) as ReturnType<Generator['openCallers']>,
    disconnect: (load) => ask('disconnect', load) as ReturnType<Generator['disconnect']>,
    roundTrips: (load) => ask('roundTrips', load) as ReturnType<Generator['roundTrips']>,
    notifications: (load) => ask('notifications', load) as ReturnType<Generator['notifications']>,
    leave: () => ask('leave') as ReturnType<Generator['leave']>,
    async stop() {
      child.kill('SIGKILL');
      await exited;
    },
  };
}
