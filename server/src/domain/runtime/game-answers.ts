import type { Clock } from '../../clock.ts';
import { Interrupted } from '../../interrupted.ts';
import type { Log } from '../../log.ts';
import type { Metrics } from '../../metrics.ts';
import type { RandomBytes } from '../../random.ts';
import type { Sandbox } from '../../sandbox/sandbox.ts';
import { createHostApi, type HostApiParts } from './host-api.ts';
import type { Message, Outcome, RuntimeName } from './message.ts';
import { createMessageHandling, type Place } from './message-handling.ts';
import type { Programs } from './programs.ts';
import type { LineWriter } from './script-logs.ts';
import { UnderWay } from './under-way.ts';

/** Answers the messages that games define. */
export interface GameAnswers {
  /** A rejection is a fault of the server, never of the player or the script. */
  request(runtime: RuntimeName, message: Message): Promise<Outcome>;
  /**
   * Lets the game answer a request that every stage answers by itself; undefined when the stage's own answer is to
   * stand.
   */
  override(runtime: RuntimeName, message: Message): Promise<Outcome | undefined>;
  event(runtime: RuntimeName, message: Message): Promise<Outcome>;
  /** Must be called after `isDropped` of a message has become true. */
  dropped(): void;
  /** Resolves when no message is being answered, and no event that one has raised. */
  settled(): Promise<void>;
  /** Gets ready for the runtime's messages. A failure is only logged. */
  prepare(stageId: string, runtimeId: string): Promise<void>;
}

export function createGameAnswers({
  programs,
  sandbox,
  lines,
  metrics,
  clock,
  random,
  log,
  ...hostApiParts
}: Omit<HostApiParts, 'raise'> & {
  readonly programs: Programs;
  readonly sandbox: Pick<Sandbox, 'invoke' | 'dropped' | 'prepare'>;
  readonly lines: LineWriter;
  readonly metrics: Pick<Metrics, 'ofStage'>;
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly log: Log;
}): GameAnswers {
  const underWay = new UnderWay();
  const hostApi = createHostApi({
    ...hostApiParts,
    raise({ stage, program, player, network, session, raised, afterwards }, type, payload) {
      const message = { player, network, session, type, payload, raised: raised + 1 };
      // Otherwise a free thread could handle the event while the script that raised it still runs.
      afterwards(() => {
        // The log of the stage has the handler's lines, and says why if it did not run.
        underWay.track(handling.event({ stage, program }, message)).catch((error: unknown) => {
          if (error instanceof Interrupted) return;
          log.error({ err: error, stageId: stage.stageId, type }, 'an event of a script could not be handled');
        });
      });
    },
  });
  const handling = createMessageHandling({ sandbox, hostApi, lines, metrics, clock, random });

  function answer<T>({ id, stage }: RuntimeName, handle: (place: Place) => Promise<T>): Promise<T> {
    return underWay.track(programs.load(stage.stageId, id).then((program) => handle({ stage, program })));
  }

  return {
    request: (runtime, message) => answer(runtime, (place) => handling.request(place, message)),
    override: (runtime, message) => answer(runtime, (place) => handling.override(place, message)),
    event: (runtime, message) => answer(runtime, (place) => handling.event(place, message)),
    dropped: () => sandbox.dropped(),
    settled: () => underWay.settled(),

    async prepare(stageId, runtimeId) {
      try {
        const { scripted } = await programs.load(stageId, runtimeId);
        if (scripted.scripts.size > 0) await sandbox.prepare(scripted);
      } catch (error) {
        // The first message tries again, and fails with the reason if that does not help.
        log.debug({ err: error, runtimeId }, 'a runtime could not be made ready in advance');
      }
    },
  };
}
