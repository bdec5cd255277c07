import type { Principal } from '../domain/access/principal.ts';
import type { ReplySink } from '../http/exchange.ts';
import type { MaybePromise } from '../maybe-promise.ts';
import { type Authorize, isDenial } from './authorize.ts';
import type { StreamedOutput, StreamSink } from './operation.ts';
import type { Throttle } from './throttle.ts';

/** A stream outlives the steps of its request: it must go on being charged for, and being allowed, for as long as it lasts. */
export function createStreams({
  throttle,
  authorize,
  renew,
}: {
  throttle: Pick<Throttle, 'replied' | 'streamWaitMs'>;
  authorize: Authorize;
  /** The principal as it may call now; undefined when it no longer may. */
  renew: (principal: Principal) => MaybePromise<Principal | undefined>;
}): (output: StreamedOutput, call: Parameters<Authorize>[0]) => (sink: ReplySink) => () => void {
  async function isAllowed(call: Parameters<Authorize>[0]): Promise<boolean> {
    const principal = await renew(call.principal);
    if (principal === undefined) return false;
    try {
      await authorize({ ...call, principal });
      return true;
    } catch (error) {
      if (isDenial(error)) return false;
      throw error;
    }
  }

  const sinkOf = (sink: ReplySink, call: Parameters<Authorize>[0]): StreamSink => ({
    write(text) {
      throttle.replied(call.principal.holder, Buffer.byteLength(text));
      sink.write(text);
    },
    get bufferedBytes() {
      return sink.bufferedBytes;
    },
    waitMs: () => throttle.streamWaitMs(call.principal.holder),
    isAllowed: () => isAllowed(call),
    end: () => sink.end(),
  });

  return (output, call) => (sink) => output.start(sinkOf(sink, call));
}
