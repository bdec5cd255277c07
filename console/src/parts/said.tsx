import { useEffect } from 'preact/hooks';
import { said, unsay } from '../said.ts';
import { useSignal } from '../store.ts';
import { Untrusted } from './untrusted.tsx';

/** What was done last. The place for it is always there: screen readers read what comes into it, and may miss one that comes with it. */
export function Said() {
  const last = useSignal(said);
  useEffect(() => unsay, []);
  return (
    <div class="said" role="status">
      {last !== undefined && (
        <p class={`notice ${last.kind}`}>
          <Untrusted text={last.text} />
        </p>
      )}
    </div>
  );
}
