import { MAX_CODE_LENGTH, MAX_MESSAGE_LENGTH, type RequestErrorCode } from '@respark/protocol';
import type { Clock } from '../../clock.ts';
import type { Metrics } from '../../metrics.ts';
import { PayloadFault } from '../../payloads.ts';
import { type RandomBytes, uuidV7 } from '../../random.ts';
import type { InvocationResult, Sandbox, ScriptFailure } from '../../sandbox/sandbox.ts';
import type { LogLevel } from '../../store/stage-logs/stage-logs.ts';
import { excerpt, shown } from '../../text.ts';
import type { ProgramMessage } from './game-program.ts';
import type { CallContext, HostApi } from './host-api.ts';
import { type Message, noHandler, type Outcome, ReadPayload } from './message.ts';
import { createRefusalLines } from './refusal-lines.ts';
import type { LineWriter } from './script-logs.ts';

/** Codes of a script's own errors begin with a capital, so that they are never taken for those of the protocol. */
const OWN_CODE = new RegExp(`^[A-Z][A-Za-z0-9_.-]{0,${MAX_CODE_LENGTH - 1}}$`);

/** Writes a line about one message. */
type Write = (level: LogLevel, text: string) => void;

/** Where a message is answered. */
export type Place = Pick<CallContext, 'stage' | 'program'>;

/** Answers messages with a game's program. */
interface MessageHandling {
  request(place: Place, message: Message): Promise<Outcome>;
  /**
   * Answers a request that every stage answers by itself; undefined when the game does not override that, or its handler
   * leaves the answer to the stage by returning none.
   */
  override(place: Place, message: Message): Promise<Outcome | undefined>;
  event(place: Place, message: Message): Promise<Outcome>;
}

export function createMessageHandling({
  sandbox,
  hostApi,
  lines,
  metrics,
  clock,
  random,
}: {
  sandbox: Pick<Sandbox, 'invoke'>;
  hostApi: HostApi;
  lines: LineWriter;
  metrics: Pick<Metrics, 'ofStage'>;
  clock: Clock;
  random: RandomBytes;
}): MessageHandling {
  const counted = createCounting({ metrics, clock });

  const writerOf = createWriting({ lines, clock });
  const badRequest = createBadRequests({ writerOf, clock, random });
  const busyLine = createRefusalLines(clock);

  async function run(
    { stage, program }: Place,
    { name }: ProgramMessage,
    message: Message,
    payload: unknown,
  ): Promise<{ readonly result: InvocationResult; readonly write: Write }> {
    const requestId = uuidV7(random, clock.now());
    const { player, network, session, isDropped, raised = 0 } = message;
    const write = writerOf(stage, player.playerId, name, requestId);
    const { afterwards, end } = createAfterwards();
    const invocation = {
      runtime: program.scripted,
      handler: name,
      playerId: player.playerId,
      network,
      claims: session?.claims,
      ...(payload instanceof ReadPayload ? { messageJson: payload.json } : { message: payload }),
      isDropped,
      call: hostApi({ stage, program, player, network, session, handler: name, requestId, raised, afterwards }),
    };
    const result = await sandbox.invoke(invocation).finally(end);
    for (const { level, text } of result.lines) write(level, text);
    if (result.linesDropped > 0) write('warn', tooManyLines(result.linesDropped));
    if (result.ending.kind === 'busy' && !isDropped?.()) {
      const line = busyLine(stage.stageId, name, result.ending.why);
      if (line !== undefined) write('warn', line);
    }
    return { result, write };
  }

  async function answerRequest(place: Place, message: Message): Promise<Outcome> {
    const { type } = message;
    const request = place.program.requests.get(type);
    const refusal = refusalBefore('request', type, request);
    if (refusal !== undefined || request === undefined) return refusal ?? noHandler('request', type);
    return await handleRequest(place, request, message, (write, instead) => {
      write('error', describeInstead(instead));
      return failed('bad_response', 'the handler of this message gave no response');
    });
  }

  async function handleRequest(
    place: Place,
    request: ProgramMessage,
    message: Message,
    withoutResponse: (write: Write, instead: string) => Outcome,
  ): Promise<Outcome> {
    const read = request.read(message.payload);
    if (read instanceof PayloadFault) return badRequest(place, request, message, read);
    const { result, write } = await run(place, request, message, read.payload);
    const failure = refusalOf(result, write);
    if (failure !== undefined || result.ending.kind !== 'returned') return failure ?? internal();
    if (result.ending.response === undefined) return withoutResponse(write, result.ending.instead);
    const { response, unknown = [] } = result.ending;
    if (unknown.length > 0)
      write('warn', `the response has members that its shape does not have: ${unknown.join(', ')}`);
    return { isHandled: true, payloadJson: response };
  }

  async function takeEvent(place: Place, message: Message): Promise<Outcome> {
    const { type } = message;
    const event = place.program.events.get(type);
    const refusal = refusalBefore('event', type, event, message.raised !== undefined);
    if (refusal !== undefined || event === undefined) return refusal ?? noHandler('event', type);
    const { payload } = message;
    const read = payload instanceof ReadPayload ? { payload } : event.read(payload);
    if (read instanceof PayloadFault) return badRequest(place, event, message, read);
    const { result, write } = await run(place, event, message, read.payload);
    return refusalOf(result, write) ?? { isHandled: true, payloadJson: '{}' };
  }

  return {
    request: (place, message) =>
      counted(place, place.program.requests.get(message.type), () => answerRequest(place, message)),
    async override(place, message) {
      const request = place.program.overrides.get(message.type);
      if (request === undefined) return undefined;
      const outcome = await counted(place, request, () => handleRequest(place, request, message, () => LEFT));
      return outcome === LEFT ? undefined : outcome;
    },
    event: (place, message) => counted(place, place.program.events.get(message.type), () => takeEvent(place, message)),
  };
}

/** Keeps what is to be done when an invocation has ended. */
function createAfterwards(): { readonly afterwards: CallContext['afterwards']; readonly end: () => void } {
  const works: (() => void)[] = [];
  let hasEnded = false;
  return {
    afterwards(work) {
      // A call that the script has given up may come here after the script has ended.
      if (hasEnded) work();
      else works.push(work);
    },
    end() {
      hasEnded = true;
      for (const work of works) work();
    },
  };
}

type WriterOf = (stage: Place['stage'], playerId: string, handler: string, requestId: string) => Write;

/** Writes lines about a message to the log of its stage. */
function createWriting({ lines, clock }: { lines: LineWriter; clock: Clock }): WriterOf {
  return ({ stageId }, playerId, handler, requestId) =>
    (level, text) =>
      lines.write(stageId, { at: clock.now(), level, text, requestId, playerId, handler });
}

/** Refuses payloads. The log says what is wrong with them, so that the game's author need not ask the client. */
function createBadRequests({ writerOf, clock, random }: { writerOf: WriterOf; clock: Clock; random: RandomBytes }) {
  const refusalLine = createRefusalLines(clock);
  return ({ stage }: Place, { name }: ProgramMessage, { player }: Message, fault: PayloadFault): Outcome => {
    const text = excerpt(fault.text, MAX_MESSAGE_LENGTH);
    const line = refusalLine(stage.stageId, name, text);
    if (line !== undefined) writerOf(stage, player.playerId, name, uuidV7(random, clock.now()))('debug', line);
    return failed('bad_request', text);
  };
}

/** Counts messages by outcome, and how long each took. */
function createCounting({ metrics, clock }: { metrics: Pick<Metrics, 'ofStage'>; clock: Clock }) {
  return async (
    { stage }: Place,
    known: ProgramMessage | undefined,
    answer: () => Promise<Outcome>,
  ): Promise<Outcome> => {
    const startedAt = clock.monotonic();
    const count = (outcome: string) =>
      metrics.ofStage(stage).handled(known?.name, outcome, clock.monotonic() - startedAt);
    try {
      const outcome = await answer();
      count(outcome.isHandled ? 'ok' : OWN_CODE.test(outcome.code) ? 'own' : outcome.code);
      return outcome;
    } catch (error) {
      count('internal');
      throw error;
    }
  };
}

/** Stands for the stage's own answer. */
const LEFT: Outcome = { isHandled: true, payloadJson: '{}' };

/** The refusal for an invocation that did not return; undefined for one that did. */
function refusalOf({ ending }: InvocationResult, write: Write): Outcome | undefined {
  switch (ending.kind) {
    case 'returned':
      return undefined;
    case 'refused':
      if (OWN_CODE.test(ending.code)) return failed(ending.code, excerpt(ending.message, MAX_MESSAGE_LENGTH));
      write(
        'error',
        `the code of Messaging().Error must be a capital letter followed by letters, digits, "_", "." or "-", got ${shown(ending.code)}`,
      );
      return failed('script_error', 'the handler of this message failed');
    case 'unfit':
      write('error', `the response does not fit its shape: ${ending.fault}`);
      return failed('bad_response', 'the handler of this message gave a response that does not fit');
    case 'failed':
      write('error', describeFailure(ending.failure));
      return failed('script_error', 'the handler of this message failed');
    case 'stopped':
      write('error', `the script was stopped: ${ending.why}`);
      return failed('script_stopped', 'the handler of this message used more than it may');
    case 'busy':
      return failed('busy', 'the server has too much to do at the moment: try again');
  }
}

/** Why nothing is run for a message; undefined when its handler is to run. */
function refusalBefore(
  kind: 'request' | 'event',
  type: string,
  message: ProgramMessage | undefined,
  isFromScript = false,
): Outcome | undefined {
  if (message === undefined) return noHandler(kind, type);
  if (!message.isFromPlayers && !isFromScript)
    return failed('not_allowed', `players may not send ${kind} ${shown(type)}`);
  if (message.handler === undefined) return noHandler(kind, type);
  if (!message.handler.isEnabled)
    return failed('handler_disabled', `the handler of ${kind} ${shown(type)} is disabled`);
  return undefined;
}

function internal(): Outcome {
  return failed('internal', 'the server failed to handle this message');
}

function failed(code: RequestErrorCode | (string & {}), message: string): Outcome {
  return { isHandled: false, code, message };
}

function tooManyLines(dropped: number): string {
  return `${dropped} more lines were left out: RESPARK_SCRIPT_MAX_LINES says how many a message may have, of 64 KiB together`;
}

const WRAP = 'return GameSparks().Messaging().Response({…})';

/** By the guest's word for what a script returned instead of a response. */
const INSTEAD: ReadonlyMap<string, string> = new Map([
  ['nothing', `the script returned nothing: is a return missing? It must ${WRAP}`],
  ['no payload', 'the script returned Response() without a payload: Response({}) is the shortest one'],
  ['promise', `the script returned a promise, which is not waited for: calls wait by themselves, so ${WRAP}`],
  ['object', 'the script returned an object: wrap it in GameSparks().Messaging().Response(…)'],
  ['array', `the script returned an array: ${WRAP}`],
  ['string', `the script returned a text: ${WRAP}`],
]);

function describeInstead(instead: string): string {
  return INSTEAD.get(instead) ?? `the script returned ${shown(instead)}: ${WRAP}`;
}

function describeFailure({ text, line, column }: ScriptFailure): string {
  return line === undefined ? text : `${text} (line ${line}, column ${column})`;
}
