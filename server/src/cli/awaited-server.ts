import { setTimeout as sleep } from 'node:timers/promises';
import { getServerInfo } from '../api/own-operations/server.ts';
import { isUnreachable, type ManagementClient, mayPass, ServiceRefusal } from './management-client.ts';
import { CommandError } from './world.ts';

/** The pause between two attempts to reach the server doubles from the first to the longest. */
const FIRST_PAUSE_MS = 100;
const MAX_PAUSE_MS = 1_000;

/** With these the server answers that it is there, although it does not answer the question. */
const SIGNS_OF_LIFE = ['AccessDeniedException', 'ThrottlingException', 'UnknownOperationException'];

/** A server that a command goes on with when it has been restarted. */
export interface AwaitedServer {
  /** How often the server has come back. */
  readonly returns: number;
  /**
   * What `work` resolves to. When the server is gone meanwhile, or has too much to do, resolves to undefined as soon as
   * another attempt makes sense. Any other failure of `work` is passed on.
   */
  attempt<T>(work: (client: ManagementClient) => Promise<T>): Promise<T | undefined>;
}

export function createAwaitedServer({
  client: first,
  open,
  tell,
  isOver,
}: {
  client: ManagementClient;
  /** A client for the server as it is now: one that was restarted may have another URL. */
  open: () => Promise<ManagementClient>;
  tell: (text: string) => void;
  isOver: () => boolean;
}): AwaitedServer {
  let client = first;
  let returns = 0;
  let waiting: Promise<void> | undefined;
  let toldFault: string | undefined;

  async function isThere(): Promise<boolean> {
    try {
      const next = await open();
      await next.call(getServerInfo, {});
      client = next;
      return true;
    } catch (error) {
      if (!(error instanceof CommandError)) throw error;
      return error instanceof ServiceRefusal && SIGNS_OF_LIFE.includes(error.errorName);
    }
  }

  async function waitUntilThere(): Promise<void> {
    tell('the server is gone, waiting for it…');
    for (let pauseMs = FIRST_PAUSE_MS; !isOver(); pauseMs = Math.min(2 * pauseMs, MAX_PAUSE_MS)) {
      await sleep(pauseMs);
      if (!(await isThere())) continue;
      returns += 1;
      tell('the server is back');
      return;
    }
  }

  return {
    get returns() {
      return returns;
    },
    async attempt(work) {
      const before = returns;
      try {
        const done = await work(client);
        toldFault = undefined;
        return done;
      } catch (error) {
        if (isUnreachable(error)) {
          // What still went to the server that is gone says nothing about the one that has come since.
          if (returns !== before) return undefined;
          waiting ??= waitUntilThere().finally(() => {
            waiting = undefined;
          });
          await waiting;
          return undefined;
        }
        if (!mayPass(error)) throw error;
        const { errorName, message } = error as ServiceRefusal;
        if (errorName !== toldFault) tell(`${message}; trying again`);
        toldFault = errorName;
        await sleep(MAX_PAUSE_MS);
        return undefined;
      }
    },
  };
}
