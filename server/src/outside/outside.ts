import type { Clock } from '../clock.ts';
import type { Outside, Parameters } from '../domain/runtime/outside.ts';
import type { Log } from '../log.ts';
import { createRareWarnings } from '../rare-warnings.ts';
import type { HostAnswer } from '../sandbox/sandbox.ts';
import { createDynamoDb, type DynamoDbSettings } from './dynamo-db.ts';
import { createExchanges } from './exchanges.ts';
import { createFetch, type FetchSettings } from './http-fetch.ts';
import { createLambda, type LambdaSettings } from './lambda.ts';
import { type LookUp, systemLookUp } from './look-up.ts';
import { OutsideFault } from './outside-fault.ts';
import { checkSize } from './parameters.ts';

export interface OutsideSettings extends LambdaSettings, DynamoDbSettings, FetchSettings {
  /** Time for one call in all, whatever it takes: names that are looked up, credentials, attempts, the whole answer. */
  readonly outsideTimeoutMs: number;
}

export interface OpenOutside extends Outside {
  /**
   * Loads what the settings let scripts use, so that no message waits for it: the AWS SDK keeps the event loop busy for as
   * long as it is read. Without this, it is loaded by the first call that needs it.
   */
  warmUp(): Promise<void>;
  /** Ends the calls under way, and answers all later ones with `unavailable`. */
  close(): Promise<void>;
}

/**
 * The ways to the outside. What goes wrong there is an answer with one of these codes, or with the name of an error of
 * DynamoDB's, such as `ConditionalCheckFailedException`:
 *
 * - `bad_argument`: nothing was sent, because of what the script gave.
 * - `not_allowed`: the settings do not list the function, table or host; the message names the setting.
 * - `timeout`: no answer within `outsideTimeoutMs`. What was asked may still be done.
 * - `too_large`: the parameters are, or the answer is longer than `outsideMaxResponseBytes`.
 * - `failed`: the other side failed, refused, or answered with what cannot be read.
 * - `unavailable`: it cannot be reached or is overloaded at the moment, after two attempts of the AWS SDK.
 */
export function createOutside({
  clock,
  log,
  settings,
  lookUp = systemLookUp,
}: {
  clock: Clock;
  log: Pick<Log, 'warn'>;
  settings: OutsideSettings;
  lookUp?: LookUp;
}): OpenOutside {
  const warn = createRareWarnings({ clock, log });
  const lambda = createLambda({ settings, warn });
  const dynamoDb = createDynamoDb({ settings, warn });
  const exchanges = createExchanges({ purpose: 'HTTP requests of scripts', warn });
  const fetch = createFetch({ settings, lookUp, exchanges });
  const { outsideTimeoutMs } = settings;
  const underWay = new Set<(fault: OutsideFault) => void>();
  let isClosed = false;

  /** Settles in time, whether or not the work minds the signal. */
  function withinTime<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const controller = new AbortController();
      const end = (fault: OutsideFault) => {
        reject(fault);
        controller.abort(fault);
      };
      const cancel = clock.after(outsideTimeoutMs, () =>
        end(new OutsideFault('timeout', `there was no answer within ${outsideTimeoutMs} ms`)),
      );
      underWay.add(end);
      work(controller.signal)
        .then(resolve, reject)
        .finally(() => {
          cancel();
          underWay.delete(end);
        });
    });
  }

  const answering =
    (perform: (parameters: Parameters, signal: AbortSignal) => Promise<unknown>) =>
    async (parameters: Parameters): Promise<HostAnswer> => {
      try {
        if (isClosed) throw stopping();
        checkSize(parameters);
        return { result: await withinTime((signal) => perform(parameters, signal)) };
      } catch (error) {
        if (error instanceof OutsideFault) return { error: { code: error.code, message: error.message } };
        throw error;
      }
    };

  return {
    invokeLambda: answering(lambda.invoke),
    getItem: answering(dynamoDb.getItem),
    putItem: answering(dynamoDb.putItem),
    updateItem: answering(dynamoDb.updateItem),
    deleteItem: answering(dynamoDb.deleteItem),
    query: answering(dynamoDb.query),
    fetch: answering(fetch),

    async warmUp() {
      await lambda.warmUp();
      await dynamoDb.warmUp();
    },

    async close() {
      isClosed = true;
      for (const end of underWay) end(stopping());
      await exchanges.close();
      await lambda.close();
      await dynamoDb.close();
    },
  };
}

function stopping(): OutsideFault {
  return new OutsideFault('unavailable', 'the server is stopping');
}
