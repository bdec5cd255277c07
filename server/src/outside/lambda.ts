import type { InvokeCommand, LambdaClient } from '@aws-sdk/client-lambda';
import { parseJson } from '@respark/protocol';
import type { Parameters } from '../domain/runtime/outside.ts';
import type { WarnRarely } from '../rare-warnings.ts';
import { decodeText, excerpt, MAX_SENTENCE_CHARACTERS, shown } from '../text.ts';
import { createAllowList, notAllowed } from './allow-list.ts';
import { type AwsService, boundReply, clientSettings, faultOfAws } from './aws.ts';
import { loadAwsPackage } from './aws-package.ts';
import { createExchanges } from './exchanges.ts';
import { nextTurn } from './next-turn.ts';
import { OutsideFault } from './outside-fault.ts';
import { badArgument, isObject, nestsTooDeep } from './parameters.ts';

const NEEDED = { setting: 'RESPARK_LAMBDA_FUNCTIONS', packages: '@aws-sdk/client-lambda' };

export interface LambdaSettings {
  readonly region: string;
  readonly lambdaEndpoint: string | undefined;
  /** Names, perhaps with wildcards. */
  readonly lambdaFunctions: readonly string[];
  /** `name=URL`; a name that has a route is allowed by it. */
  readonly lambdaRoutes: readonly string[];
  readonly outsideMaxResponseBytes: number;
}

export interface Lambda {
  /**
   * `Lambda(name).Invoke(event)` → `{ Payload }`, the function's answer as it comes out of JSON, null for an empty one.
   * An event that is left out is `{}`. The name may have a version or alias behind a colon. A function that fails is
   * `failed`. The AWS SDK repeats an invocation that was throttled or failed on its way, so that the function may run twice.
   */
  invoke(parameters: Parameters, signal: AbortSignal): Promise<unknown>;
  /** Loads the AWS SDK, if the settings let any function be called with it. */
  warmUp(): Promise<void>;
  close(): Promise<void>;
}

/** What a function, or whoever a route leads to, answers. */
interface Answer {
  readonly payload: Uint8Array;
  readonly isError: boolean;
}

const LAMBDA: AwsService = {
  title: 'Lambda',
  hasOwnCodes: false,
  plainErrors: new Set([
    ...['InvalidParameterValueException', 'InvalidRequestContentException', 'RequestTooLargeException'],
    ...['ResourceConflictException', 'ResourceNotFoundException', 'ResourceNotReadyException'],
  ]),
};

const NAME = /^[\w-]{1,64}(?::[\w$-]{1,128})?$/;

/** Limits of the connections to routes. */
const CONNECTIONS = { maxPerHost: 50, maxPerScheme: 512, maxIdle: 64, maxIdleMs: 20_000 };

export function createLambda({ settings, warn }: { settings: LambdaSettings; warn: WarnRarely }): Lambda {
  const { region, lambdaEndpoint, lambdaFunctions, outsideMaxResponseBytes: maxBytes } = settings;
  const isListed = createAllowList(lambdaFunctions);
  const routes = new Map(settings.lambdaRoutes.map(readRoute));
  const exchanges = createExchanges({ purpose: 'Lambda routes', warn, kept: CONNECTIONS });
  let sdk: Promise<{ client: LambdaClient; Invoke: typeof InvokeCommand }> | undefined;

  function loadSdk() {
    sdk ??= loadAwsPackage(() => import('@aws-sdk/client-lambda'), NEEDED).then(({ LambdaClient, InvokeCommand }) => {
      const client = new LambdaClient(clientSettings({ endpoint: lambdaEndpoint, region }));
      client.middlewareStack.add((next) => async (args) => boundReply(await next(args), maxBytes, LAMBDA.title), {
        name: 'boundReply',
        step: 'deserialize',
        priority: 'low',
      });
      return { client, Invoke: InvokeCommand };
    });
    return sdk;
  }

  async function invokeByAws(name: string, event: string, signal: AbortSignal): Promise<Answer> {
    const { client, Invoke } = await loadSdk();
    const command = new Invoke({ FunctionName: name, Payload: Buffer.from(event) });
    try {
      const { Payload, FunctionError } = await client.send(command, { abortSignal: signal });
      return { payload: Payload ?? new Uint8Array(), isError: FunctionError !== undefined };
    } catch (error) {
      throw faultOfAws(error, LAMBDA, warn);
    }
  }

  async function invokeByRoute(name: string, url: URL, event: string, signal: AbortSignal): Promise<Answer> {
    const headers = { 'content-type': 'application/json', accept: 'application/json' };
    const request = { url: url.href, method: 'POST', headers, body: event };
    const reply = await exchanges.exchange(request, { signal, maxBytes });
    const { status, body: payload } = reply;
    if (status >= 200 && status < 300) return { payload, isError: 'x-amz-function-error' in reply.headers };
    const code = status === 429 || (status >= 502 && status <= 504) ? 'unavailable' : 'failed';
    throw new OutsideFault(code, `the URL of Lambda function ${shown(name)} answered with status ${status}`);
  }

  return {
    async invoke([name, event], signal) {
      if (typeof name !== 'string' || !NAME.test(name)) {
        throw badArgument(`the name of a Lambda function must be a name, perhaps with an alias, got ${shown(name)}`);
      }
      const text = JSON.stringify(event ?? {});
      const route = routes.get(name);
      if (route !== undefined)
        return { Payload: await payloadOf(name, await invokeByRoute(name, route, text, signal)) };
      if (!isListed(name)) throw notAllowed(`Lambda function ${shown(name)}`, name, 'RESPARK_LAMBDA_FUNCTIONS');
      return { Payload: await payloadOf(name, await invokeByAws(name, text, signal)) };
    },

    async warmUp() {
      if (lambdaFunctions.length > 0) await loadSdk();
    },

    async close() {
      await exchanges.close();
      (await sdk)?.client.destroy();
    },
  };
}

/** The settings have checked that it is a name, `=` and a URL. */
function readRoute(route: string): [name: string, url: URL] {
  const end = route.indexOf('=');
  return [route.slice(0, end), new URL(route.slice(end + 1))];
}

/** Everything else has a turn between the steps, each of which takes milliseconds for an answer of very many values. */
async function payloadOf(name: string, { payload, isError }: Answer): Promise<unknown> {
  let value: unknown = null;
  try {
    if (payload.length > 0) value = parseJson(decodeText(payload));
  } catch (cause) {
    throw new OutsideFault('failed', `Lambda function ${shown(name)} answered with what is not JSON`, { cause });
  }
  if (isError) throw new OutsideFault('failed', `Lambda function ${shown(name)} failed${failureOf(value)}`);
  await nextTurn();
  if (nestsTooDeep(value)) {
    throw new OutsideFault('failed', `the answer of Lambda function ${shown(name)} nests too deep`);
  }
  await nextTurn();
  return value;
}

/** What a function says of its failure: the type of the error, and its message. */
function failureOf(payload: unknown): string {
  if (!isObject(payload)) return '';
  const words = [payload.errorType, payload.errorMessage].filter((word) => typeof word === 'string');
  return words.length === 0 ? '' : `: ${excerpt(words.join(': '), MAX_SENTENCE_CHARACTERS)}`;
}
